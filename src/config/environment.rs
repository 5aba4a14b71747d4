//! The environment: `DTA_HTTP__LISTEN` is `http.listen`. Settings that are one value each, no lists.

use std::ffi::OsString;

use toml::{Table, Value};

use super::schema::{Kind, kind_at, leaves};
use super::settings::Config;
use super::sift::nearest;
use super::trouble::{Place, Trouble};

/// What the names begin with.
const PREFIX: &str = "DTA_";
/// What stands between a table and what is in it; names without it are other programs', or options of the command line.
const BETWEEN: &str = "__";

/// A setting that a variable makes.
pub(super) struct Variable {
    pub name: String,
    /// Its tables and its key.
    pub path: Vec<String>,
    pub value: Value,
}

/// The settings among the variables, by name, and what is wrong with the rest of those that would be some.
pub(super) fn read(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Vec<Variable>, Vec<Trouble>) {
    let (mut variables, mut troubles) = (Vec::new(), Vec::new());
    for (name, value) in environment {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && name.contains(BETWEEN))
        else {
            continue;
        };
        match variable(name, &value) {
            Ok(variable) => variables.push(variable),
            Err(what) => {
                troubles.push(Trouble { place: Place::Environment(name.to_owned()), what });
            }
        }
    }
    variables.sort_by(|one, other| one.name.cmp(&other.name));
    troubles.sort_by_key(ToString::to_string);
    (variables, troubles)
}

fn variable(name: &str, value: &OsString) -> Result<Variable, String> {
    let path: Vec<_> = name[PREFIX.len()..].split(BETWEEN).map(|part| part.to_ascii_lowercase()).collect();
    let at: Vec<_> = path.iter().map(String::as_str).collect();
    let upper = !name.contains(|c: char| c.is_ascii_lowercase());
    let kind = kind_at::<Config>(&at).filter(|_| upper);
    let in_list = matches!(kind_at::<Config>(&at[..1]), Some(Kind::List(_)));
    let Some(value) = value.to_str() else { return Err("its value is not UTF-8".to_owned()) };
    let must = |kind: Kind| {
        let what = kind.described().split(", ").next().unwrap_or_default();
        format!("{}: must be {what}", path.join("."))
    };
    let value = match kind {
        // What is in a list is at the list's own path.
        _ if in_list => return Err("[[seeds]] is a list of blocks, which only a file can say".to_owned()),
        Some(Kind::Text) => Value::String(value.to_owned()),
        Some(Kind::Boolean) => Value::Boolean(value.parse().map_err(|_| must(Kind::Boolean))?),
        Some(Kind::Number) => {
            let number: u64 = value.parse().map_err(|_| must(Kind::Number))?;
            // TOML has no larger ones.
            Value::Integer(number.try_into().map_err(|_| must(Kind::Number))?)
        }
        Some(Kind::List(_)) => {
            return Err(format!("{}: is a list, which only a file can say", path.join(".")));
        }
        Some(Kind::Table(keys)) => {
            let keys = keys.iter().map(|key| format!("{name}{BETWEEN}{}", key.to_uppercase()));
            return Err(format!("is a table: set one of {}", keys.collect::<Vec<_>>().join(", ")));
        }
        None => return Err(unknown(name)),
    };
    Ok(Variable { name: name.to_owned(), path, value })
}

fn unknown(name: &str) -> String {
    let known: Vec<_> = leaves::<Config>()
        .into_iter()
        .filter(|(_, kind)| !matches!(kind, Kind::List(_)))
        .map(|(path, _)| path.to_uppercase().replace('.', BETWEEN))
        .collect();
    match nearest(&name[PREFIX.len()..], known.iter().map(String::as_str)) {
        Some(like) => format!("is no setting: did you mean {PREFIX}{like}?"),
        None => "is no setting: a setting's variable is DTA_TABLE__KEY, as DTA_HTTP__LISTEN".to_owned(),
    }
}

/// Puts a value into tables, which are made.
pub(super) fn put(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            table.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}
