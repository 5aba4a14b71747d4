//! The home: where everything of a node lies, and the lock that lets one process at a time change it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt as _;
use thiserror::Error;

/// A node's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The folder itself.
    pub root: PathBuf,
}

impl Home {
    /// The home in this folder, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The event log: a folder.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The event log while `dta init` makes it: a folder.
    pub fn log_in_the_making(&self) -> PathBuf {
        self.root.join("log.new")
    }

    /// The event log while `dta recover` builds it again: a folder.
    pub fn log_in_recovery(&self) -> PathBuf {
        self.root.join("log.recovering")
    }

    /// The read models, which follow from the log: a folder.
    pub fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// The blocks that are on IPFS, which follow from the log, and how far they do: a folder.
    pub fn ipfs(&self) -> PathBuf {
        self.root.join("ipfs")
    }

    /// How far the log is copied there.
    pub fn mirror_position(&self) -> PathBuf {
        self.ipfs().join("mirror.json")
    }

    /// How far the log is copied to the IPFS node beside this one.
    pub fn mirror_position_beside(&self) -> PathBuf {
        self.ipfs().join("mirror-api.json")
    }

    /// Up to where the log of another node is copied there, and what of it is held: a file each, of this name with `.json` and
    /// `.list`. What one IPFS node holds, another may not: `beside` names the files of the one that is not in this process.
    pub fn followed(&self, peer: &str, beside: bool) -> PathBuf {
        self.ipfs().join(format!("{}{peer}", if beside { "follow-api-" } else { "follow-" }))
    }

    /// The first copy of the seeds in a store of custody: a folder.
    pub fn seeds(&self, store: &str) -> PathBuf {
        self.root.join(seeds_folder(store))
    }

    /// Whether seeds are kept here, in a store of any name.
    pub fn has_custody(&self) -> bool {
        !self.seed_folders().is_empty()
    }

    /// The folders here with seeds, by their names.
    pub fn seed_folders(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        let has_seeds = |name: &String| {
            (name == "seeds" || name.starts_with("seeds-")) && self.root.join(name).join("seeds.dta").exists()
        };
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut folders: Vec<String> = names.filter(has_seeds).collect();
        folders.sort();
        folders
    }

    /// Seeds that are being imported: a folder.
    pub fn seeds_in_import(&self) -> PathBuf {
        self.root.join("seeds.import")
    }

    /// Where an earlier program noted the copies of the store in `seeds/`.
    pub fn seed_copies_noted(&self) -> PathBuf {
        self.root.join("seeds").join("copies")
    }

    /// Which folders the last start kept seeds in.
    pub fn seed_folders_noted(&self) -> PathBuf {
        self.root.join("seed-folders")
    }

    /// The newest checkpoint that this node has published, outside its log.
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint.json")
    }

    /// What that file said before a recovery.
    pub fn checkpoint_before_recovery(&self) -> PathBuf {
        self.root.join("checkpoint.json.before-recovery")
    }

    /// What [`HomeLock`] locks.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The settings.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// The original's settings, which are read where there are no others.
    pub fn original_config(&self) -> PathBuf {
        self.root.join("config.yaml")
    }

    /// The node's own seed, sealed.
    pub fn seed_file(&self) -> PathBuf {
        self.root.join("seed.json")
    }

    /// The key that opens the seed, unless a passphrase does or the settings name another place.
    pub fn key_file(&self) -> PathBuf {
        self.root.join("seed.key")
    }

    /// What was taken over from a node of the original, sealed.
    pub fn original(&self) -> PathBuf {
        self.root.join("original.json")
    }

    /// Whether `dta init` has finished here: the log is what it makes last.
    pub fn is_initialised(&self) -> bool {
        self.log().exists()
    }
}

/// The name of a store's folder.
pub fn seeds_folder(store: &str) -> String {
    if store == crate::config::MAIN { "seeds".to_owned() } else { format!("seeds-{store}") }
}

/// The store whose folder has this name, if it is one's.
pub fn store_of_folder(folder: &str) -> Option<&str> {
    if folder == "seeds" { Some(crate::config::MAIN) } else { folder.strip_prefix("seeds-") }
}

/// Makes a folder, and its parents, that only its owner can read.
///
/// # Errors
/// The file system's.
pub fn make_private_folder(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Why a home is not ours to change.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process has it.
    #[error("home {home} is in use by {holder} (dta daemon?)")]
    InUse {
        /// The home.
        home: String,
        /// `process N`, or `another process` if it does not say.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("home {home}: its lock cannot be taken: {source}")]
    Io {
        /// The home.
        home: String,
        /// What the system says.
        source: io::Error,
    },
}

/// The home is ours until this is dropped or the process ends, however it ends: the lock is the system's (flock), and
/// the file that stays behind locks nothing.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the lock, without waiting, and leaves this process's number in the file for others to name.
    ///
    /// # Errors
    /// `InUse` if another process has it; `Io` if the home does not exist or is not writable.
    pub fn acquire(home: &Home) -> Result<Self, LockError> {
        let name = |path: &Path| path.display().to_string();
        let failed = |source| LockError::Io { home: name(&home.root), source };
        let mut options = File::options();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(home.lock()).map_err(failed)?;
        if !file.try_lock_exclusive().map_err(failed)? {
            return Err(LockError::InUse { home: name(&home.root), holder: holder(&mut file) });
        }
        note_process(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn note_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who has the lock. Between its locking and its writing there is no number, or the former holder's: it is for people.
fn holder(file: &mut File) -> String {
    // More digits than any process number has.
    let mut text = String::new();
    match file.take(16).read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(process) => format!("process {process}"),
        None => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        (folder, home)
    }

    #[test]
    fn one_at_a_time_and_the_other_is_named() {
        let (_folder, home) = home();
        let first = HomeLock::acquire(&home).unwrap();
        let refused = HomeLock::acquire(&home).unwrap_err().to_string();
        let expected = format!("in use by process {} (dta daemon?)", std::process::id());
        assert!(refused.ends_with(&expected), "{refused}");
        drop(first);
        HomeLock::acquire(&home).unwrap();
    }

    #[test]
    fn a_file_left_behind_locks_nothing_and_its_number_goes() {
        let (_folder, home) = home();
        std::fs::write(home.lock(), "12345678901234567890 and more than a number").unwrap();
        let _lock = HomeLock::acquire(&home).unwrap();
        assert_eq!(std::fs::read_to_string(home.lock()).unwrap(), format!("{}\n", std::process::id()));
    }

    #[test]
    fn a_holder_that_does_not_say_is_still_refused() {
        let (_folder, home) = home();
        for content in [&b""[..], b"\xff\xfe", b"-3", b"99999999999999999999"] {
            let lock = HomeLock::acquire(&home).unwrap();
            std::fs::write(home.lock(), content).unwrap();
            let refused = HomeLock::acquire(&home).unwrap_err().to_string();
            assert!(refused.contains("in use by another process"), "{refused}");
            drop(lock);
        }
    }

    #[test]
    fn no_home_no_lock() {
        let (_folder, home) = home();
        let nowhere = Home::new(home.root.join("nowhere"));
        assert!(matches!(HomeLock::acquire(&nowhere), Err(LockError::Io { .. })));
    }
}
