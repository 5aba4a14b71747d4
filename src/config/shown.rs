//! The settings in force as they are shown: each by its key, with who said so.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::custody::Seeds;
use super::gather::{Origin, Settings};
use super::schema::{Kind, kind_at};
use super::settings::Config;

/// A setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its tables and its key; `seeds[0].type` is of the first store.
    pub key: String,
    /// What it is; null if it is not set and nothing holds in its place.
    pub value: Json,
    /// Who said so.
    pub from: Origin,
}

impl Settings {
    /// Every setting, in the order of `config.toml`.
    pub fn shown(&self) -> Vec<Shown> {
        let all = leaves_of(&self.config.spelled_out());
        all.into_iter().map(|(key, value)| Shown { from: self.origin(&key), key, value }).collect()
    }

    /// How many are said to be other than they would be of themselves.
    pub fn differing(&self) -> usize {
        let defaults: BTreeMap<_, _> = leaves_of(&Config::default().spelled_out()).into_iter().collect();
        let differs =
            |shown: &Shown| shown.from != Origin::Default && defaults.get(&shown.key) != Some(&shown.value);
        self.shown().iter().filter(|shown| differs(shown)).count()
    }
}

impl Config {
    /// With what holds where nothing is said.
    pub fn spelled_out(&self) -> Self {
        let mut all = self.clone();
        all.ipfs = self.ipfs.spelled_out();
        if self.keystore.key_file.is_none() && self.keystore.token.is_none() {
            all.keystore.key_file = Some("seed.key".into());
        }
        if self.seeds.is_empty() {
            all.seeds.push(Seeds::default());
        }
        all
    }
}

/// Each value by its key, in the order of the types.
fn leaves_of(config: &Config) -> Vec<(String, Json)> {
    // Every type among the settings is text, a number, a list or a table.
    let tree = serde_json::to_value(config).unwrap_or_default();
    let mut leaves = Vec::new();
    flatten(&tree, &mut Vec::new(), String::new(), &mut leaves);
    leaves
}

fn flatten(value: &Json, path: &mut Vec<&'static str>, key: String, leaves: &mut Vec<(String, Json)>) {
    let (keys, blocks) = match kind_at::<Config>(path) {
        Some(Kind::Table(keys)) => (keys, false),
        Some(Kind::List(element)) => match *element {
            Kind::Table(keys) => (keys, true),
            _ => (&[][..], false),
        },
        _ => (&[][..], false),
    };
    let mut each = |object: &Json, key: &str| {
        for name in keys {
            if let Some(value) = object.get(name) {
                let key = if key.is_empty() { (*name).to_owned() } else { format!("{key}.{name}") };
                path.push(name);
                flatten(value, path, key, leaves);
                path.pop();
            }
        }
    };
    match value {
        Json::Array(list) if blocks => {
            for (number, block) in list.iter().enumerate() {
                each(block, &format!("{key}[{number}]"));
            }
        }
        Json::Object(_) => each(value, &key),
        _ => leaves.push((key, value.clone())),
    }
}
