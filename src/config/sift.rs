//! What a file says held against the keys there are: each that is none of ours, or of another kind, is told and taken out,
//! so that the rest can be judged too.

use serde::Deserialize;
use toml::{Table, Value};

use super::schema::{Kind, kind_at, leaves};
use super::trouble::Fault;

/// From this likeness on a name may be another one mistyped.
const LIKE: f64 = 0.6;

/// The known name that is most like this one, if any is.
pub(super) fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| {
        strsim::normalized_damerau_levenshtein(&wrong.to_ascii_lowercase(), &name.to_ascii_lowercase())
    };
    known
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// Takes out what is no key of `T`, and what is of another kind than its key takes.
pub(super) fn sift<'de, T: Deserialize<'de>>(table: &mut Table, scalars: Scalars) -> Vec<Fault> {
    let mut faults = Vec::new();
    sift_at::<T>(table, &mut Vec::new(), scalars, &mut faults);
    faults
}

/// What text may be written as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalars {
    /// In quotes only, as in TOML.
    Typed,
    /// In any way, as YAML has it.
    Any,
}

fn sift_at<'de, T: Deserialize<'de>>(
    table: &mut Table,
    path: &mut Vec<String>,
    scalars: Scalars,
    faults: &mut Vec<Fault>,
) {
    table.retain(|key, value| {
        path.push(key.to_owned());
        let at: Vec<_> = path.iter().map(String::as_str).collect();
        let kept = match kind_at::<T>(&at) {
            Some(kind) => match unlike(&kind, value, scalars) {
                // Its value is not told: a number here may be a PIN that lacks its place.
                Some(why) => {
                    faults.push(Fault::new(path.join("."), why));
                    false
                }
                None => {
                    for table in tables(value) {
                        sift_at::<T>(table, path, scalars, faults);
                    }
                    true
                }
            },
            None => {
                // A key whose type alone judges its value is known all the same.
                let known = keys_at::<T>(&at[..at.len() - 1]).contains(&key);
                if !known {
                    faults.push(unknown::<T>(&at));
                }
                known
            }
        };
        path.pop();
        kept
    });
}

fn tables(value: &mut Value) -> Vec<&mut Table> {
    match value {
        Value::Table(table) => vec![table],
        Value::Array(list) => list.iter_mut().filter_map(Value::as_table_mut).collect(),
        _ => Vec::new(),
    }
}

fn unlike(kind: &Kind, value: &Value, scalars: Scalars) -> Option<String> {
    let fits = match (kind, value) {
        (Kind::Table(_), Value::Table(_))
        | (Kind::Text, Value::String(_))
        | (Kind::Boolean, Value::Boolean(_)) => true,
        (Kind::Text, Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => scalars == Scalars::Any,
        (Kind::Number, Value::Integer(number)) if *number < 0 => {
            return Some(format!("is {number}, must be 0 or more"));
        }
        (Kind::Number, Value::Integer(_)) => true,
        (Kind::List(element), Value::Array(list)) => {
            return list
                .iter()
                .find_map(|value| unlike(element, value, scalars))
                .map(|why| format!("each of them {why}"));
        }
        _ => false,
    };
    (!fits).then(|| match kind {
        Kind::List(element) if matches!(**element, Kind::Table(_)) => {
            "is a list of blocks, each under its own [[…]]".to_owned()
        }
        _ => format!("must be {}", kind.described()),
    })
}

/// The keys of a table, or of the tables of a list.
fn keys_at<'de, T: Deserialize<'de>>(path: &[&str]) -> &'static [&'static str] {
    match kind_at::<T>(path) {
        Some(Kind::Table(keys)) => keys,
        Some(Kind::List(element)) => match *element {
            Kind::Table(keys) => keys,
            _ => &[],
        },
        _ => &[],
    }
}

fn unknown<'de, T: Deserialize<'de>>(path: &[&str]) -> Fault {
    let (key, tables) = path.split_last().unwrap_or((&"", &[]));
    let here = keys_at::<T>(tables);
    let whole = |key: &str| tables.iter().copied().chain([key]).collect::<Vec<_>>().join(".");
    let elsewhere = || {
        let named = leaves::<T>().into_iter().map(|(path, _)| path);
        named.into_iter().find(|path| path.rsplit('.').next() == Some(key))
    };
    let remedy = match nearest(key, here.iter().copied()).map(whole).or_else(elsewhere) {
        Some(path) => format!("did you mean `{path}`?"),
        None => format!("known here are {}", here.join(", ")),
    };
    Fault::new(format!("unknown key `{}`", whole(key)), remedy)
}
