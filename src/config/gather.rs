//! Brings together what a home's file and the environment say: each value with where it came from, and all troubles at once.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::custody::Seeds;
use super::settings::Config;
use super::sift::{Scalars, sift};
use super::trouble::{ConfigError, Fault, Place, Trouble};
use super::{environment, original};
use crate::home::Home;

/// The settings in force, and where they came from.
#[derive(Debug)]
pub struct Settings {
    /// The settings.
    pub config: Config,
    /// The file that was read, if there is one.
    pub file: Option<PathBuf>,
    /// What an operator should know of them, a line each.
    pub warnings: Vec<String>,
    /// What the original's file calls the node.
    pub name: Option<String>,
    origins: BTreeMap<String, Origin>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// `config.toml`.
    File,
    /// `config.yaml`, under this key of the original's.
    Original(&'static str),
    /// This variable.
    Environment(String),
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File => f.write_str("config.toml"),
            Origin::Original(key) => write!(f, "config.yaml: {key}"),
            Origin::Environment(name) => write!(f, "environment: {name}"),
        }
    }
}

impl Settings {
    /// The settings of a home in this environment.
    ///
    /// # Errors
    /// Every trouble that can be told at once.
    pub fn gather(
        home: &Home,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::of(home);
        let (variables, troubles) = environment::read(environment);
        layers.troubles.extend(troubles);
        for variable in variables {
            environment::put(&mut layers.table, &variable.path, variable.value);
            layers.origins.insert(variable.path.join("."), Origin::Environment(variable.name));
        }
        layers.judge_each();
        let config = layers.judge_all();
        match config {
            Some(config) if layers.troubles.is_empty() => {
                let Layers { path, read, mut warnings, name, origins, .. } = layers;
                warnings.extend(beyond_loopback(&config));
                Ok(Self { config, file: read.then_some(path), warnings, name, origins })
            }
            _ => Err(ConfigError(layers.troubles)),
        }
    }

    /// Who said a setting.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

fn beyond_loopback(config: &Config) -> Option<String> {
    let listen = config.http.listen;
    (!listen.ip().is_loopback()).then(|| {
        format!(
            "http.listen: {listen} is beyond loopback, and there are no users and no TLS yet: whoever reaches it can redeem every order"
        )
    })
}

/// What is said so far, and what is wrong with it.
struct Layers {
    home: Home,
    path: PathBuf,
    /// There is such a file.
    read: bool,
    table: Table,
    origins: BTreeMap<String, Origin>,
    warnings: Vec<String>,
    troubles: Vec<Trouble>,
    name: Option<String>,
}

impl Layers {
    /// What the home's file says.
    fn of(home: &Home) -> Self {
        let mut layers = Self {
            home: home.clone(),
            path: home.config(),
            read: false,
            table: Table::new(),
            origins: BTreeMap::new(),
            warnings: Vec::new(),
            troubles: Vec::new(),
            name: None,
        };
        let original = home.original_config();
        if let Some(text) = layers.text(home.config()) {
            layers.take_toml(&text);
            if original.exists() {
                layers.warnings.push("config.yaml is not read: config.toml counts".to_owned());
            }
        } else if !layers.read
            && let Some(text) = layers.text(original)
        {
            layers.take_original(original::read(&text));
        }
        layers
    }

    /// The text of a file, if it is there; from then on it is the one that is read.
    fn text(&mut self, path: PathBuf) -> Option<String> {
        let text = std::fs::read_to_string(&path);
        if matches!(&text, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            return None;
        }
        (self.path, self.read) = (path, true);
        match text {
            Ok(text) => Some(text),
            Err(error) => {
                self.tell_of_file(error.to_string());
                None
            }
        }
    }

    fn take_toml(&mut self, text: &str) {
        let mut table = match text.parse::<Table>() {
            Ok(table) => table,
            Err(error) => {
                // Its own text quotes the line, and a PIN may stand there.
                let (line, column) = position(text, error.span().map_or(0, |span| span.start));
                return self.tell_of_file(format!(
                    "line {line}, column {column}: no TOML: {}",
                    error.message().replace('\n', ", ")
                ));
            }
        };
        let faults = sift::<Config>(&mut table, Scalars::Typed);
        note_leaves(&table, String::new(), &mut self.origins);
        self.table = table;
        self.tell(faults);
    }

