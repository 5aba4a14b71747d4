//! Fields of an extension: what is read, and what an error says.

use super::{G, NO_POINTS, key, point};
use crate::ecies::{CIPHERTEXT_MAX_BYTES, Sealed};
use crate::field::{self, FieldError};
use crate::keys::PublicPoint;

#[test]
fn any_case_is_read_and_lower_case_written() {
    assert_eq!(field::read("t", "00aBFf"), Ok([0, 0xab, 0xff]));
    assert_eq!(field::write(&[0, 0xab, 0xff]), "00abff");
    assert_eq!(PublicPoint::from_field("share", &G.to_uppercase()), Ok(point(G)));
    let uncompressed = field::write(&key(3).commitment()).to_uppercase();
    assert_eq!(PublicPoint::from_field("share", &uncompressed), Ok(PublicPoint::of(&key(3))));
}

#[test]
fn other_lengths_and_other_digits_are_refused() {
    let wrong = Err(FieldError::Bytes { field: "t", bytes: 3 });
    for text in
        ["", "00", "00ab", "00abf", "00abff0", "00abff00", "00abfg", "0x00ab", " 0abff", "00abf\n", "00ab✓"]
    {
        assert_eq!(field::read::<3>("t", text), wrong, "{text}");
    }
}

#[test]
fn what_is_no_point_is_no_field_of_a_point() {
    let wrong = Err(FieldError::Point { field: "share" });
    for (name, sec1, _) in NO_POINTS {
        assert_eq!(PublicPoint::from_field("share", sec1), wrong, "{name}");
    }
    for text in ["zz".repeat(33), "zz".repeat(65), "ab".repeat(1 << 20)] {
        assert_eq!(PublicPoint::from_field("share", &text), wrong);
    }
}

#[test]
fn a_ciphertext_is_whole_blocks_up_to_a_limit() {
    let (v, t) = ("ab".repeat(65), "cd".repeat(12));
    let wrong = FieldError::Blocks { field: "cypherText", block: 16, limit: CIPHERTEXT_MAX_BYTES };
    for bytes in [0, 16, 32, CIPHERTEXT_MAX_BYTES] {
        let sealed = Sealed::from_fields(&"eF".repeat(bytes), &v, &t).unwrap();
        assert_eq!(sealed, Sealed { v: [0xab; 65], c: vec![0xef; bytes], t: [0xcd; 12] });
        assert_eq!(sealed.to_fields().cypher_text, "ef".repeat(bytes));
    }
    for bytes in
        [1, 15, 17, 31, CIPHERTEXT_MAX_BYTES - 1, CIPHERTEXT_MAX_BYTES + 1, CIPHERTEXT_MAX_BYTES + 16]
    {
        assert_eq!(Sealed::from_fields(&"ef".repeat(bytes), &v, &t), Err(wrong.clone()), "{bytes}");
    }
    for text in ["e", "efe", &"eg".repeat(16), &"é".repeat(16)] {
        assert_eq!(Sealed::from_fields(text, &v, &t), Err(wrong.clone()), "{text}");
    }
}

#[test]
fn v_and_t_have_one_length() {
    let (c, v, t) = ("ef".repeat(16), "ab".repeat(65), "cd".repeat(12));
    for bytes in [0, 1, 33, 64, 66] {
        let error = Sealed::from_fields(&c, &"ab".repeat(bytes), &t);
        assert_eq!(error, Err(FieldError::Bytes { field: "v", bytes: 65 }), "{bytes}");
    }
    for bytes in [0, 1, 11, 13, 16, 32] {
        let error = Sealed::from_fields(&c, &v, &"cd".repeat(bytes));
        assert_eq!(error, Err(FieldError::Bytes { field: "t", bytes: 12 }), "{bytes}");
    }
}

#[test]
fn an_error_names_the_field_and_never_what_it_held() {
    let (c, v, t) = ("ef".repeat(16), "ab".repeat(65), "cd".repeat(12));
    let said = |error: FieldError| error.to_string();
    assert_eq!(
        said(Sealed::from_fields("5ec2e7", &v, &t).unwrap_err()),
        "cypherText: not whole blocks of 16 bytes in hexadecimal, at most 8096 bytes in all"
    );
    assert_eq!(said(Sealed::from_fields(&c, "5ec2e7", &t).unwrap_err()), "v: not 65 bytes in hexadecimal");
    assert_eq!(said(Sealed::from_fields(&c, &v, "5ec2e7").unwrap_err()), "t: not 12 bytes in hexadecimal");
    assert_eq!(
        said(PublicPoint::from_field("share", "5ec2e7").unwrap_err()),
        "share: not a point of secp256k1, compressed (33 bytes) or not (65), in hexadecimal"
    );
}
