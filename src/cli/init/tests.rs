//! The original's options, what is asked, and settings that are there already.

use std::ffi::OsString;

use clap::Parser;

use super::*;

const CID: &str = "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge";

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    init: InitCommand,
}

fn parsed(line: &[&str]) -> Result<InitCommand, String> {
    Line::try_parse_from(["init"].iter().chain(line)).map(|line| line.init).map_err(|error| error.to_string())
}

fn settings(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Settings::gather(&Home::new(folder.path()), environment).unwrap()
}

#[test]
fn the_originals_options_are_read() {
    let both = format!(" {CID} , http://bob.example:5556/");
    let told =
        parsed(&["--nodename", "alice", "--service=bitcoinwallet", "--masterfiduciarynode", &both]).unwrap();
    let told = Told::of(&told, &settings(&[], &[]));
    assert_eq!(told.name, "alice");
    assert_eq!(told.plugin.as_ref().unwrap().as_str(), "bitcoinwallet");
    let fiduciary = told.fiduciary.unwrap();
    assert_eq!(
        (fiduciary.cid.to_string().as_str(), fiduciary.url.as_str()),
        (CID, "http://bob.example:5556")
    );
    for (line, asks) in [
        (&[][..], false),
        (&["--interactive"], true),
        (&["--interactive=true"], true),
        (&["--interactive=1"], true),
        (&["--interactive=false"], false),
        (&["--interactive=F"], false),
        (&["--interactive", "--service", "milagro"], true),
    ] {
        assert_eq!(parsed(line).unwrap().interactive, asks, "{line:?}");
    }
}

#[test]
fn what_makes_no_node_is_refused() {
    for (line, told) in [
        (&["--service", ""][..], "is no plugin"),
        (&["--service", "Milagro"], "is no plugin"),
        (&["--interactive=maybe"], "must be true or false"),
        (&["--interactive", "true"], "unexpected argument"),
        (&["--masterfiduciarynode", CID], "a CID and a URL"),
        (&["--masterfiduciarynode", ""], "a CID and a URL"),
        (&["--masterfiduciarynode", "bob,http://bob.example"], "`dta identity show`"),
        (
            &[
                "--masterfiduciarynode",
                "QmR7JfvEwTbSkBZuRLdDcRTpZik2ZAuHnn9BA7giX7oJNK,http://127.0.0.1:5556",
            ],
            "the original's identities",
        ),
        (&["--masterfiduciarynode", &format!("{CID},bob.example")], "must begin with http"),
        (&["--masterfiduciarynode", &format!("{CID},http://a.example,b")], "a CID and a URL"),
        (&["--masterfiduciarynode", &format!("{CID},http://me:pass@bob.example")], "must not name a user"),
        (&["--name", "a", "--nodename", "b"], "cannot be used multiple times"),
    ] {
        let error = parsed(line).unwrap_err();
        assert!(error.contains(told), "{line:?}: {error}");
    }
}

#[test]
fn a_name_is_the_options_else_the_originals_else_the_default() {
    let yaml = settings(&[("config.yaml", "node:\n  nodeName: 17c9f630d2e098e4\n")], &[]);
    let none = settings(&[], &[]);
    assert_eq!(Told::of(&parsed(&[]).unwrap(), &none).name, NAME);
    assert_eq!(Told::of(&parsed(&[]).unwrap(), &yaml).name, "17c9f630d2e098e4");
    assert_eq!(Told::of(&parsed(&["--name", "alice"]).unwrap(), &yaml).name, "alice");
}

#[test]
fn settings_that_are_there_must_agree() {
    let new = Told::of(&parsed(&["--service", "bitcoinwallet"]).unwrap(), &settings(&[], &[])).new_node();
    let toml = "[node]\nplugin = \"bitcoinwallet\"\n";
    let variable = ("DTA_NODE__PLUGIN", "bitcoinwallet");
    for agreed in [
        settings(&[], &[]),
        settings(&[("config.toml", toml)], &[]),
        settings(&[("config.toml", "")], &[variable]),
        settings(&[("config.yaml", "plugins:\n  service: bitcoinwallet\n")], &[]),
    ] {
        agree(&agreed, &new).unwrap();
    }
    for (settings, told) in [
        (settings(&[("config.toml", "")], &[]), "config.toml is there already"),
        (settings(&[("config.yaml", "plugins:\n  service: milagro\n")], &[]), "config.yaml is there already"),
        (settings(&[], &[("DTA_NODE__PLUGIN", "milagro")]), "DTA_NODE__PLUGIN says otherwise"),
        (settings(&[("config.toml", toml)], &[("DTA_NODE__PLUGIN", "milagro")]), "DTA_NODE__PLUGIN"),
    ] {
        let error = agree(&settings, &new).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
        agree(&settings, &NewNode::default()).unwrap();
    }
}

fn ask(told: &Told, answers: &str) -> (anyhow::Result<Told>, String) {
    let (mut answered, mut output) = (told.clone(), Vec::new());
    let done = answered.ask(&mut answers.as_bytes(), &mut output).map(|()| answered);
    (done, String::from_utf8(output).unwrap())
}

#[test]
fn what_is_asked_has_defaults_and_is_asked_again() {
    let given = Told::of(&parsed(&[]).unwrap(), &settings(&[], &[]));
    let (told, asked) = ask(&given, "\n\n\n");
    let told = told.unwrap();
    assert_eq!((told.name.as_str(), told.fiduciary.as_ref()), (NAME, None));
    assert_eq!(told.plugin.unwrap().as_str(), "milagro");
    assert!(asked.contains("The node's name [milagro-dta]: ") && asked.contains("[-]: "), "{asked}");
    let (told, asked) =
        ask(&given, &format!("alice\nbob\n{CID}\nbob.example\n\nhttps://bob.example\nKing\nB\n"));
    let told = told.unwrap();
    assert_eq!((told.name.as_str(), told.plugin.as_ref().unwrap().as_str()), ("alice", "bitcoinwallet"));
    assert_eq!(told.fiduciary.as_ref().unwrap().url.as_str(), "https://bob.example");
    for again in ["`dta identity show`", "must begin with http", "is no plugin"] {
        assert!(asked.contains(again), "{asked}");
    }
    let (same, _) = ask(&told, "\n\n\n\n");
    assert_eq!(same.unwrap(), told);
    assert_eq!(ask(&told, "\n-\n\n").0.unwrap().fiduciary, None);
    for cut_off in ["", "alice\n", "alice\n-\n"] {
        let error = ask(&given, cut_off).0.unwrap_err().to_string();
        assert!(error.contains("no answer"), "{error}");
    }
}