    fn take_original(&mut self, taken: original::Taken) {
        let origins = taken.keys.into_iter().map(|(ours, theirs)| (ours, Origin::Original(theirs)));
        self.origins.extend(origins);
        self.table = taken.table;
        self.name = taken.name;
        let notes = taken.notes.into_iter().map(|note| format!("config.yaml: {note}"));
        self.warnings.extend(notes);
        for fault in taken.faults {
            self.tell_of_file(format!("{}: {}", fault.key, fault.why));
        }
    }

    fn tell_of_file(&mut self, what: String) {
        self.troubles.push(Trouble { place: Place::File(self.path.clone()), what });
    }

    fn tell(&mut self, faults: Vec<Fault>) {
        for Fault { key, why } in faults {
            let below = format!("{key}.");
            let origin = self.origins.get(&key).or_else(|| {
                let mut parts = self.origins.iter().filter(|(part, _)| part.starts_with(&below));
                parts.find(|(_, origin)| matches!(origin, Origin::Environment(_))).map(|(_, origin)| origin)
            });
            let file = Place::File(self.path.clone());
            let (place, key) = match origin {
                Some(Origin::Environment(name)) => (Place::Environment(name.clone()), key),
                Some(Origin::Original(theirs)) => (file, (*theirs).to_owned()),
                _ => (file, key),
            };
            self.troubles.push(Trouble { place, what: format!("{key}: {why}") });
        }
    }

    /// Judges each value by itself, and takes out the unusable ones.
    fn judge_each(&mut self) {
        let mut faults = Vec::new();
        for (group, value) in &mut self.table {
            match value {
                Value::Table(table) => {
                    table.retain(|key, value| {
                        usable(
                            Table::from_iter([(key.to_owned(), value.clone())]).into(),
                            group,
                            key,
                            &mut faults,
                        )
                    });
                }
                Value::Array(blocks) => {
                    for block in blocks.iter_mut().filter_map(Value::as_table_mut) {
                        block.retain(|key, value| {
                            let alone = Table::from_iter([(key.to_owned(), value.clone())]);
                            usable(vec![Value::Table(alone)].into(), group, key, &mut faults)
                        });
                    }
                }
                _ => {}
            }
        }
        self.tell(faults);
    }

    /// Judges what they are together. What depends on a value that was taken out is not told: it may be right with it.
    fn judge_all(&mut self) -> Option<Config> {
        let config: Config = match self.table.clone().try_into() {
            Ok(config) => config,
            Err(error) => {
                self.tell_of_file(error.message().to_owned());
                return None;
            }
        };
        let sound = |group: &str| {
            let (named, block) = (format!("{group}."), format!("`{group}."));
            !self
                .troubles
                .iter()
                .any(|trouble| trouble.what.starts_with(&named) || trouble.what.contains(&block))
        };
        let mut faults = Vec::new();
        for (group, found) in [
            ("http", config.http.faults()),
            ("peers", config.peers.faults()),
            ("ipfs", config.ipfs.faults()),
            ("seeds", Seeds::faults(&config, &self.home)),
            ("checkpoints", config.checkpoints.faults()),
            ("log", config.log.faults()),
        ] {
            if sound(group) {
                faults.extend(found);
            }
        }
        self.tell(faults);
        Some(config)
    }
}

fn usable(alone: Value, group: &str, key: &str, faults: &mut Vec<Fault>) -> bool {
    let alone = Table::from_iter([(group.to_owned(), alone)]);
    match alone.try_into::<Config>() {
        Ok(_) => true,
        Err(error) => {
            faults.push(Fault::new(format!("{group}.{key}"), error.message().replace('\n', ", ")));
            false
        }
    }
}

/// Everything in the file is from the file.
fn note_leaves(table: &Table, key: String, origins: &mut BTreeMap<String, Origin>) {
    for (name, value) in table {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        match value {
            Value::Table(inner) => note_leaves(inner, key, origins),
            Value::Array(list) if list.iter().any(Value::is_table) => {
                for (number, block) in
                    list.iter().enumerate().filter_map(|(n, block)| Some((n, block.as_table()?)))
                {
                    note_leaves(block, format!("{key}[{number}]"), origins);
                }
            }
            _ => {
                origins.insert(key, Origin::File);
            }
        }
    }
}

/// Line and column of a byte, from 1.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Whether a file of settings is there, ours or the original's.
pub fn is_there(home: &Home) -> bool {
    home.config().exists() || home.original_config().exists()
}

/// Writes `config.toml`, unless there are settings.
///
/// # Errors
/// The file system's.
pub fn write_new(home: &Home, text: &str) -> io::Result<()> {
    let path: &Path = &home.config();
    if is_there(home) { Ok(()) } else { std::fs::write(path, text) }
}
