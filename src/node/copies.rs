//! Which folders have copies of the seeds, as the last start knew them: settings that lost a line, or were cut short, do not
//! lose a copy in silence.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::config::Config;
use crate::home::Home;
use crate::keystore::files;

/// Why the copies in the settings cannot be those to work with.
#[derive(Debug, Error)]
pub enum CopiesError {
    /// One is not named any more.
    #[error(
        "config.toml no longer names {folder:?}, which has a copy of every seed: name it again in `[[seeds]] copies`, or \
         take its line out of {} if it is to have none",
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

/// Holds the settings to what the last start noted, then notes them. A note that is gone is made again.
///
/// # Errors
/// `Forgotten` for the first folder that is noted and not named; `Io`.
pub fn check(home: &Home, config: &Config) -> Result<(), CopiesError> {
    let noted = home.seed_copies_noted();
    let io = |source| CopiesError::Io { noted: noted.clone(), source };
    let folders = config.seeds.iter().flat_map(|seeds| &seeds.copies);
    let named: Vec<String> = folders.map(|folder| folder.display().to_string()).collect();
    let before = match std::fs::read(&noted) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(io(error)),
    };
    if let Some(folder) = before.lines().find(|line| named.iter().all(|named| named != line)) {
        return Err(CopiesError::Forgotten { folder: folder.to_owned(), noted });
    }
    let now: String = named.iter().map(|folder| format!("{folder}\n")).collect();
    // Without the home's own copy there is no place to note it, and custody says that it is away.
    if now != before && home.seeds().is_dir() {
        files::replace(&noted, now.as_bytes()).map_err(io)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_ends_only_if_it_is_said_in_both_places() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let with = |copies: &[&str]| {
            let copies = copies.iter().map(PathBuf::from).collect();
            Config { seeds: vec![crate::config::Seeds { copies, ..Default::default() }], ..Config::default() }
        };
        // Nowhere to note it.
        check(&home, &with(&["/a"])).unwrap();
        std::fs::create_dir(home.seeds()).unwrap();
        check(&home, &Config::default()).unwrap();
        assert!(!home.seed_copies_noted().exists());
        check(&home, &with(&["/a", "b"])).unwrap();
        check(&home, &with(&["b", "/a", "/c"])).unwrap();
        for fewer in [&["/a", "b"][..], &["/c"], &[]] {
            let said = check(&home, &with(fewer)).unwrap_err().to_string();
            assert!(said.contains("no longer names") && said.contains("seeds/copies"), "{said}");
        }
        std::fs::write(home.seed_copies_noted(), "/a\n").unwrap();
        check(&home, &with(&["/a"])).unwrap();
        // A note that is lost or cut short is made again.
        for cut in ["", "/a"] {
            std::fs::write(home.seed_copies_noted(), cut).unwrap();
            check(&home, &with(&["/a"])).unwrap();
            assert_eq!(std::fs::read_to_string(home.seed_copies_noted()).unwrap(), "/a\n");
        }
    }
}
