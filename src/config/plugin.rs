//! The name of a plugin: the one place that says which there are.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The plugins there are, the default one first.
const PLUGINS: [&str; 3] = ["milagro", "safeguardsecret", "bitcoinwallet"];

/// Whether there is a plugin of this name.
pub fn plugin_is_known(name: &str) -> bool {
    PLUGINS.contains(&name)
}

/// The name of a plugin that there is.
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
        Self(PLUGINS[0].to_owned())
    }
}

impl FromStr for Plugin {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if plugin_is_known(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!("{name:?} is no plugin: there are {}", PLUGINS.join(", ")))
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
