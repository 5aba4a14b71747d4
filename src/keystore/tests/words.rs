//! The 24 words: known answers, the library as oracle, and everything that people mistype.

use crate::keystore::words::*;
use dta_crypto::Secret;
use proptest::prelude::*;

fn text(seed: [u8; 32]) -> String {
    String::from_utf8(to_words(&Secret::from_bytes(seed)).expose().to_vec()).unwrap()
}

fn error(text: &str) -> WordsError {
    from_words(text).err().expect("it is a seed")
}

/// Vectors of BIP39's reference implementation, for 32 bytes.
#[test]
fn known_answers() {
    let table = [
        ([0x00; 32], "abandon ".repeat(23) + "art"),
        (
            [0x7f; 32],
            "legal winner thank year wave sausage worth useful ".repeat(2)
                + "legal winner thank year wave sausage worth title",
        ),
        (
            [0x80; 32],
            "letter advice cage absurd amount doctor acoustic avoid ".repeat(2)
                + "letter advice cage absurd amount doctor acoustic bless",
        ),
        ([0xff; 32], "zoo ".repeat(23) + "vote"),
    ];
    for (seed, words) in table {
        assert_eq!(text(seed), words);
        assert_eq!(*from_words(&words).unwrap().expose(), seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The oracle: the library's own packing.
    #[test]
    fn agrees_with_the_library(seed: [u8; 32]) {
        let words = text(seed);
        prop_assert_eq!(&words, &bip39::Mnemonic::from_entropy(&seed).unwrap().words().collect::<Vec<_>>().join(" "));
        prop_assert_eq!(*from_words(&words).unwrap().expose(), seed);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", words in proptest::collection::vec("[a-zé]{1,9}", 24)) {
        _ = from_words(&text);
        _ = from_words(&words.join(" "));
    }
}

#[test]
fn case_and_white_space_do_not_matter() {
    let words = text([0x7f; 32]);
    for variant in [words.to_uppercase(), format!("\n\t {} \r\n", words.replace(' ', " \n "))] {
        assert_eq!(*from_words(&variant).unwrap().expose(), [0x7f; 32]);
    }
}

#[test]
fn wrong_counts_are_counted() {
    let words = text([0x7f; 32]);
    assert_eq!(error(""), WordsError::Count { found: 0 });
    assert_eq!(error(words.rsplit_once(' ').unwrap().0), WordsError::Count { found: 23 });
    assert_eq!(error(&(words.clone() + " zoo")), WordsError::Count { found: 25 });
    // Valid BIP39, and not a node's seed.
    assert_eq!(error(&("abandon ".repeat(11) + "about")), WordsError::Count { found: 12 });
}

#[test]
fn unknown_words_are_named_by_position_only() {
    for position in [1, 7, 24] {
        for unknown in ["hunter", "abando", "abandonn", "abandonabandon", "ábandon", "ａｂａｎｄｏｎ", "-"]
        {
            let mut words: Vec<_> = vec!["abandon"; 23];
            words.push("art");
            words[position - 1] = unknown;
            let error = error(&words.join(" "));
            assert_eq!(error, WordsError::UnknownWord { position });
            assert!(!error.to_string().contains(unknown));
        }
    }
}

#[test]
fn wrong_checksums_are_noticed() {
    assert_eq!(error(&"abandon ".repeat(24)), WordsError::Checksum);
    let words = text([0x80; 32]);
    let exchanged = words.replacen("letter advice", "advice letter", 1);
    assert_eq!(error(&exchanged), WordsError::Checksum);
}
