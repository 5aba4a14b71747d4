//! Which folders have seeds, as the last start knew them: settings that lost a line or a block, or were cut short, do not lose a
//! copy or a store in silence.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::Config;
use crate::home::{Home, seeds_folder};
use crate::keystore::files;

/// Why the folders in the settings cannot be those to work with.
#[derive(Debug, Error)]
pub enum CopiesError {
    /// One is not named any more.
    #[error(
        "config.toml no longer names {folder:?}, which has seeds: name it again in `[[seeds]]` (its `copies`, or a store by its \
         `name`), or take its line out of {} if they are to be left there",
        .noted.display()
    )]
    Forgotten {
        /// As the settings named it.
        folder: String,
        /// Where it is noted.
        noted: PathBuf,
    },
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
    Ok(noted(home)?.lines().any(|line| line == seeds_folder(store)))
}

/// Holds the settings to what the last start noted.
///
/// # Errors
/// `Forgotten` for the first folder that is noted and not named; `Io`.
pub fn check(home: &Home, config: &Config) -> Result<(), CopiesError> {
    let named = named(config);
    match noted(home)?.lines().find(|line| named.iter().all(|named| named != line)) {
        Some(folder) => {
            Err(CopiesError::Forgotten { folder: folder.to_owned(), noted: home.seed_folders_noted() })
        }
        None => Ok(()),
    }
}

/// Notes the folders of a start that found seeds in them. A note that is gone is made again.
///
/// # Errors
/// `Io`.
pub fn note(home: &Home, config: &Config) -> Result<(), CopiesError> {
    let now: String = named(config).iter().map(|folder| format!("{folder}\n")).collect();
    if now == noted(home)? {
        return Ok(());
    }
    let noted = home.seed_folders_noted();
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

fn noted(home: &Home) -> Result<String, CopiesError> {
    let noted = home.seed_folders_noted();
    match std::fs::read(&noted) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(CopiesError::Io { noted, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Seeds;

    #[test]
    fn a_folder_of_seeds_is_left_only_if_it_is_said_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let block = |name: &str, copies: &[&str]| {
            let copies = copies.iter().map(PathBuf::from).collect();
            Seeds { name: name.to_owned(), copies, ..Seeds::default() }
        };
        let with = |blocks: &[Seeds]| Config { seeds: blocks.to_vec(), ..Config::default() };
        let main = |copies: &[&str]| with(&[block("main", copies)]);
        let start = |config: &Config| {
            check(&home, config)?;
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
}
