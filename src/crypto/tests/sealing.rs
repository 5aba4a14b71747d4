//! Sealed bodies: who can open them, and that nobody can be added, left out or named falsely.
#![allow(clippy::unwrap_used)]

mod support;

use dta_crypto::seal::{CIPHERTEXT_BYTES_MAX, PLAINTEXT_BYTES_MAX};
use dta_crypto::{
    ContentKey, Entry, IdentityKeys, OpenError, Recipient, SealError, SealedParts, Secret, VerifyingKeys,
    hkdf, open, open_at_rest, open_with, recipients_match, seal, seal_at_rest,
};
use support::{Repeatable, cid, identity};

const AAD: &[u8] = b"statement";

/// Identities 1 to 5; the first signs.
struct Parties {
    keys: Vec<IdentityKeys>,
    validated: Vec<VerifyingKeys>,
    cids: Vec<[u8; 36]>,
}

impl Parties {
    fn new() -> Self {
        let keys: Vec<_> = (1..=5).map(identity).collect();
        let validated = keys.iter().map(|keys| keys.public().validate().unwrap()).collect();
        Self { keys, validated, cids: (1..=5).map(cid).collect() }
    }

    fn signer(&self) -> &[u8; 36] {
        &self.cids[0]
    }

    fn recipients(&self, who: &[usize]) -> Vec<Recipient<'_>> {
        let one = |index: &usize| Recipient { cid: &self.cids[*index], keys: &self.validated[*index] };
        who.iter().map(one).collect()
    }

    fn seal(&self, who: &[usize]) -> (ContentKey, SealedParts) {
        let key = content_key();
        let parts = seal(&key, b"plaintext", AAD, self.signer(), &self.recipients(who)).unwrap();
        (key, parts)
    }

    fn open(&self, who: usize, parts: &SealedParts) -> Result<Vec<u8>, OpenError> {
        let (keys, cid) = (&self.keys[who], &self.cids[who]);
        open(keys, cid, self.signer(), AAD, &parts.ciphertext, &parts.commit, &parts.to)
            .map(|(_, plaintext)| plaintext.expose().to_vec())
    }

    fn matches(&self, key: &ContentKey, who: &[usize], to: &[Entry]) -> bool {
        recipients_match(key, self.signer(), &self.recipients(who), to).unwrap()
    }
}

fn content_key() -> ContentKey {
    ContentKey::random(&mut Repeatable::default())
}

#[test]
fn recipients_open_and_others_do_not() {
    let parties = Parties::new();
    let (_, parts) = parties.seal(&[1, 2, 3]);
    for who in 1..4 {
        assert_eq!(parties.open(who, &parts), Ok(b"plaintext".to_vec()));
    }
    // Not even the signer, who is not among them.
    assert_eq!(parties.open(0, &parts), Err(OpenError));
    assert_eq!(parties.open(4, &parts), Err(OpenError));
}

#[test]
fn an_entry_is_bound_to_signer_and_recipient() {
    let parties = Parties::new();
    let (_, SealedParts { ciphertext, commit, to }) = parties.seal(&[1]);
    let try_open = |own: usize, signer: usize, aad: &[u8]| {
        let (own, signer) = (&parties.cids[own], &parties.cids[signer]);
        open(&parties.keys[1], own, signer, aad, &ciphertext, &commit, &to).map(|_| ())
    };
    assert_eq!(try_open(1, 0, AAD), Ok(()));
    assert_eq!(try_open(2, 0, AAD), Err(OpenError));
    assert_eq!(try_open(1, 2, AAD), Err(OpenError));
    assert_eq!(try_open(1, 0, b"Statement"), Err(OpenError));
    assert_eq!(try_open(1, 0, b""), Err(OpenError));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let parties = Parties::new();
    let fresh = || parties.seal(&[1]).1;
    for byte in 0..fresh().ciphertext.len() {
        let mut parts = fresh();
        parts.ciphertext[byte] ^= 1;
        assert_eq!(parties.open(1, &parts), Err(OpenError), "ciphertext {byte}");
    }
    for byte in 0..32 {
        let mut parts = fresh();
        parts.commit[byte] ^= 0x80;
        assert_eq!(parties.open(1, &parts), Err(OpenError), "commit {byte}");
    }
    for byte in (0..1168).step_by(73).chain(1087..1090).chain(1119..1122).chain(1150..1168) {
        let mut parts = fresh();
        parts.to[0][byte] ^= 1;
        assert_eq!(parties.open(1, &parts), Err(OpenError), "entry {byte}");
    }
}

