//! `dta config`: what the settings are, and what is wrong with them. It starts nothing and changes nothing.

use std::path::Path;

use clap::Subcommand;
use dta_plugins::Registry;
use serde_json::{Map, Value, json};

use super::{plain, plugin, say};
use crate::config::{Origin, Settings, Shown};
use crate::home::Home;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether a daemon could use them, and what an operator should know of them; exit status 1 if it could not
    Check,
    /// Show every setting in force and where it came from; of secrets only where they lie
    Show {
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
///
/// # Errors
/// Every trouble with the settings, each on a line.
pub fn run(home: &Home, command: &ConfigCommand, plugins: &Registry) -> anyhow::Result<()> {
    let settings = Settings::gather(home, std::env::vars_os())?;
    match command {
        ConfigCommand::Check => {
            plugin::is_known(&settings.config.node.plugin, plugins)?;
            say(checked(&settings))?;
        }
        ConfigCommand::Show { json: true } => say(as_json(&settings.shown()))?,
        ConfigCommand::Show { json: false } => say(as_lines(&settings.shown()))?,
    }
    Ok(())
}

/// What they come to, and a line for each warning.
fn checked(settings: &Settings) -> String {
    let name = settings.file.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let file = name.map_or("no config.toml".to_owned(), |name| name.into_owned());
    let variables =
        settings.shown().iter().filter(|shown| matches!(shown.from, Origin::Environment(_))).count();
    let environment = match variables {
        0 => String::new(),
        1 => " and 1 environment variable".to_owned(),
        more => format!(" and {more} environment variables"),
    };
    let differ = match settings.differing() {
        0 => "every setting is its default".to_owned(),
        1 => "1 setting differs from the defaults".to_owned(),
        more => format!("{more} settings differ from the defaults"),
    };
    let warnings = settings.warnings.iter().map(|warning| format!("\nwarning: {}", plain(warning)));
    format!("{file}{environment}: {differ}{}", warnings.collect::<String>())
}

fn as_lines(shown: &[Shown]) -> String {
    let said: Vec<_> = shown
        .iter()
        .map(|Shown { key, value, .. }| match value {
            Value::Null => format!("{key} is not set"),
            value => format!("{key} = {}", plain(&value.to_string())),
        })
        .collect();
    let width = said.iter().map(|said| said.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    let lines = said.iter().zip(shown).map(|(said, shown)| format!("{said:width$}  # {}", shown.from));
    lines.collect::<Vec<_>>().join("\n")
}

fn as_json(shown: &[Shown]) -> Value {
    let settings = shown
        .iter()
        .map(|Shown { key, value, from }| (key.clone(), json!({ "value": value, "from": from.to_string() })));
    Value::Object(settings.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn gathered(file: &str, text: &str, environment: &[(&str, &str)]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
        let environment =
            environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Settings::gather(&Home::new(folder.path()), environment).unwrap()
    }

    #[test]
    fn check_counts_and_warns() {
        let none = gathered("other", "", &[]);
        assert_eq!(checked(&none), "no config.toml: every setting is its default");
        assert_eq!(
            checked(&gathered("config.toml", "[log]\nlevel = \"info\"", &[])),
            "config.toml: every setting is its default"
        );
        let one = gathered("config.toml", "[log]\nlevel = \"warn\"", &[]);
        assert_eq!(checked(&one), "config.toml: 1 setting differs from the defaults");
        let two = gathered("config.toml", "[log]\nlevel = \"warn\"", &[("DTA_HTTP__LISTEN", "[::]:5556")]);
        let told = checked(&two);
        assert!(
            told.starts_with(
                "config.toml and 1 environment variable: 2 settings differ from the defaults\nwarning: "
            ),
            "{told}"
        );
        assert!(told.contains("http.listen: [::]:5556 is beyond loopback"), "{told}");
    }

    #[test]
    fn show_says_what_holds_and_who_said_so() {
        let text = "[log]\nlevel = \"debug\"\n[http]\nallowed_hosts = [\"desk\\u001b[2J\"]\n\
            [[seeds]]\ntype = \"pkcs11\"\n[seeds.token]\nlibrary = \"/l.so\"\nlabel = \"custody\"\npin = \"file:hsm.pin\"\n";
        let settings = gathered("config.toml", text, &[("DTA_HTTP__ORDER_WAIT_MS", "7")]);
        let lines = as_lines(&settings.shown());
        let line = |key: &str| {
            let line = lines
                .lines()
                .find(|line| line.starts_with(key))
                .unwrap_or_else(|| panic!("{key} in {lines}"));
            line.split_once("  #")
                .map(|(said, from)| (said.trim_end().to_owned(), from.trim().to_owned()))
                .unwrap()
        };
        let is =
            |key: &str, said: &str, from: &str| assert_eq!(line(key), (said.to_owned(), from.to_owned()));
        is("log.level", "log.level = \"debug\"", "config.toml");
        is("http.order_wait_ms", "http.order_wait_ms = 7", "environment: DTA_HTTP__ORDER_WAIT_MS");
        is("http.listen", "http.listen = \"127.0.0.1:5556\"", "default");
        is("custody.shred_after_ms", "custody.shred_after_ms is not set", "default");
        is("seeds[0].token.pin", "seeds[0].token.pin = \"file:hsm.pin\"", "config.toml");
        is("seeds[0].token.sessions", "seeds[0].token.sessions = 4", "default");
        is("seeds[0].second", "seeds[0].second is not set", "default");
        is("ipfs.keep_blocks", "ipfs.keep_blocks = 50000", "default");
        assert!(!lines.contains('\u{1b}'), "{lines}");
        let json = as_json(&settings.shown());
        assert_eq!(
            json["http.order_wait_ms"],
            json!({ "value": 7, "from": "environment: DTA_HTTP__ORDER_WAIT_MS" })
        );
        assert_eq!(json["keystore.key_file"], json!({ "value": "seed.key", "from": "default" }));
    }
}
