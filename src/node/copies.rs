//! Which folders have seeds, as the last start knew them: settings that lost a line or a block, or were cut short, do not lose a
//! copy or a store in silence. And whether those in the settings can be worked with together.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::actors::seeds::FileStore;
use crate::config::{Config, Seeds};
use crate::home::{Home, seeds_folder, store_of_folder};
use crate::keystore::files;

/// Why the folders in the settings cannot be those to work with.
#[derive(Debug, Error)]
pub enum CopiesError {
    /// One is not named any more.
    #[error(
        "config.toml no longer names {folder:?}, which has seeds: name it again in `[[seeds]]` ({how}), or {leave}"
    )]
    Forgotten {
        /// As the settings named it.
        folder: String,
        /// How it was named.
        how: String,
        /// What to do if they are to be left there.
        leave: String,
    },
    /// One store by two names.
    #[error(
        "the stores {one} and {other} have copies of one store: bring back the right files of each, by \
         `dta seeds export` and `import` or from its other copies; nothing was changed"
    )]
    OneStore {
        /// Its one name.
        one: String,
        /// Its other one.
        other: String,
    },
    /// What an import left.
    #[error(
        "an import of seeds was interrupted: run `dta seeds import` again, or remove {} to go on with what there is",
        .0.display()
    )]
    Importing(PathBuf),
    /// The note cannot be read or written.
    #[error("{}: {source}; restore or remove it", .noted.display())]
    Io {
        /// The file.
        noted: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Whether the last start knew this store.
///
/// # Errors
/// `Io`.
pub fn knew(home: &Home, store: &str) -> Result<bool, CopiesError> {
    Ok(noted(home)?.into_iter().any(|(folder, _)| folder == seeds_folder(store)))
}

/// Holds the settings to what the last start noted, and the stores to being several, also with these further copies of them.
///
/// # Errors
/// `Forgotten` for the first folder that is noted and not named; `OneStore`; `Importing`; `Io`.
pub fn check(home: &Home, config: &Config, more: &[(&str, &Path)]) -> Result<(), CopiesError> {
    if home.seeds_in_import().exists() {
        return Err(CopiesError::Importing(home.seeds_in_import()));
    }
    let named = named(config);
    if let Some((folder, leave)) =
        noted(home)?.into_iter().find(|(folder, _)| named.iter().all(|named| named != folder))
    {
        let how = match store_of_folder(&folder) {
            Some(store) => format!("a store of `name = {store:?}`"),
            None => "in `copies`".to_owned(),
        };
        return Err(CopiesError::Forgotten { folder, how, leave });
    }
    let mut of_store = HashMap::new();
    for Seeds { name, copies, .. } in config.stores() {
        let more = more.iter().filter(|(store, _)| *store == name).map(|(_, folder)| *folder);
        let mut folders = vec![home.seeds(&name)];
        folders.extend(copies.iter().map(|folder| home.root.join(folder)).chain(more.map(Path::to_owned)));
        for id in FileStore::ids_in(&folders) {
            let one = of_store.entry(id).or_insert_with(|| name.clone());
            if *one != name {
                return Err(CopiesError::OneStore { one: one.clone(), other: name });
            }
        }
    }
    Ok(())
}

/// Notes the folders of a start that found seeds in them. A note that is gone is made again.
///
/// # Errors
/// `Io`.
pub fn note(home: &Home, config: &Config) -> Result<(), CopiesError> {
    let now: String = named(config).iter().map(|folder| format!("{folder}\n")).collect();
    let noted = home.seed_folders_noted();
    if read(&noted)? == now {
        return Ok(());
    }
    files::replace(&noted, now.as_bytes()).map_err(|source| CopiesError::Io { noted, source })
}

/// Every folder with seeds, as the settings name it.
fn named(config: &Config) -> Vec<String> {
    let mut named = Vec::new();
    for store in config.stores() {
        named.push(seeds_folder(&store.name));
        named.extend(store.copies.iter().map(|folder| folder.display().to_string()));
    }
    named
}

/// The folders that are noted, and what to do about each if it is left. Without a note, as after an upgrade or a restore, those that
/// are in the home, and those that an earlier program noted.
fn noted(home: &Home) -> Result<Vec<(String, String)>, CopiesError> {
    let lines = |file: &Path| {
        let take_out = format!("take its line out of {} if they are to be left there", file.display());
        Ok(read(file)?.lines().map(|line| (line.to_owned(), take_out.clone())).collect::<Vec<_>>())
    };
    let noted = lines(&home.seed_folders_noted())?;
    if !noted.is_empty() {
        return Ok(noted);
    }
    let here = home.seed_folders().into_iter();
    let here =
        here.map(|folder| (folder, "move that folder out of the home if they are to be left".to_owned()));
    Ok(here.chain(lines(&home.seed_copies_noted())?).collect())
}

fn read(noted: &Path) -> Result<String, CopiesError> {
    match std::fs::read(noted) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(CopiesError::Io { noted: noted.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::seeds::kek::Keks;
    use crate::actors::seeds::testing::{TestEntropy, cid, node_seed};

    #[test]
    fn a_folder_of_seeds_is_left_only_if_it_is_said_in_both_places() {
        let (_folder, home) = home();
        let main = |copies: &[&str]| with(&[block("main", copies)]);
        let start = |config: &Config| {
            check(&home, config, &[])?;
            note(&home, config)
        };
        start(&Config::default()).unwrap();
        assert!(knew(&home, "main").unwrap() && !knew(&home, "hsm").unwrap());
        start(&main(&["/a", "b"])).unwrap();
        start(&main(&["b", "/a", "/c"])).unwrap();
        let two = [block("main", &["b", "/a"]), block("hsm", &["/c"])];
        start(&with(&two)).unwrap();
        assert!(knew(&home, "hsm").unwrap());
        let renamed = [block("hsm", &["b", "/a"]), block("token", &["/c"])];
        for (fewer, lost) in [
            (main(&["/a", "b", "/c"]), "seeds-hsm"),
            (main(&[]), "\"b\""),
            (with(&[two[1].clone()]), "\"seeds\""),
            (with(&renamed), "\"seeds\""),
        ] {
            let said = start(&fewer).unwrap_err().to_string();
            assert!(said.contains("no longer names") && said.contains(lost), "{said}");
            assert!(said.contains("take its line out of") && said.contains("seed-folders"), "{said}");
        }
        std::fs::write(home.seed_folders_noted(), "seeds\n/a\n").unwrap();
        start(&main(&["/a"])).unwrap();
        // A note that is lost or cut short is made again.
        for cut in ["", "seeds"] {
            std::fs::write(home.seed_folders_noted(), cut).unwrap();
            start(&main(&["/a"])).unwrap();
            assert_eq!(std::fs::read_to_string(home.seed_folders_noted()).unwrap(), "seeds\n/a\n");
        }
    }

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        (folder, home)
    }

    fn block(name: &str, copies: &[&str]) -> Seeds {
        let copies = copies.iter().map(PathBuf::from).collect();
        Seeds { name: name.to_owned(), copies, ..Seeds::default() }
    }

    fn with(blocks: &[Seeds]) -> Config {
        Config { seeds: blocks.to_vec(), ..Config::default() }
    }

    /// A store in a folder, told apart by `which`.
    fn made(folder: &Path, which: &'static str) {
        let keks = Keks::soft(&node_seed("node"));
        FileStore::create(folder, &[], keks, &cid("node"), &[], &mut TestEntropy::new(which)).unwrap();
    }

    #[test]
    fn without_a_note_what_is_in_the_home_and_in_the_older_note_counts() {
        let (_folder, home) = home();
        for name in ["main", "hsm"] {
            made(&home.seeds(name), if name == "main" { "one" } else { "other" });
        }
        std::fs::create_dir(home.root.join("seeds-empty")).unwrap();
        std::fs::write(home.root.join("seeds/copies"), "/mnt/b\n").unwrap();
        let (main, hsm) = (block("main", &["/mnt/b"]), block("hsm", &[]));
        for (left, named, leave) in [
            (vec![main.clone()], "\"seeds-hsm\"", "a store of `name = \"hsm\"`), or move that folder out"),
            (vec![hsm.clone()], "\"seeds\"", "a store of `name = \"main\"`), or move that folder out"),
            (vec![block("main", &[]), hsm.clone()], "\"/mnt/b\"", "in `copies`), or take its line out of"),
        ] {
            let said = check(&home, &with(&left), &[]).unwrap_err().to_string();
            assert!(said.contains(named) && said.contains(leave), "{said}");
        }
        let whole = with(&[main, hsm]);
        check(&home, &whole, &[]).unwrap();
        note(&home, &whole).unwrap();
        assert_eq!(std::fs::read_to_string(home.seed_folders_noted()).unwrap(), "seeds\n/mnt/b\nseeds-hsm\n");
    }

    #[test]
    fn copies_of_one_store_are_not_two_stores() {
        let (folder, home) = home();
        made(&home.seeds("main"), "one");
        made(&home.seeds("hsm"), "other");
        let copy = folder.path().join("copy");
        std::fs::create_dir(&copy).unwrap();
        let file = |folder: &Path| folder.join("seeds.dta");
        std::fs::copy(file(&home.seeds("main")), file(&copy)).unwrap();
        let config = |copy_of| {
            let copies = |name| if name == copy_of { vec![copy.clone()] } else { Vec::new() };
            let blocks = ["main", "hsm"].map(|name| Seeds { copies: copies(name), ..block(name, &[]) });
            with(&blocks)
        };
        check(&home, &config("main"), &[]).unwrap();
        let both = "the stores main and hsm have copies of one store";
        let said = check(&home, &config("hsm"), &[]).unwrap_err().to_string();
        assert!(said.contains(both), "{said}");
        // What is to be taken over counts too.
        check(&home, &config(""), &[("main", &copy)]).unwrap();
        let said = check(&home, &config(""), &[("hsm", &copy)]).unwrap_err().to_string();
        assert!(said.contains(both), "{said}");
        std::fs::copy(file(&copy), file(&home.seeds("hsm"))).unwrap();
        assert!(check(&home, &config(""), &[]).unwrap_err().to_string().contains(both));
    }

    #[test]
    fn while_an_import_is_not_done_nothing_else_begins() {
        let (_folder, home) = home();
        std::fs::create_dir(home.seeds_in_import()).unwrap();
        let said = check(&home, &Config::default(), &[]).unwrap_err().to_string();
        assert!(said.contains("run `dta seeds import` again"), "{said}");
    }
}
