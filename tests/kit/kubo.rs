//! A real Kubo in a process of its own, in a private network: for the suite of the block exchange and for tests of whole nodes.
//! They are ignored unless `scripts/test-kubo` runs them, which says where Kubo is.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A repository, and the daemon that serves it, if it runs; killed when dropped.
pub struct Kubo {
    folder: TempDir,
    /// What its RPC wants to be told, if anything.
    token: Option<String>,
    daemon: Option<Child>,
}

impl Kubo {
    /// A new one that runs: it finds free ports, and dials nobody of itself.
    pub fn start(swarm_key: &str) -> Self {
        Self::start_guarded(swarm_key, None)
    }

    /// As [`Kubo::start`]; nobody may call its RPC without this token.
    pub fn start_guarded(swarm_key: &str, token: Option<&str>) -> Self {
        let mut kubo = Self { folder: tempfile::tempdir().unwrap(), token: None, daemon: None };
        kubo.must(&["init", "--profile=test"]);
        std::fs::write(kubo.repository().join("swarm.key"), swarm_key).unwrap();
        kubo.set("/Bootstrap", json!([]));
        kubo.set("/AutoConf", json!({ "Enabled": false }));
        kubo.set("/AutoTLS", json!({ "Enabled": false }));
        kubo.set("/Routing", json!({ "Type": "none" }));
        if let Some(token) = token {
            let who = json!({ "AuthSecret": format!("bearer:{token}"), "AllowedPaths": ["/api/v0"] });
            kubo.set("/API/Authorizations", json!({ "dta": who }));
            kubo.token = Some(token.to_owned());
        }
        kubo.resume();
        kubo
    }

    fn set(&self, pointer: &str, value: Value) {
        let path = self.repository().join("config");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value;
        std::fs::write(&path, config.to_string()).unwrap();
    }

    /// Where it keeps all it has.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Where it keeps a block with this multihash, which is the CID's last 34 bytes.
    pub fn block_file(&self, multihash: &[u8]) -> PathBuf {
        let name = base32(multihash);
        let shard = &name[name.len() - 3..name.len() - 1];
        self.repository().join("blocks").join(shard).join(format!("{name}.data"))
    }

    /// Starts the daemon, again where it was.
    pub fn resume(&mut self) {
        assert!(self.daemon.is_none(), "it runs");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("daemon.log"))
            .unwrap();
        let mut daemon = self
            .command(&["daemon"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(daemon.stdout.take().unwrap());
        // scripts/test-kubo ends it if this process is not there any more to do so.
        std::fs::write(self.folder.path().join("kubo.pid"), daemon.id().to_string()).unwrap();
        self.daemon = Some(daemon);
        let mut lines = String::new();
        while !lines.contains("Daemon is ready") {
            let read = said.read_line(&mut lines).unwrap();
            assert!(read > 0, "Kubo did not start: {lines}{}", self.log());
        }
        // It must find somebody who reads what it says.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        // From now on it has these ports.
        self.set("/Addresses/API", json!(self.api()));
        self.set("/Addresses/Swarm", json!(self.swarm()));
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("daemon.log")).unwrap_or_default()
    }

    /// SIGTERM; waits until it has ended.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        let killed = Command::new("kill").arg(daemon.id().to_string()).status().unwrap();
        assert!(killed.success());
        daemon.wait().unwrap();
    }

    fn api(&self) -> String {
        std::fs::read_to_string(self.repository().join("api")).unwrap().trim().to_owned()
    }

    fn swarm(&self) -> Vec<String> {
        let listening = self.must(&["swarm", "addrs", "listen"]);
        listening.lines().map(str::to_owned).collect()
    }

    /// The URL of its RPC.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api().rsplit('/').next().unwrap())
    }

    /// Where others reach it, with its peer id.
    pub fn address(&self) -> String {
        let id: Value = serde_json::from_str(&self.must(&["id"])).unwrap();
        id["Addresses"][0].as_str().unwrap().to_owned()
    }

    /// Connects it to another; whether it does.
    pub fn connect(&self, address: &str) -> bool {
        self.run(&["swarm", "connect", address]).status.success()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(self.token.iter().map(|token| format!("--api-auth=bearer:{token}"))).args(arguments);
        command.env("IPFS_PATH", self.repository()).env("LIBP2P_FORCE_PNET", "1");
        command.env("IPFS_TELEMETRY", "off").env_remove("KUBO");
        command
    }

    /// Runs `ipfs` on it.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs `ipfs` on it; it must succeed. Answers its standard output.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ipfs {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // It may have ended already.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// `$KUBO`, else `ipfs` on the PATH.
fn program() -> PathBuf {
    let named = std::env::var_os("KUBO").filter(|path| !path.is_empty());
    named.map_or_else(|| "ipfs".into(), PathBuf::from)
}

/// As Kubo names files: upper case, without padding.
fn base32(bytes: &[u8]) -> String {
    let bit = |n: usize| bytes.get(n / 8).map_or(0, |byte| byte >> (7 - n % 8) & 1);
    let digit = |n: usize| (0..5).fold(0, |value, m| value << 1 | bit(n * 5 + m));
    (0..(bytes.len() * 8).div_ceil(5))
        .map(|n| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(digit(n))]))
        .collect()
}
