//! The name of a plugin. Which there are, the program's registry says (`dta_plugins::Registry`).

use std::fmt::{self, Display};
use std::str::FromStr;

use dta_plugins::{NAME_MAX, is_name};
use serde::{Deserialize, Serialize};

/// A name that a plugin can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Plugin(String);

impl Plugin {
    /// As in `plugin` of orders and of the status.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Plugin {
    fn default() -> Self {
        Self(dta_plugins::milagro::NAME.to_owned())
    }
}

impl FromStr for Plugin {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if is_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!("{name:?} is no plugin's name: they have 1 to {NAME_MAX} of a-z, 0-9 and -"))
        }
    }
}

impl TryFrom<String> for Plugin {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        name.parse()
    }
}

impl From<Plugin> for String {
    fn from(plugin: Plugin) -> Self {
        plugin.0
    }
}

impl Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
