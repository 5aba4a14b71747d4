//! Reads what Go's `encoding/gob` wrote of the two kinds of value that the original stored: a text, and a struct of texts.
//!
//! A stream is messages, each with its length before it. A message with a negative number defines a type; the value follows
//! under that number. A text has the fixed number 6. Whatever else there may be is none of the original's.

use thiserror::Error;

/// The number of the type `string`.
const TEXT: i64 = 6;
/// Fields that a struct of the original's may have; it has four.
const FIELDS: u64 = 16;

/// The bytes are not such a value: torn, or of another type.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("is torn, or of a kind that the original never stored")]
pub struct GobError;

/// A text on its own.
pub fn text(bytes: &[u8]) -> Result<&str, GobError> {
    let mut stream = Reader(bytes);
    let mut message = stream.message()?;
    if message.int()? != TEXT || message.uint()? != 0 {
        return Err(GobError);
    }
    let text = message.text()?;
    match message.0.is_empty() && stream.0.is_empty() {
        true => Ok(text),
        false => Err(GobError),
    }
}

/// The fields of a struct of texts, by their names; what is empty is left out.
pub fn texts(bytes: &[u8]) -> Result<Vec<(&str, &str)>, GobError> {
    let mut stream = Reader(bytes);
    let mut message = stream.message()?;
    let defined = message.int()?.checked_neg().filter(|number| *number > 0).ok_or(GobError)?;
    let names = message.definition()?;
    let mut message = stream.message()?;
    if message.int()? != defined {
        return Err(GobError);
    }
    let mut found = Vec::new();
    let mut fields = Fields::default();
    while let Some(field) = fields.next(&mut message)? {
        let name = names.get(field).ok_or(GobError)?;
        found.push((*name, message.text()?));
    }
    match message.0.is_empty() && stream.0.is_empty() {
        true => Ok(found),
        false => Err(GobError),
    }
}

/// Where in a struct the reader is: fields come as the distance from the one before, and 0 ends them.
#[derive(Default)]
struct Fields(usize);

impl Fields {
    /// The next field, counted from 0.
    fn next(&mut self, message: &mut Reader<'_>) -> Result<Option<usize>, GobError> {
        let distance = message.uint()?;
        if distance == 0 {
            return Ok(None);
        }
        if distance > FIELDS {
            return Err(GobError);
        }
        self.0 += usize::try_from(distance).map_err(|_| GobError)?;
        Ok(Some(self.0 - 1))
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], GobError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(GobError)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Below 128 itself; else the number of its bytes, negated in one byte, and those, the largest first.
    fn uint(&mut self) -> Result<u64, GobError> {
        let [first] = self.take(1)? else { return Err(GobError) };
        if *first < 128 {
            return Ok(u64::from(*first));
        }
        let length = usize::from(first.wrapping_neg());
        if length > 8 {
            return Err(GobError);
        }
        Ok(self.take(length)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The sign is the lowest bit.
    fn int(&mut self) -> Result<i64, GobError> {
        let number = self.uint()?;
        let half = i64::try_from(number >> 1).map_err(|_| GobError)?;
        Ok(if number & 1 == 1 { !half } else { half })
    }

    fn text(&mut self) -> Result<&'a str, GobError> {
        let length = usize::try_from(self.uint()?).map_err(|_| GobError)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| GobError)
    }

    fn message(&mut self) -> Result<Reader<'a>, GobError> {
        let length = usize::try_from(self.uint()?).map_err(|_| GobError)?;
        self.take(length).map(Reader)
    }

    /// The names of a struct's fields, from its definition: all must be texts.
    fn definition(&mut self) -> Result<Vec<&'a str>, GobError> {
        let mut kinds = Fields::default();
        // Arrays, slices, structs and maps, of which this is a struct: its name and number, then its fields.
        if kinds.next(self)? != Some(2) {
            return Err(GobError);
        }
        let mut names = Vec::new();
        let mut parts = Fields::default();
        while let Some(part) = parts.next(self)? {
            match part {
                0 => {
                    self.named()?;
                }
                1 => {
                    let count = self.uint()?;
                    if count > FIELDS {
                        return Err(GobError);
                    }
                    for _ in 0..count {
                        match self.named()? {
                            (name, TEXT) => names.push(name),
                            _ => return Err(GobError),
                        }
                    }
                }
                _ => return Err(GobError),
            }
        }
        match kinds.next(self)? {
            None if self.0.is_empty() => Ok(names),
            _ => Err(GobError),
        }
    }

    /// A struct of a name and a number: of a type, or of a field and its type.
    fn named(&mut self) -> Result<(&'a str, i64), GobError> {
        let (mut name, mut number) = ("", 0);
        let mut fields = Fields::default();
        while let Some(field) = fields.next(self)? {
            match field {
                0 => name = self.text()?,
                1 => number = self.int()?,
                _ => return Err(GobError),
            }
        }
        Ok((name, number))
    }
}
