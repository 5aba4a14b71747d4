//! The types that hold secrets: no Debug, Clone, PartialEq or Serialize, and they wipe themselves.

use zeroize::Zeroize;

/// A source of uniformly random bytes, injected so that tests decide them.
pub trait Entropy {
    /// Fills all of `bytes`. A source that cannot must not return.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// `N` secret bytes on the heap, so that moving the value leaves no copy behind; wiped on drop.
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// A secret that `write` puts in place; the buffer starts as zeros.
    pub fn build(write: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        write(&mut secret.0);
        secret
    }

    /// Takes over `bytes` and wipes the array it was given.
    pub fn from_bytes(mut bytes: [u8; N]) -> Self {
        let secret = Self::build(|buf| buf.copy_from_slice(&bytes));
        bytes.zeroize();
        secret
    }

    /// `N` bytes from `entropy`.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        Self::build(|buf| entropy.fill(buf))
    }

    /// The bytes, for as long as the secret is borrowed.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secret bytes of a length known only at run time; wiped on drop.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes over `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for as long as the secret is borrowed.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// For opening in place: the opener may change and shorten what is then still wiped.
    pub(crate) fn as_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
