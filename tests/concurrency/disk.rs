//! A disk that does as the test says: `disk.c`, compiled by the system's compiler and put before the C library's.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::kit::{Home, Node};

/// Of one home's node.
pub struct Disk {
    folder: TempDir,
    root: String,
}

fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source =
            PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("tests/concurrency/disk.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("disk-{}.so", std::process::id()));
        let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compile
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl");
        let compiled = compile.output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    })
}

impl Disk {
    /// That of all of a home.
    pub fn of(home: &Home) -> Self {
        Self::below(&home.path())
    }

    /// That of what lies in this folder.
    pub fn below(root: &Path) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), root: root.to_str().unwrap().to_owned() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node on it; each sync of its log takes this long at least.
    pub fn try_start(&self, home: &Home, delay_us: u32) -> Result<Node, String> {
        let environment = [
            ("LD_PRELOAD", library().as_os_str().to_owned()),
            ("DISK_ROOT", self.root.as_str().into()),
            ("DISK_GATE", self.file("gate").into()),
            ("DISK_SYNCS", self.file("syncs").into()),
            ("DISK_DELAY", delay_us.to_string().into()),
            ("DISK_FULL", self.file("full").into()),
            ("DISK_LEFT", self.file("left").into()),
        ];
        home.try_start(&environment).map_err(|(status, said)| format!("{status}: {said}"))
    }

    pub fn start(&self, home: &Home, delay_us: u32) -> Node {
        self.try_start(home, delay_us).unwrap()
    }

    /// From now on syncs of the log wait.
    pub fn hold(&self) {
        std::fs::write(self.file("gate"), "").unwrap();
    }

    pub fn let_go(&self) {
        std::fs::remove_file(self.file("gate")).unwrap();
    }

    /// How many syncs of the log there were.
    pub fn syncs(&self) -> u64 {
        std::fs::metadata(self.file("syncs")).map_or(0, |found| found.len())
    }

    /// Full after this many more writes.
    pub fn fill(&self, writes_left: usize) {
        std::fs::write(self.file("left"), vec![b'w'; writes_left]).unwrap();
        std::fs::write(self.file("full"), "").unwrap();
    }

    pub fn free(&self) {
        std::fs::remove_file(self.file("full")).unwrap();
    }
}
