//! Writes a private file whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::crash_points::{CrashPoint, reached};

/// Makes a new file of mode 0600 that is either complete and synced or not there; an existing one is an
/// `AlreadyExists` error and stays as it is. Two writers of one path at once are excluded by the home's lock.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    replace(path, bytes)
}

/// Makes or replaces a file of mode 0600: after a crash it is the old one or the new one, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (), // what a crash left is not trusted, not even its mode
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    reached(CrashPoint::FileWritten);
    fs::rename(&temporary, path)?;
    reached(CrashPoint::FileRenamed);
    sync_folder_of(path)
}

/// Makes a folder of mode 0700, with its parents; an existing one stays as it is.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    sync_folder_of(path)
}

/// A new name is durable only when the folder that holds it is synced.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}
