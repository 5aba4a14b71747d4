//! What a process is told of crash points by its environment, and how the test hears that it has come by one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use milagro_dta::crash_points::CrashPoint;
use tempfile::TempDir;

/// A pipe that a process writes to when it comes by a point.
pub struct Trap {
    folder: TempDir,
    point: CrashPoint,
    nth: usize,
    heard: Receiver<String>,
}

impl Trap {
    pub fn set(point: CrashPoint, nth: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe_in(folder.path());
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Open both ways: opening waits for nobody, and reading has no end when the process is killed.
        let pipe = File::options().read(true).write(true).open(&path).unwrap();
        let (tell, heard) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines() {
                if line.as_deref().is_ok_and(str::is_empty) || tell.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        Self { folder, point, nth, heard }
    }

    /// What a process needs in its environment to be caught.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let point = format!("{}:{}", self.point.name(), self.nth);
        vec![("DTA_CRASH_POINT", point.into()), ("DTA_CRASH_PIPE", pipe_in(self.folder.path()).into())]
    }

    /// Whether the process has come by, and stands still.
    pub fn is_sprung(&self) -> bool {
        match self.heard.try_recv() {
            Ok(name) => name == self.point.name(),
            Err(TryRecvError::Empty) => false,
            Err(TryRecvError::Disconnected) => panic!("the pipe's reader has ended"),
        }
    }

    /// Waits for it.
    pub fn springs_within(&self, wait: Duration) -> bool {
        match self.heard.recv_timeout(wait) {
            Ok(name) => name == self.point.name(),
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => panic!("the pipe's reader has ended"),
        }
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        // Ends the reader; it may have ended already.
        let path = pipe_in(self.folder.path());
        let _ = File::options().read(true).write(true).open(path).and_then(|mut pipe| pipe.write_all(b"\n"));
    }
}

fn pipe_in(folder: &Path) -> PathBuf {
    folder.join("pipe")
}

/// The points that a process passed, in order.
pub struct Trace(TempDir);

impl Trace {
    pub fn begin() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![("DTA_CRASH_TRACE", self.path().into())]
    }

    /// How often each was passed.
    pub fn passed(&self) -> BTreeMap<CrashPoint, usize> {
        let mut passed = BTreeMap::new();
        for name in std::fs::read_to_string(self.path()).unwrap_or_default().lines() {
            let point = CrashPoint::ALL.iter().find(|point| point.name() == name);
            *passed.entry(*point.unwrap_or_else(|| panic!("no point {name:?}"))).or_default() += 1;
        }
        passed
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("trace")
    }
}
