//! Reads the JSON that clients send: names without regard to (ASCII) case, unknown ones ignored, null as absent, nothing
//! said twice.

use actix_web::http::StatusCode;
use dta_protocol::{Cid, Extension};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

use super::error::ApiError;

/// The largest integer that JSON's readers agree on: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A value, as far as a request can hold one that means something.
enum Json {
    Null,
    Integer(u64),
    Text(String),
    Object(Vec<(String, Json)>),
    /// A list, a truth, or a number that is no integer from 0 on.
    Other,
}

/// The fields of one object that have not been read yet.
pub(super) struct Fields {
    /// What comes before a field's name in a text: empty, or `policy.`.
    path: String,
    entries: Vec<(String, Json)>,
}

impl Fields {
    /// Reads a body, which must be one object.
    ///
    /// # Errors
    /// 400: not JSON in UTF-8, deeper than 127 levels, not an object, or a name twice.
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let bad = |code, text| ApiError::new(StatusCode::BAD_REQUEST, code, text);
        match serde_json::from_slice(body) {
            Ok(Json::Object(entries)) => Self::new(String::new(), entries),
            Ok(_) => Err(bad("json-not-object", "body: must be a JSON object".to_owned())),
            Err(error) => {
                Err(bad("json-invalid", format!("body: is not JSON (at most 127 levels): {error}")))
            }
        }
    }

    fn new(path: String, entries: Vec<(String, Json)>) -> Result<Self, ApiError> {
        let mut names: Vec<_> = entries.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        unique(&path, &mut names)?;
        Ok(Self { path, entries })
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Text(text) => Ok(Some(text)),
            _ => Err(self.wrong(name, "must be a string")),
        }
    }

    /// A text that must be there and not be empty.
    pub(super) fn required(&mut self, name: &'static str) -> Result<String, ApiError> {
        match self.text(name)?.filter(|text| !text.is_empty()) {
            Some(text) => Ok(text),
            None => {
                Err(ApiError::invalid("field-missing", format!("{}{name}: must not be empty", self.path)))
            }
        }
    }

    /// A CID; an empty text is none.
    pub(super) fn cid(&mut self, name: &'static str) -> Result<Option<Cid>, ApiError> {
        let Some(text) = self.text(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = |error| ApiError::invalid("field-cid", format!("{}{name}: {error}", self.path));
        text.parse().map(Some).map_err(wrong)
    }

    /// An integer from 0 to 2^53 - 1.
    pub(super) fn integer(&mut self, name: &'static str) -> Result<Option<u64>, ApiError> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Integer(integer) if integer <= INTEGER_MAX => Ok(Some(integer)),
            _ => Err(self.wrong(name, "must be an integer from 0 to 9007199254740991")),
        }
    }

    /// Texts by names of the client's choice, which are told apart by case.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Extension, ApiError> {
        let entries = match self.take(name) {
            Json::Null => return Ok(Extension::new()),
            Json::Object(entries) => entries,
            _ => return Err(self.wrong(name, "must be an object of strings")),
        };
        let mut names: Vec<_> = entries.iter().map(|(name, _)| name.clone()).collect();
        unique(&format!("{}{name}.", self.path), &mut names)?;
        let text = |(key, value)| match value {
            Json::Text(text) => Ok((key, text)),
            _ => Err(self.wrong(name, "must be an object of strings")),
        };
        entries.into_iter().map(text).collect()
    }

    /// An object with fields of its own.
    pub(super) fn fields(&mut self, name: &'static str) -> Result<Self, ApiError> {
        let path = format!("{}{name}.", self.path);
        match self.take(name) {
            Json::Null => Self::new(path, Vec::new()),
            Json::Object(entries) => Self::new(path, entries),
            _ => Err(self.wrong(name, "must be an object")),
        }
    }

    /// Refuses what was not read: where ignoring it would be a promise not kept.
    pub(super) fn finish(self, code: &'static str) -> Result<(), ApiError> {
        match self.entries.iter().find(|(_, value)| !matches!(value, Json::Null)) {
            None => Ok(()),
            Some((name, _)) => {
                let text = format!("{}{}: is not supported by this version", self.path, shown(name));
                Err(ApiError::invalid(code, text))
            }
        }
    }

    fn take(&mut self, name: &str) -> Json {
        match self.entries.iter().position(|(found, _)| found.eq_ignore_ascii_case(name)) {
            Some(at) => self.entries.swap_remove(at).1,
            None => Json::Null,
        }
    }

    fn wrong(&self, name: &str, must: &str) -> ApiError {
        ApiError::invalid("field-type", format!("{}{name}: {must}", self.path))
    }
}

fn unique(path: &str, names: &mut [String]) -> Result<(), ApiError> {
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => {
            let text = format!("{path}{}: is there twice (names differ in more than case)", shown(&pair[0]));
            Err(ApiError::new(StatusCode::BAD_REQUEST, "json-duplicate-name", text))
        }
    }
}

/// A name of the client's, safe to show.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_default).collect()
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Json, E> {
        Ok(Json::Integer(integer))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        // Read as any value, so that the limit of depth holds in lists too.
        while list.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = object.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests;
