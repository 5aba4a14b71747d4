//! The search for secrets in what nodes left behind, in every form in which they may have been written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Half a secret is looked for: a file format may cut the whole in two, and a log line may shorten it.
const PART_BYTES: usize = 16;
/// So many words in a row are no chance.
const PART_WORDS: usize = 4;
/// How words are joined: as text, one a line, and as lists.
const JOINTS: [&str; 6] = [" ", "\n", ",", ", ", "\",\"", "\", \""];

enum Secret {
    Bytes(Vec<u8>),
    Words(Vec<String>),
}

/// What must not be found, by name.
#[derive(Default)]
pub struct Secrets(Vec<(String, Secret)>);

/// All of it is looked for at once.
pub struct Search {
    secrets: Vec<(String, Secret)>,
    forms: AhoCorasick,
    /// Of which secret each form is.
    owners: Vec<usize>,
}

impl Secrets {
    /// Looked for raw, in hex, in base64, escaped, and as a list of decimal numbers.
    pub fn bytes(&mut self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= PART_BYTES, "{name} is too short to be looked for");
        self.0.push((name.to_owned(), Secret::Bytes(secret.to_vec())));
    }

    /// Looked for in either case, however they are joined.
    pub fn words(&mut self, name: &str, text: &str) {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        assert!(words.len() >= PART_WORDS, "{name} is too short to be looked for");
        self.0.push((name.to_owned(), Secret::Words(words)));
    }

    pub fn search(self) -> Search {
        let forms = self.0.iter().enumerate().flat_map(|(owner, (_, secret))| {
            let forms: Vec<Vec<u8>> = match secret {
                Secret::Bytes(bytes) => bytes.chunks_exact(PART_BYTES).flat_map(forms_of_bytes).collect(),
                Secret::Words(words) => words.windows(PART_WORDS).flat_map(forms_of_words).collect(),
            };
            forms.into_iter().map(move |form| (owner, form))
        });
        let (owners, forms): (_, Vec<_>) = forms.unzip();
        Search { secrets: self.0, forms: AhoCorasick::new(forms).unwrap(), owners }
    }
}

fn forms_of_bytes(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![hex::encode(part), hex::encode_upper(part)];
    // Wherever in an encoding it begins: only whole groups of three bytes look the same there.
    for skip in 0..3 {
        let groups = &part[skip..];
        let groups = &groups[..groups.len() / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(groups), URL_SAFE_NO_PAD.encode(groups)]);
    }
    // As Debug writes a list of numbers, and as JSON does.
    let numbers: Vec<String> = part.iter().map(u8::to_string).collect();
    forms.extend([", ", ","].map(|by| numbers.join(by)));
    // As Debug writes bytes that are nearly text: that of the standard library and that of the crate `bytes`.
    let escaped = part.escape_ascii().to_string();
    forms.extend([escaped.replace("\\x00", "\\0").replace("\\'", "'"), escaped]);
    forms.into_iter().map(String::into_bytes).chain([part.to_vec()]).collect()
}

fn forms_of_words(words: &[String]) -> Vec<Vec<u8>> {
    let joined = JOINTS.map(|by| words.join(by));
    joined.into_iter().flat_map(|form| [form.to_uppercase(), form]).map(String::into_bytes).collect()
}

impl Search {
    /// The names of those that are in there.
    pub fn finds(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let found = self.forms.find_overlapping_iter(bytes);
        found.map(|found| self.secrets[self.owners[found.pattern().as_usize()]].0.as_str()).collect()
    }

    /// They must be in none of these files, but for those in the file that has their name. Answers how many bytes were
    /// searched.
    pub fn finds_nothing_in(&self, files: &[PathBuf]) -> usize {
        let search = |path: &PathBuf| {
            let bytes = std::fs::read(path).unwrap();
            let mut found = self.finds(&bytes);
            found.retain(|name| !path.ends_with(name));
            assert!(found.is_empty(), "{}: {found:?}", path.display());
            bytes.len()
        };
        files.iter().map(search).sum()
    }

    /// It is able to fail: planted in a copy of this file, in whatever way a program may have written it, each is found.
    pub fn finds_each_planted_in(&self, file: &Path) {
        let bytes = std::fs::read(file).unwrap();
        assert!(self.finds(&bytes).is_empty());
        let (before, after) = bytes.split_at(bytes.len() / 2);
        for (name, secret) in &self.secrets {
            let planted = match secret {
                Secret::Bytes(bytes) => {
                    let parts = bytes.chunks_exact(PART_BYTES);
                    let written =
                        parts.flat_map(|part| (0..3).flat_map(|ahead| bytes_as_written(part, ahead)));
                    written.chain(torn(bytes)).collect()
                }
                Secret::Words(words) => words_as_written(words),
            };
            for plant in planted {
                let found = [before, &plant, after].concat();
                let what = String::from_utf8_lossy(&plant);
                assert!(self.finds(&found).contains(name.as_str()), "{name} is not found as {what}");
            }
        }
    }
}

/// Half a secret amid other bytes, as programs write them.
fn bytes_as_written(secret: &[u8], ahead: usize) -> Vec<Vec<u8>> {
    let amid = [&b"\xa5\0'"[..ahead], secret, b"\0behind"].concat();
    let texts = [
        hex::encode(&amid),
        hex::encode_upper(&amid),
        STANDARD.encode(&amid),
        URL_SAFE.encode(&amid),
        format!("{amid:?}"),
        serde_json::to_string(&amid).unwrap(),
        amid.escape_ascii().to_string(),
        format!("{:?}", actix_web::web::Bytes::from(amid.clone())),
    ];
    texts.map(String::into_bytes).into_iter().chain([amid]).collect()
}

/// A secret cut in two by a header of a file format.
fn torn(secret: &[u8]) -> [Vec<u8>; 3] {
    [5, PART_BYTES, 20].map(|at| {
        let (before, after) = secret.split_at(at.min(secret.len()));
        [before, b"\x01header", after].concat()
    })
}

fn words_as_written(words: &[String]) -> Vec<Vec<u8>> {
    let text = words.join(" ");
    let texts = [
        text.to_uppercase(),
        words.join("\n"),
        format!("{words:?}"),
        serde_json::to_string(words).unwrap(),
        // A line that was cut off.
        text[text.len() / 2..].to_owned(),
        text,
    ];
    texts.map(String::into_bytes).into()
}
