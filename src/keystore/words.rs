//! A node's seed as 24 English words of BIP39, to be written on paper.
//!
//! BIP39: the 32 bytes and the first byte of their SHA-256 are 264 bits, 24 numbers of 11 bits, most significant
//! first. The numbers are packed here, and not by the library, so that no copy of them stays behind.

use bip39::Language;
use dta_crypto::{Secret, SecretBytes};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Words of a seed.
pub const WORDS: usize = 24;
const BITS: usize = 11;
const LONGEST_WORD_BYTES: usize = 8;

/// Why words are no seed. Never says a word: it would be a part of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// BIP39 knows other lengths; a node's seed has this one.
    #[error("a seed has 24 words; there are {found}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// Not in the English list.
    #[error("word {position} of 24 is not in the English list of BIP39")]
    UnknownWord {
        /// Counted from 1.
        position: usize,
    },
    /// Two words changed places, or one was taken for another.
    #[error("the words are in the list, but their checksum is wrong: look for a wrong or misplaced word")]
    Checksum,
}

/// The words, in lower case, one space between.
pub fn to_words(seed: &Secret<32>) -> SecretBytes {
    let mut bytes = Zeroizing::new([0; 33]);
    bytes[..32].copy_from_slice(seed.expose());
    bytes[32] = checksum(seed.expose());
    let list = Language::English.word_list();
    // The whole capacity at once: growing would leave an unwiped copy.
    let mut text = Vec::with_capacity(WORDS * (LONGEST_WORD_BYTES + 1));
    for word in 0..WORDS {
        let number = (word * BITS..(word + 1) * BITS)
            .fold(0, |number, bit| number << 1 | usize::from(bytes[bit / 8] >> (7 - bit % 8) & 1));
        if word > 0 {
            text.push(b' ');
        }
        text.extend_from_slice(list[number].as_bytes());
    }
    SecretBytes::new(text)
}

/// The seed of 24 words, whatever their case and the white space between.
pub fn from_words(text: &str) -> Result<Secret<32>, WordsError> {
    let found = text.split_whitespace().count();
    if found != WORDS {
        return Err(WordsError::Count { found });
    }
    let mut bytes = Zeroizing::new([0u8; 33]);
    for (index, word) in text.split_whitespace().enumerate() {
        let number = number_of(word).ok_or(WordsError::UnknownWord { position: index + 1 })?;
        for bit in (0..BITS).filter(|bit| number >> (BITS - 1 - bit) & 1 == 1) {
            let at = index * BITS + bit;
            bytes[at / 8] |= 0x80 >> (at % 8);
        }
    }
    let seed = Secret::build(|seed: &mut [u8; 32]| seed.copy_from_slice(&bytes[..32]));
    if bytes[32] == checksum(seed.expose()) { Ok(seed) } else { Err(WordsError::Checksum) }
}

fn number_of(word: &str) -> Option<u16> {
    let mut lower = Zeroizing::new([0; LONGEST_WORD_BYTES]);
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    Language::English.find_word(std::str::from_utf8(lower).ok()?)
}

fn checksum(seed: &[u8; 32]) -> u8 {
    Sha256::digest(seed)[0]
}
