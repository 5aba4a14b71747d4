//! Reads `config.yaml` as the original wrote it: groups at the margin, and in them keys with one value a line. No more of YAML
//! than that is read; a line in another form is told by its number.

use std::collections::BTreeMap;

/// The only secret among the settings; its value is not kept.
const SECRET: &str = "http.oidcClientKey";

/// The settings of the original, as `group.key`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
    /// Lines that are in no form of the original's, counted from 1.
    pub unread: Vec<usize>,
}

impl Settings {
    /// Reads the file; bytes that are no text are no lines of its form.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut settings = Self::default();
        let mut group = "";
        let mut last = String::new();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let read = std::str::from_utf8(line).ok().and_then(Line::of);
            match read {
                Some(Line::Nothing) => (),
                Some(Line::Group(name)) => {
                    group = name;
                    last.clear();
                }
                Some(Line::Key(key, value)) if !group.is_empty() => {
                    last = format!("{group}.{key}");
                    let value = if last == SECRET { "a secret".to_owned() } else { value };
                    settings.values.insert(last.clone(), value);
                }
                // A list, whose items nothing here needs but that there are some.
                Some(Line::Item) if !last.is_empty() => {
                    settings.values.insert(last.clone(), "a list".to_owned());
                }
                _ => settings.unread.push(at + 1),
            }
        }
        // A value that goes on in the next line was not read whole.
        for line in &settings.unread {
            let before = bytes.split(|byte| *byte == b'\n').nth(line.saturating_sub(2));
            let key = before.and_then(|line| std::str::from_utf8(line).ok()).and_then(Line::of);
            if let Some(Line::Key(key, _)) = key {
                settings.values.retain(|name, _| name.split_once('.').is_none_or(|(_, of)| of != key));
            }
        }
        settings
    }

    /// A setting that says something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the node called itself.
    pub fn node_name(&self) -> Option<&str> {
        self.get("node.nodeName")
    }

    /// The CID of its identity document, or the transaction with it.
    pub fn node_id(&self) -> Option<&str> {
        self.get("node.nodeID")
    }

    /// All that say something, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(_, value)| !value.is_empty())
    }
}

enum Line<'a> {
    Nothing,
    Group(&'a str),
    Key(&'a str, String),
    Item,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim_end();
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') || line == "---" {
            return Some(Line::Nothing);
        }
        if content.starts_with("- ") {
            return Some(Line::Item);
        }
        let (key, value) = content.split_once(':')?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_key || !(value.is_empty() || value.starts_with(' ')) {
            return None;
        }
        let value = value.trim();
        match content.len() == line.len() {
            true if value.is_empty() || value == "{}" => Some(Line::Group(key)),
            true => None,
            false => scalar(value).map(|value| Line::Key(key, value)),
        }
    }
}

/// A value in quotes or without.
fn scalar(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('\'') {
        return single(inner);
    }
    if let Some(inner) = text.strip_prefix('"') {
        return double(inner);
    }
    if text == "[]" || text == "{}" || text == "null" || text == "~" {
        return Some(String::new());
    }
    // Anchors, tags, blocks, flows.
    if text.starts_with(['&', '*', '!', '|', '>', '{', '[', '%', '@', '`']) {
        return None;
    }
    let end = text.find(" #").unwrap_or(text.len());
    Some(text.get(..end)?.trim_end().to_owned())
}

/// What follows the closing quote may only be a comment.
fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

fn single(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '\'' if chars.as_str().starts_with('\'') => {
                chars.next();
                value.push('\'');
            }
            '\'' => return is_end(chars.as_str()).then_some(value),
            c => value.push(c),
        }
    }
}

fn double(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return is_end(chars.as_str()).then_some(value),
            '\\' => value.push(match chars.next()? {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                'x' => code(&mut chars, 2)?,
                'u' => code(&mut chars, 4)?,
                'U' => code(&mut chars, 8)?,
                c @ ('"' | '\\' | '/' | ' ') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
}

fn code(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let hex = chars.as_str().get(..digits)?;
    let code = u32::from_str_radix(hex, 16).ok()?;
    chars.nth(digits - 1);
    char::from_u32(code)
}
