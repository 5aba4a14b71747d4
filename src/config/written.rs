//! The text of a new home's `config.toml`.

use dta_protocol::Cid;
use toml::Value;

use super::plugin::Plugin;

/// What a new home's `config.toml` says if nothing is said of the node.
pub const TEMPLATE: &str = include_str!("template.toml");

/// What `dta init` can say of a node's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewNode {
    /// The node is a principal of this fiduciary.
    pub fiduciary: Option<Cid>,
    /// The plugin.
    pub plugin: Option<Plugin>,
}

impl NewNode {
    /// The keys of `[node]` that say so, and their values.
    pub fn says(&self) -> Vec<(&'static str, String)> {
        let principal =
            self.fiduciary.map(|cid| [("type", "principal".to_owned()), ("fiduciary", cid.to_string())]);
        let plugin = self.plugin.as_ref().map(|plugin| ("plugin", plugin.to_string()));
        principal.into_iter().flatten().chain(plugin).collect()
    }

    /// The template that says so.
    pub fn written(&self) -> String {
        let says = self.says();
        if says.is_empty() {
            return TEMPLATE.to_owned();
        }
        let mut table = "";
        let lines = TEMPLATE.lines().map(|line| {
            let Some(bare) = line.strip_prefix("# ") else { return line.to_owned() };
            if bare.starts_with('[') {
                table = bare;
                return if table == "[node]" { bare.to_owned() } else { line.to_owned() };
            }
            let said = bare.split_once(" = ").and_then(|(key, rest)| {
                let (_, value) = says.iter().find(|(said, _)| table == "[node]" && *said == key)?;
                Some((key, value, rest))
            });
            match said {
                Some((key, value, rest)) => {
                    let comment =
                        rest.split_once('#').map_or(String::new(), |(_, comment)| format!("  #{comment}"));
                    format!("{key} = {}{comment}", Value::from(value.as_str()))
                }
                None => line.to_owned(),
            }
        });
        lines.map(|line| line + "\n").collect()
    }
}

/// The template with every setting in it in force.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn uncommented_template() -> String {
    TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = "))
        .map(|line| format!("{line}\n"))
        .collect()
}
