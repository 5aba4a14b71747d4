//! The examples of the standards themselves.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dta_crypto::{IdentityKeys, Secret};

use crate::actors::peers::fields::content_digest;
use crate::actors::peers::signature::base;

/// RFC 9421, appendix B.2.6: a request signed with ed25519.
#[test]
fn the_base_of_rfc_9421_b_2_6_is_verified() {
    let parameters = r#"("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#;
    let components = [
        (r#""date""#, "Tue, 20 Apr 2021 02:07:55 GMT"),
        (r#""@method""#, "POST"),
        (r#""@path""#, "/foo"),
        (r#""@authority""#, "example.com"),
        (r#""content-type""#, "application/json"),
        (r#""content-length""#, "18"),
    ];
    let base = base(components.into_iter(), parameters);
    // Appendix B.1.4: test-key-ed25519.
    let key = "26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb";
    let mut public = IdentityKeys::from_seed(&Secret::from_bytes([1; 32])).public().clone();
    hex::decode_to_slice(key, &mut public.ed25519).unwrap();
    let keys = public.validate().unwrap();
    let text = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==";
    let signature = STANDARD.decode(text).unwrap();
    let signature: [u8; 64] = signature.try_into().unwrap();
    keys.verify_ed25519(base.as_bytes(), &signature).unwrap();
    keys.verify_ed25519(base.replace("18\n", "19\n").as_bytes(), &signature).unwrap_err();
}

/// RFC 9530, appendix B.1, and the digest of nothing.
#[test]
fn digests_are_those_of_rfc_9530() {
    let hello = content_digest(b"{\"hello\": \"world\"}\n");
    assert_eq!(hello, "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:");
    assert_eq!(content_digest(b""), "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
}
