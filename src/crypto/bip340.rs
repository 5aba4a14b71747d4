//! Schnorr signatures over secp256k1 (BIP340), always over a tagged hash, verified against a whole SEC1 point.

use k256::schnorr::signature::hazmat::{PrehashSigner, PrehashVerifier};
use k256::schnorr::{SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{SignatureError, impossible};

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ data), as BIP340 defines it.
pub fn tagged_hash(tag: &str, data: &[u8]) -> [u8; 32] {
    let tag = Sha256::digest(tag);
    Sha256::new().chain_update(tag).chain_update(tag).chain_update(data).finalize().into()
}

/// Signs the tagged hash of `data`. Deterministic: the auxiliary randomness is 32 zero bytes.
pub(crate) fn sign(key: &SigningKey, tag: &str, data: &[u8]) -> [u8; SIGNATURE_BYTES] {
    // Fails only if a hash is 0 modulo the group order, and is then tried again.
    key.sign_prehash(&tagged_hash(tag, data)).map_or_else(|_| impossible(), |signature| signature.to_bytes())
}

/// Verifies a signature of the tagged hash of `data`. `point` is a SEC1 public key, compressed (33 bytes) or not
/// (65); as BIP340 has it, only its x coordinate counts.
///
/// # Errors
/// [`SignatureError::Secp256k1`] if the point or the signature is malformed or the signature is not of this data.
pub fn verify(
    point: &[u8],
    tag: &str,
    data: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), SignatureError> {
    verify_hash(point, &tagged_hash(tag, data), signature).ok_or(SignatureError::Secp256k1)
}

fn verify_hash(point: &[u8], hash: &[u8; 32], signature: &[u8; SIGNATURE_BYTES]) -> Option<()> {
    let key = sec1(point)?;
    let signature = k256::schnorr::Signature::from_slice(signature).ok()?;
    let x = k256::elliptic_curve::point::AffineCoordinates::x(key.as_affine());
    VerifyingKey::from_bytes(&x).ok()?.verify_prehash(hash, &signature).ok()
}

/// A public key from its compressed or uncompressed SEC1 form and no other: canonical, on the curve, not infinity.
pub(crate) fn sec1(point: &[u8]) -> Option<k256::PublicKey> {
    match (point.len(), point.first()?) {
        (33, 2 | 3) | (65, 4) => k256::PublicKey::from_sec1_bytes(point).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use k256::schnorr::SigningKey;
    use k256::schnorr::signature::hazmat::PrehashSigner;
    use sha2::{Digest, Sha256};

    use super::{tagged_hash, verify_hash};

    #[test]
    fn the_official_vectors() {
        let vectors = include_str!("../../tests/vectors/bip340.csv");
        let mut checked = 0;
        for line in vectors.lines().skip(1) {
            let [index, secret, public, aux, message, signature, result] =
                line.split(',').collect::<Vec<_>>().try_into().unwrap();
            let bytes = |text| hex::decode(text).unwrap();
            let message = bytes(message).try_into().unwrap();
            let signature = bytes(signature).try_into().unwrap();
            for prefix in [2, 3] {
                // Only x counts, so the other parity of y must make no difference.
                let point = [&[prefix], bytes(public).as_slice()].concat();
                let verifies = verify_hash(&point, &message, &signature).is_some();
                assert_eq!(verifies, result == "TRUE", "vector {index}");
            }
            if !secret.is_empty() && aux.bytes().all(|digit| digit == b'0') {
                let key = SigningKey::from_slice(&bytes(secret)).unwrap();
                assert_eq!(key.sign_prehash(&message).unwrap().to_bytes(), signature, "vector {index}");
                checked += 1;
            }
            checked += 1;
        }
        assert_eq!(checked, 16);
    }

    #[test]
    fn tagged_hashes_are_as_bip340_writes_them() {
        let tag: [u8; 32] = Sha256::digest(b"tag").into();
        assert_eq!(tagged_hash("tag", b"data"), *Sha256::digest([&tag[..], &tag, b"data"].concat()));
    }
}