#[test]
fn ciphertexts_cut_short_or_too_long() {
    let parties = Parties::new();
    let (key, parts) = parties.seal(&[1]);
    for length in 0..parts.ciphertext.len() {
        assert!(open_with(&key, AAD, &parts.ciphertext[..length], &parts.commit).is_err(), "{length}");
    }
    let longer = [parts.ciphertext, vec![0]].concat();
    assert!(open_with(&key, AAD, &longer, &parts.commit).is_err());
    // Authentic, and still too long.
    let both: Secret<64> = hkdf(key.expose(), &[b"milagro-dta/v1/body"]);
    let body_key = Secret::from_bytes(both.expose()[..32].try_into().unwrap());
    for (bytes, opens) in [(PLAINTEXT_BYTES_MAX, true), (PLAINTEXT_BYTES_MAX + 1, false)] {
        let ciphertext = seal_at_rest(&body_key, &[0; 12], AAD, &vec![1; bytes]);
        assert_eq!(ciphertext.len() > CIPHERTEXT_BYTES_MAX, !opens);
        assert_eq!(open_with(&key, AAD, &ciphertext, &parts.commit).is_ok(), opens);
    }
}

#[test]
fn a_content_key_opens_only_what_commits_to_it() {
    let parties = Parties::new();
    let (key, parts) = parties.seal(&[1]);
    let opened = open_with(&key, AAD, &parts.ciphertext, &parts.commit).ok().unwrap();
    assert_eq!(opened.expose(), b"plaintext");
    let other = ContentKey::from_bytes([1; 32]);
    assert!(open_with(&other, AAD, &parts.ciphertext, &parts.commit).is_err());
    // With the commitment of the other key the ciphertext is still not its own, and for the right key the commitment
    // alone is enough to refuse.
    let theirs = seal(&other, b"plaintext", AAD, parties.signer(), &parties.recipients(&[1])).unwrap();
    assert!(open_with(&other, AAD, &parts.ciphertext, &theirs.commit).is_err());
    assert!(open_with(&key, AAD, &parts.ciphertext, &theirs.commit).is_err());
}

#[test]
fn entries_do_not_depend_on_the_order_or_number_of_mentions() {
    let parties = Parties::new();
    let (key, parts) = parties.seal(&[1, 2, 3]);
    assert_eq!(parts.to.len(), 3);
    assert!(parts.to.is_sorted());
    for order in [&[3, 2, 1][..], &[2, 1, 3], &[1, 1, 2, 3, 3, 2, 1]] {
        assert_eq!(parties.seal(order).1.to, parts.to);
        assert!(parties.matches(&key, order, &parts.to));
    }
    assert_eq!(parties.seal(&[1, 1]).1.to.len(), 1);
}

#[test]
fn any_other_set_of_recipients_is_noticed() {
    let parties = Parties::new();
    let (key, parts) = parties.seal(&[1, 2]);
    let to = &parts.to;
    assert!(parties.matches(&key, &[1, 2], to));
    for who in [&[1][..], &[2], &[1, 3], &[1, 2, 3], &[0, 1, 2, 3]] {
        assert!(!parties.matches(&key, who, to), "{who:?}");
    }
    let with = |extra: Entry| {
        let mut to = to.clone();
        to.push(extra);
        to.sort();
        to
    };
    let third = parties.seal(&[3]).1.to.remove(0);
    for bad in [
        with(third),
        with(to[0].clone()),
        with(Box::new([0; 1168])),
        vec![to[1].clone(), to[0].clone()],
        vec![to[0].clone()],
        vec![to[0].clone(), to[0].clone()],
        vec![],
    ] {
        assert!(!parties.matches(&key, &[1, 2], &bad));
    }
    assert!(!parties.matches(&ContentKey::from_bytes([1; 32]), &[1, 2], to));
    let other_signer = recipients_match(&key, &parties.cids[4], &parties.recipients(&[1, 2]), to);
    assert_eq!(other_signer, Ok(false));
}

