//! Which keys there are, and what kind of value each takes: asked of the settings' own types, so that no list of keys can
//! drift from them.

use std::cell::RefCell;
use std::fmt::{self, Display};

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What a key takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table with these keys.
    Table(&'static [&'static str]),
    /// Text, one word of several among it.
    Text,
    /// A number from 0.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Several.
    List(Box<Self>),
}

impl Kind {
    /// For people.
    pub(super) fn described(&self) -> &'static str {
        match self {
            Kind::Table(_) => "a table",
            Kind::Text => "text, in quotes",
            Kind::Number => "a whole number, without quotes",
            Kind::Boolean => "true or false, without quotes",
            Kind::List(_) => "a list, in brackets",
        }
    }
}

/// What stands at a path in `T`; the elements of a list are at the list's own path. None if `T` has no such key, or takes
/// there what its type judges alone.
pub(super) fn kind_at<'de, T: Deserialize<'de>>(path: &[&str]) -> Option<Kind> {
    let found = RefCell::new(None);
    // It ends with `Stop`, always: there is no value.
    let _ = T::deserialize(Probe { path, listed: 0, found: &found });
    found.into_inner()
}

/// The paths of everything in `T` that is no table and in no list, in the order of the types.
pub(super) fn leaves<'de, T: Deserialize<'de>>() -> Vec<(String, Kind)> {
    let mut leaves = Vec::new();
    below::<T>(&mut Vec::new(), &mut leaves);
    leaves
}

fn below<'de, T: Deserialize<'de>>(path: &mut Vec<&'static str>, leaves: &mut Vec<(String, Kind)>) {
    match kind_at::<T>(path) {
        Some(Kind::Table(keys)) => {
            for key in keys {
                path.push(key);
                below::<T>(path, leaves);
                path.pop();
            }
        }
        Some(kind) => leaves.push((path.join("."), kind)),
        None => {}
    }
}

/// The end of a question: what was asked is noted.
#[derive(Debug)]
struct Stop;

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value, only a question")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// Goes down a path by what the types ask for, and notes what they ask for at its end.
struct Probe<'a> {
    path: &'a [&'a str],
    /// Lists entered at the end of the path.
    listed: usize,
    found: &'a RefCell<Option<Kind>>,
}

impl Probe<'_> {
    fn note<V>(self, kind: Kind) -> Result<V, Stop> {
        if self.path.is_empty() {
            let kind = (0..self.listed).fold(kind, |kind, _| Kind::List(Box::new(kind)));
            *self.found.borrow_mut() = Some(kind);
        }
        Err(Stop)
    }
}

macro_rules! notes {
    ($kind:expr, $($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.note($kind)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    notes!(Kind::Text, deserialize_str deserialize_string);
    notes!(Kind::Number, deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);
    notes!(Kind::Boolean, deserialize_bool);

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.note(Kind::Text)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.path.split_first() {
            None => self.note(Kind::Table(keys)),
            Some((key, path)) if keys.contains(key) => {
                visitor.visit_map(One(key, Some(Self { path, ..self })))
            }
            Some(_) => Err(Stop),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let listed = self.listed + usize::from(self.path.is_empty());
        visitor.visit_seq(Element(Some(Self { listed, ..self })))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct map identifier
        ignored_any
    }
}

/// A table with one key.
struct One<'a>(&'a str, Option<Probe<'a>>);

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        seed.deserialize(self.0.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.1.take().ok_or(Stop)?)
    }
}

/// A list with one element.
struct Element<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for Element<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        seed.deserialize(self.0.take().ok_or(Stop)?).map(Some)
    }
}
