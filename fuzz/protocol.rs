//! The decoders of dta-protocol and dta-crypto.

use std::sync::LazyLock;

use dta_crypto::{IdentityKeys, PublicKeys, Secret};
use dta_protocol::body::*;
use dta_protocol::sealed::{MAX_CIPHERTEXT_BYTES, SealRequest, check_recipients, open};
use dta_protocol::{
    BlockPage, Cid, DeliveryPage, Envelope, Identity, LogPart, Plaintext, Statement, canonical, car,
    envelope, strict,
};

use crate::samples;

pub fn cbor(bytes: &[u8]) {
    if let Ok(value) = strict::decode(bytes) {
        assert!(canonical::encode(&value) == bytes, "one value, one spelling");
    }
}

pub fn cid(bytes: &[u8]) {
    if let Ok(cid) = Cid::from_bytes(bytes) {
        assert!(cid.to_bytes() == bytes);
        assert!(cid.to_string().parse() == Ok(cid));
    }
}

pub fn cid_text(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cid) = text.parse::<Cid>() {
        assert!(cid.to_string() == text, "one CID, one spelling");
        assert!(Cid::from_bytes(&cid.to_bytes()) == Ok(cid));
    }
}

pub fn statement(bytes: &[u8]) {
    if let Ok(statement) = Statement::decode(bytes) {
        assert!(statement.encode().as_deref() == Ok(bytes));
    }
}

pub fn envelope(bytes: &[u8]) {
    let Ok(envelope) = Envelope::decode(bytes) else { return };
    assert!(bytes.len() <= envelope::MAX_BLOCK_BYTES);
    assert!(envelope.block() == bytes && envelope.cid().names(bytes));
    assert!(envelope.statement().encode().as_deref() == Ok(envelope.statement_bytes()));
    assert!(bytes.ends_with(envelope.statement_bytes()));
    // What verifies is what was signed: nobody here signs anything, so it says what a sample says.
    if let Some(party) = PARTIES.iter().find(|party| envelope.statement().signer == Some(party.cid()))
        && let Ok(verified) = envelope.clone().verify(party)
    {
        assert!(SIGNED.iter().any(|said| said == verified.statement_bytes()), "a forgery is believed");
    }
}

pub fn identity(bytes: &[u8]) {
    let Ok(identity) = Identity::decode(bytes) else { return };
    assert!(identity.envelope().block() == bytes && identity.cid().names(bytes));
    assert!(identity.public().validate().is_ok());
    assert!((1..=128).contains(&identity.name().len()));
    let said = identity.envelope().statement_bytes();
    assert!(PARTIES.iter().any(|party| party.envelope().statement_bytes() == said), "a forgery is believed");
}

/// Public keys as they stand side by side, and after them a signature.
pub fn keys(bytes: &[u8]) {
    let mut rest = bytes;
    let mut take = |count: usize| {
        let (taken, after) = rest.split_at_checked(count)?;
        rest = after;
        Some(taken)
    };
    let (Some(bls), Some(ml_dsa), Some(kem), Some(secp256k1), Some(ed25519)) =
        (take(96), take(1_952), take(1_216), take(33), take(32))
    else {
        return;
    };
    let keys = PublicKeys {
        bls: bls.try_into().unwrap(),
        ml_dsa: Box::new(ml_dsa.try_into().unwrap()),
        kem: Box::new(kem.try_into().unwrap()),
        secp256k1: secp256k1.try_into().unwrap(),
        ed25519: ed25519.try_into().unwrap(),
    };
    let Ok(verifying) = keys.validate() else { return };
    let mut signature = [0; dta_crypto::SIGNATURE_BYTES];
    let length = rest.len().min(signature.len());
    signature[..length].copy_from_slice(&rest[..length]);
    assert!(verifying.verify(b"nobody has signed this", &signature).is_err());
}

pub fn plaintext(bytes: &[u8]) {
    fn one_spelling<P: Plaintext>(bytes: &[u8]) {
        if let Ok(body) = P::decode(bytes) {
            let written = body.encode().unwrap_or_else(|error| panic!("{} {error}", P::KIND));
            assert!(written.expose() == bytes, "{}", P::KIND);
        }
    }
    one_spelling::<Placed>(bytes);
    one_spelling::<Committed>(bytes);
    one_spelling::<RedemptionRequested>(bytes);
    one_spelling::<BeneficiaryData>(bytes);
    one_spelling::<Released>(bytes);
    one_spelling::<SecretBody>(bytes);
    one_spelling::<Received>(bytes);
    one_spelling::<Disputed>(bytes);
    one_spelling::<CancellationRequested>(bytes);
    one_spelling::<Closed>(bytes);
    one_spelling::<LogPart>(bytes);
}

/// The length of a statement (2 bytes, big-endian), the statement, the block of its first body; opened with each party's keys.
pub fn sealed_body(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let Some((statement, block)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else { return };
    let Ok(statement) = Statement::decode(statement) else { return };
    let Some(descriptor) = statement.sealed.first() else { return };
    let Ok(request) = SealRequest::of(&statement, descriptor.role) else { return };
    for (keys, party) in KEYS.iter().zip(PARTIES.iter()) {
        if let Ok((key, plaintext)) = open(keys, &party.cid(), &request, descriptor, block) {
            assert!(descriptor.cid.names(block) && block.len() <= MAX_CIPHERTEXT_BYTES);
            assert!(block.len() == plaintext.expose().len() + 16);
            // Only what somebody sealed opens; who else can read it may have been changed, and is noticed.
            let all: Vec<_> = PARTIES.iter().map(|party| (party.cid(), party.verifying())).collect();
            let exactly = |to: &[_]| check_recipients(&key, &request.signer, to, descriptor).is_ok();
            let whole = SIGNED.iter().any(|said| statement.encode().is_ok_and(|bytes| bytes == *said));
            let known = exactly(&all) || exactly(&all[..2]) || exactly(&all[2..]);
            assert!(known || !whole);
        }
    }
}

pub fn car_file(bytes: &[u8]) {
    let Ok((root, blocks)) = car::decode(bytes) else { return };
    assert!(bytes.len() <= car::MAX_CAR_BYTES && blocks.len() <= car::MAX_BLOCKS);
    assert!(blocks.iter().all(|(cid, block)| cid.names(block)));
    assert!(blocks.iter().any(|(cid, _)| *cid == root));
    let written = car::encode(root, blocks.iter().map(|(cid, block)| (*cid, block.as_slice())));
    assert!(written.as_deref() == Ok(bytes), "one file, one spelling");
}

pub fn page(bytes: &[u8]) {
    if let Ok(page) = DeliveryPage::decode(bytes) {
        assert!(page.encode() == bytes && page.next < 1 << 53);
    }
}

pub fn block_page(bytes: &[u8]) {
    if let Ok(page) = BlockPage::decode(bytes) {
        assert!(page.encode() == bytes && page.blocks.len() < car::MAX_BLOCKS);
        assert!(page.blocks.is_sorted_by(|(one, _), (next, _)| one < next));
    }
}

/// Alice, bob and carol of protocol.json.
static PARTIES: LazyLock<Vec<Identity>> =
    LazyLock::new(|| samples::identities().iter().map(|block| Identity::decode(block).unwrap()).collect());

static KEYS: LazyLock<Vec<IdentityKeys>> = LazyLock::new(|| {
    let seeds = samples::seeds().into_iter();
    seeds.map(|seed| IdentityKeys::from_seed(&Secret::from_bytes(seed))).collect()
});

/// What they have signed.
static SIGNED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(samples::statements);