#[test]
fn an_entry_that_opens_but_was_encapsulated_freely_is_noticed() {
    use hpke::rand_core::{TryCryptoRng, TryRng};
    use hpke::{Deserializable, Kem, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256, kem::XWing};
    struct Sevens;
    impl TryRng for Sevens {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(7)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(7)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(7);
            Ok(())
        }
    }
    impl TryCryptoRng for Sevens {}

    let parties = Parties::new();
    let (key, mut parts) = parties.seal(&[1]);
    let public = <XWing as Kem>::PublicKey::from_bytes(&*parties.keys[1].public().kem).unwrap();
    let info = [b"milagro-dta/v1/hpke\0\x01".as_slice(), parties.signer(), &parties.cids[1]].concat();
    let (encapsulated, wrapped) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        &info,
        key.expose(),
        &[],
        &mut Sevens,
    )
    .unwrap();
    let entry = [encapsulated.to_bytes().as_slice(), &wrapped].concat();
    parts.to = vec![Box::new(entry.try_into().unwrap())];
    assert_eq!(parties.open(1, &parts), Ok(b"plaintext".to_vec()));
    assert!(!parties.matches(&key, &[1], &parts.to));
}

#[test]
fn sealing_to_nobody_or_to_too_many() {
    let parties = Parties::new();
    let key = content_key();
    let sealed = |recipients: &[Recipient<'_>]| {
        seal(&key, b"", AAD, parties.signer(), recipients).map(|parts| parts.to.len())
    };
    assert_eq!(sealed(&[]), Err(SealError::Recipients(0)));
    assert_eq!(sealed(&parties.recipients(&[0, 1, 2, 3])), Ok(4));
    assert_eq!(sealed(&parties.recipients(&[0, 1, 2, 3, 4])), Err(SealError::Recipients(5)));
}

#[test]
fn a_list_of_too_many_entries_is_not_tried() {
    let parties = Parties::new();
    let (_, mut parts) = parties.seal(&[1]);
    parts.to.resize(4, Box::new([0; 1168]));
    assert_eq!(parties.open(1, &parts), Ok(b"plaintext".to_vec()));
    parts.to.push(Box::new([0; 1168]));
    assert_eq!(parties.open(1, &parts), Err(OpenError));
}

#[test]
fn plaintexts_up_to_the_limit() {
    let parties = Parties::new();
    let sealed = |bytes: usize| {
        seal(&content_key(), &vec![1; bytes], AAD, parties.signer(), &parties.recipients(&[1]))
    };
    for bytes in [0, 1, PLAINTEXT_BYTES_MAX] {
        let parts = sealed(bytes).ok().unwrap();
        assert_eq!(parts.ciphertext.len(), bytes + 16);
        assert_eq!(parties.open(1, &parts), Ok(vec![1; bytes]));
    }
    let too_long = sealed(PLAINTEXT_BYTES_MAX + 1).err();
    assert_eq!(too_long, Some(SealError::TooLong(PLAINTEXT_BYTES_MAX + 1)));
}

#[test]
fn content_keys_come_from_the_entropy_they_are_given() {
    let mut entropy = Repeatable::default();
    let (first, second) = (ContentKey::random(&mut entropy), ContentKey::random(&mut entropy));
    assert_eq!(entropy.drawn, 64);
    assert_ne!(first.expose(), second.expose());
    assert_eq!(first.expose(), content_key().expose());
}

#[test]
fn at_rest_binds_key_nonce_and_data() {
    let key = |fill| Secret::from_bytes([fill; 32]);
    let sealed = seal_at_rest(&key(1), &[2; 12], b"aad", b"seed");
    assert_eq!(sealed.len(), 4 + 16);
    let opened = open_at_rest(&key(1), &[2; 12], b"aad", &sealed).ok().unwrap();
    assert_eq!(opened.expose(), b"seed");
    assert!(open_at_rest(&key(2), &[2; 12], b"aad", &sealed).is_err());
    assert!(open_at_rest(&key(1), &[3; 12], b"aad", &sealed).is_err());
    assert!(open_at_rest(&key(1), &[2; 12], b"add", &sealed).is_err());
    for length in 0..sealed.len() {
        assert!(open_at_rest(&key(1), &[2; 12], b"aad", &sealed[..length]).is_err());
    }
}
