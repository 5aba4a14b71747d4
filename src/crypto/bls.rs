//! BLS12-381 signatures, min-sig (keys in G2, signatures in G1), and the check of many by one signer at once.

use blst::min_sig::{PublicKey, SecretKey, Signature};
use blst::{BLST_ERROR, MultiPoint, blst_fp12, blst_p1, blst_p1_affine, blst_p2_affine, p1_affines};

use crate::{Entropy, Secret, impossible};

/// Bytes of a compressed public key.
pub const PUBLIC_BYTES: usize = 96;
/// Bytes of a compressed signature.
pub(crate) const SIGNATURE_BYTES: usize = 48;

/// Domain of signatures over statements.
pub(crate) const SIGN: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Domain of a key's proof of possession, over itself.
pub(crate) const PROVE: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Bits of the random factors in a batch: what a forger must guess.
const FACTOR_BITS: usize = 128;

/// The key of 32 bytes of key material: `KeyGen` of the IRTF draft, with empty key_info.
pub(crate) fn key_gen(seed: &Secret<32>) -> SecretKey {
    SecretKey::key_gen(seed.expose(), &[]).unwrap_or_else(|_| impossible())
}

/// A signature as it stands on the wire; `None` unless canonical, compressed, in the subgroup and not infinity.
pub(crate) fn decode(bytes: &[u8; SIGNATURE_BYTES]) -> Option<Signature> {
    let signature = Signature::uncompress(bytes).ok()?;
    signature.validate(true).ok()?;
    Some(signature)
}

/// Whether a decoded `signature` is of `message` under a validated `key`.
pub(crate) fn verify(key: &PublicKey, message: &[u8], signature: &Signature, domain: &[u8]) -> bool {
    signature.verify(false, message, domain, &[], key, false) == BLST_ERROR::BLST_SUCCESS
}

/// The index of the first item that is not a signature by `key` in the domain [`SIGN`], or `None` if all are. Each
/// message's random factor is drawn anew, so a set of wrong signatures that cancel out passes with chance 2^-128.
pub(crate) fn first_bad(
    key: &PublicKey,
    items: &[(&[u8], Signature)],
    entropy: &mut dyn Entropy,
) -> Option<usize> {
    if all_good(key, items, entropy) {
        return None;
    }
    let mut start = 0;
    let mut end = items.len();
    // A bad one is between the two and none is before `start`.
    while end - start > 1 {
        let middle = start + (end - start) / 2;
        if all_good(key, items.get(start..middle).unwrap_or_default(), entropy) {
            start = middle;
        } else {
            end = middle;
        }
    }
    Some(start)
}

/// e(Σ rᵢ·H(mᵢ), key) = e(Σ rᵢ·sᵢ, generator): two pairings however many messages.
fn all_good(key: &PublicKey, items: &[(&[u8], Signature)], entropy: &mut dyn Entropy) -> bool {
    match items {
        [] => return true,
        [(message, signature)] => return verify(key, message, signature, SIGN),
        _ => {}
    }
    let mut factors = vec![0; items.len() * FACTOR_BITS / 8];
    entropy.fill(&mut factors);
    let hashes: Vec<blst_p1> = items.iter().map(|(message, _)| hash_to_g1(message)).collect();
    let signatures: Vec<Signature> = items.iter().map(|(_, signature)| *signature).collect();
    let hashes = p1_affines::from(&[p1_affines::from(&hashes).mult(&factors, FACTOR_BITS)]);
    let signature: blst_p1_affine = signatures.mult(&factors, FACTOR_BITS).to_signature().into();
    let Some(hash) = hashes.as_slice().first() else { return false };
    let key: &blst_p2_affine = key.into();
    blst_fp12::finalverify(
        &blst_fp12::miller_loop(key, hash),
        &blst_fp12::miller_loop(&g2_generator(), &signature),
    )
}

/// The point that signing multiplies; blst offers it by its C interface only.
#[allow(unsafe_code)]
fn hash_to_g1(message: &[u8]) -> blst_p1 {
    let mut point = blst_p1::default();
    // SAFETY: the pointers are those of live slices with their own lengths; no augmentation is null with length 0;
    // the output is a live, exclusively borrowed point.
    unsafe {
        blst::blst_hash_to_g1(
            &raw mut point,
            message.as_ptr(),
            message.len(),
            SIGN.as_ptr(),
            SIGN.len(),
            std::ptr::null(),
            0,
        );
    }
    point
}

#[allow(unsafe_code)]
fn g2_generator() -> blst_p2_affine {
    // SAFETY: blst returns the address of a constant, valid for the life of the process.
    unsafe { *blst::blst_p2_affine_generator() }
}
