//! The original's way to write options: Go's, with one dash before a long name.

use std::ffi::{OsStr, OsString};

/// The options that the original's commands took.
const INIT: &[&str] = &["nodename", "masterfiduciarynode", "service", "interactive", "help"];
const DAEMON: &[&str] = &["service", "log-level", "help"];

/// The command line with two dashes where the original took one: before its options, after `init` or `daemon`; nothing else
/// is changed.
pub fn with_two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut known: Option<&[&str]> = None;
    let mut own_value = true;
    let mut over = false;
    let with = |argument: OsString| {
        // The program's name is the first; a home follows its option.
        let value = std::mem::replace(&mut own_value, argument == "--home");
        if value || over {
            return argument;
        }
        over = argument == "--";
        match (known, argument.to_str()) {
            (Some(known), _) if is_one_of(&argument, known) => with_another(&argument),
            (None, Some("init")) => {
                known = Some(INIT);
                argument
            }
            (None, Some("daemon")) => {
                known = Some(DAEMON);
                argument
            }
            (None, Some(other)) if !other.starts_with('-') => {
                over = true;
                argument
            }
            _ => argument,
        }
    };
    arguments.into_iter().map(with).collect()
}

/// `-name` or `-name=value`.
fn is_one_of(argument: &OsStr, known: &[&str]) -> bool {
    let text = argument.to_string_lossy();
    let name = text.strip_prefix('-').map(|name| name.split_once('=').map_or(name, |(name, _)| name));
    name.is_some_and(|name| known.contains(&name))
}

fn with_another(argument: &OsStr) -> OsString {
    let mut whole = OsString::from("-");
    whole.push(argument);
    whole
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn written(line: &[&str]) -> Vec<String> {
        let all = ["dta"].iter().chain(line).map(OsString::from);
        with_two_dashes(all).into_iter().skip(1).map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn the_originals_options_take_one_dash_or_two() {
        for (line, expected) in [
            (&["init", "-nodename", "alice"][..], &["init", "--nodename", "alice"][..]),
            (&["init", "-nodename=alice"], &["init", "--nodename=alice"]),
            (&["init", "--nodename", "alice"], &["init", "--nodename", "alice"]),
            (&["init", "-interactive", "-service=milagro"], &["init", "--interactive", "--service=milagro"]),
            (&["init", "-masterfiduciarynode", "a,b"], &["init", "--masterfiduciarynode", "a,b"]),
            (
                &["--home", "x", "daemon", "-log-level", "debug"],
                &["--home", "x", "daemon", "--log-level", "debug"],
            ),
            (&["--home=x", "daemon", "-service", "milagro"], &["--home=x", "daemon", "--service", "milagro"]),
            (&["--home", "order", "init", "-help"], &["--home", "order", "init", "--help"]),
        ] {
            assert_eq!(written(line), expected);
            if !line.contains(&"-help") && !line.contains(&"a,b") {
                Cli::try_parse_from(
                    ["dta"].iter().map(OsString::from).chain(written(line).into_iter().map(Into::into)),
                )
                .unwrap();
            }
        }
    }

    #[test]
    fn nothing_else_is_changed() {
        for line in [
            &["init", "-name", "alice"][..],
            &["init", "-log-level", "debug"],
            &["daemon", "-nodename", "alice"],
            &["init", "-h"],
            &["init", "-"],
            &["init", "-=x"],
            &["init", "-Service", "milagro"],
            &["init", "-services"],
            &["init", "---service"],
            &["init", "--", "-service"],
            &["-service", "milagro", "init"],
            &["order", "-service"],
            &["order", "init", "-service"],
            &["--home", "init", "order", "-service"],
            &["init", "--home", "-service"],
            &["config", "check"],
            &["-V"],
            &[],
        ] {
            assert_eq!(written(line), line);
        }
        use std::os::unix::ffi::OsStringExt as _;
        let odd = OsString::from_vec(b"-service=\xff".to_vec());
        let line = ["dta", "init"].map(OsString::from).into_iter().chain([odd]);
        assert_eq!(with_two_dashes(line)[2].as_encoded_bytes(), b"--service=\xff");
    }
}
