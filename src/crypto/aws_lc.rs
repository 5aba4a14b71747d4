//! ML-KEM-768 (FIPS 203) and X25519 (RFC 7748) by aws-lc, as X-Wing needs them and aws-lc-rs does not offer them: a key from
//! its seed, an encapsulation with given randomness, an agreement whose result may be zero.

#![allow(unsafe_code)]

use std::ptr::{NonNull, null_mut};

use aws_lc_sys as sys;
use zeroize::Zeroizing;

use crate::{Secret, impossible};

/// Bytes of an ML-KEM-768 public key.
pub const ML_KEM_PUBLIC_BYTES: usize = 1_184;
/// Bytes of an ML-KEM-768 ciphertext.
pub const ML_KEM_CIPHERTEXT_BYTES: usize = 1_088;

/// An ML-KEM-768 key, of which nothing changes any more. aws-lc wipes it when it is freed.
pub struct MlKem(NonNull<sys::EVP_PKEY>);

// SAFETY: aws-lc counts references to a key atomically, and what is called here only reads it.
unsafe impl Send for MlKem {}
// SAFETY: as above.
unsafe impl Sync for MlKem {}

impl Drop for MlKem {
    fn drop(&mut self) {
        // SAFETY: it is ours alone, and not used again.
        unsafe { sys::EVP_PKEY_free(self.0.as_ptr()) }
    }
}

/// A use of a key.
struct Context(NonNull<sys::EVP_PKEY_CTX>);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: as for a key.
        unsafe { sys::EVP_PKEY_CTX_free(self.0.as_ptr()) }
    }
}

impl Context {
    /// aws-lc gives none only if there is no memory.
    fn of(context: *mut sys::EVP_PKEY_CTX) -> Self {
        Self(NonNull::new(context).unwrap_or_else(|| impossible()))
    }
}

impl MlKem {
    /// The key pair of a seed: d, then z (FIPS 203, algorithm 16).
    pub fn from_seed(seed: &[u8; 64]) -> Self {
        let (mut key, mut length) = (null_mut(), seed.len());
        // SAFETY: the context lives until the end of the block; `seed` has `length` bytes; `key` takes a key that is ours.
        let made = unsafe {
            let context = Context::of(sys::EVP_PKEY_CTX_new_id(sys::EVP_PKEY_KEM, null_mut()));
            let context = context.0.as_ptr();
            sys::EVP_PKEY_keygen_init(context) == 1
                && sys::EVP_PKEY_CTX_kem_set_params(context, sys::NID_MLKEM768) == 1
                && sys::EVP_PKEY_keygen_deterministic(context, &raw mut key, seed.as_ptr(), &raw mut length)
                    == 1
        };
        match NonNull::new(key) {
            Some(key) if made => Self(key),
            _ => impossible(),
        }
    }

    /// A public key as it came from outside: `None` if a coefficient is not below the modulus (FIPS 203, section 7.2).
    pub fn from_public(bytes: &[u8; ML_KEM_PUBLIC_BYTES]) -> Option<Self> {
        // SAFETY: aws-lc copies `bytes`, which has the length given.
        let key =
            unsafe { sys::EVP_PKEY_kem_new_raw_public_key(sys::NID_MLKEM768, bytes.as_ptr(), bytes.len()) };
        let key = Self(NonNull::new(key)?);
        // It is encapsulating that checks the coefficients.
        key.encapsulate(&[0; 32]).is_some().then_some(key)
    }

    /// The public half.
    pub fn public(&self) -> [u8; ML_KEM_PUBLIC_BYTES] {
        let (mut bytes, mut length) = ([0; ML_KEM_PUBLIC_BYTES], ML_KEM_PUBLIC_BYTES);
        // SAFETY: the key lives; `bytes` has `length` bytes.
        let got =
            unsafe { sys::EVP_PKEY_get_raw_public_key(self.0.as_ptr(), bytes.as_mut_ptr(), &raw mut length) };
        if got == 1 && length == bytes.len() { bytes } else { impossible() }
    }

    /// ML-KEM.Encaps_internal with this randomness: the ciphertext and the shared secret.
    pub fn encapsulate(&self, randomness: &[u8; 32]) -> Option<([u8; ML_KEM_CIPHERTEXT_BYTES], Secret<32>)> {
        let mut ciphertext = [0; ML_KEM_CIPHERTEXT_BYTES];
        let mut shared = Zeroizing::new([0; 32]);
        let mut lengths = [ciphertext.len(), shared.len(), randomness.len()];
        let [one, two, three] = &mut lengths;
        let context = self.context();
        // SAFETY: each buffer is live and has the length beside it; the context lives.
        let done = unsafe {
            sys::EVP_PKEY_encapsulate_deterministic(
                context.0.as_ptr(),
                ciphertext.as_mut_ptr(),
                one,
                shared.as_mut_ptr(),
                two,
                randomness.as_ptr(),
                three,
            )
        };
        (done == 1).then(|| (ciphertext, Secret::build(|to| to.copy_from_slice(&*shared))))
    }

    /// ML-KEM.Decaps: a ciphertext that was not made for this key gives a secret that nobody has. `None` if this is a
    /// public key.
    pub fn decapsulate(&self, ciphertext: &[u8; ML_KEM_CIPHERTEXT_BYTES]) -> Option<Secret<32>> {
        let mut shared = Zeroizing::new([0; 32]);
        let mut length = shared.len();
        let context = self.context();
        // SAFETY: as above.
        let done = unsafe {
            sys::EVP_PKEY_decapsulate(
                context.0.as_ptr(),
                shared.as_mut_ptr(),
                &raw mut length,
                ciphertext.as_ptr(),
                ciphertext.len(),
            )
        };
        (done == 1).then(|| Secret::build(|to| to.copy_from_slice(&*shared)))
    }

    fn context(&self) -> Context {
        // SAFETY: the key lives; the context holds a reference of its own.
        Context::of(unsafe { sys::EVP_PKEY_CTX_new(self.0.as_ptr(), null_mut()) })
    }
}

/// X25519 of a clamped scalar and a point; zero if the point is of low order.
pub fn x25519(scalar: &[u8; 32], point: &[u8; 32]) -> Secret<32> {
    // SAFETY: three live buffers of 32 bytes. What it returns says only whether the result is zero.
    Secret::build(|to| _ = unsafe { sys::X25519(to.as_mut_ptr(), scalar.as_ptr(), point.as_ptr()) })
}

/// X25519 of a clamped scalar and the base point.
pub fn x25519_public(scalar: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    // SAFETY: two live buffers of 32 bytes.
    unsafe { sys::X25519_public_from_private(public.as_mut_ptr(), scalar.as_ptr()) }
    public
}
