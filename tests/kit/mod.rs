//! A real node in a process of its own, and what tests ask of it.
#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::panic)]

pub mod leaks;
pub mod token;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use dta_events::Rules;
use dta_protocol::Cid;
use milagro_dta::actors::checkpoints::found;
use milagro_dta::actors::log::RocksLog;
use milagro_dta::node::open::whose;
use reqwest::blocking::{Client, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home that goes away with the test.
pub struct Home {
    folder: TempDir,
    /// What runs here.
    program: PathBuf,
}

impl Home {
    /// A home in which `dta init` has run.
    pub fn initialised() -> Self {
        let home = Self::empty();
        home.must(&["init", "--name", "test"]);
        home
    }

    pub fn empty() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// As [`Home::empty`], where syncs cost nothing.
    pub fn in_memory() -> Self {
        Self::in_folder(in_memory())
    }

    /// A home of its own that holds what another did, with what lies beside that.
    pub fn copied(from: &Path) -> Self {
        Self::copied_without(from, "")
    }

    /// As [`Home::copied`], but for folders of this name.
    pub fn copied_without(from: &Path, name: &str) -> Self {
        let home = Self::in_memory();
        copy_all_but(from, home.folder.path(), name);
        home
    }

    fn in_folder(folder: TempDir) -> Self {
        Self { folder, program: env!("CARGO_BIN_EXE_dta").into() }
    }

    /// With another program than `dta`.
    #[must_use]
    pub fn with_program(self, program: PathBuf) -> Self {
        Self { program, ..self }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Where the home lies, and copies of its seeds beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `dta` here.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs `dta` here with this on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs `dta` here; it must succeed. Answers its standard output.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}: {}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs `dta` here; it must fail. Answers its standard error.
    pub fn must_fail(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// The newest checkpoint of its log and its number, also while a node runs; none before the first.
    pub fn newest_checkpoint(&self) -> Option<(u64, Cid)> {
        let log = RocksLog::open_read_only(&self.path().join("log"), Arc::new(Rules)).unwrap();
        let last = found(&log, &whose(&log).unwrap()).unwrap().0.last?;
        Some((last.checkpointed.number, last.checkpointed.cid))
    }

    pub fn settings(&self, text: &str) {
        std::fs::create_dir_all(self.path()).unwrap();
        std::fs::write(self.path().join("config.toml"), text).unwrap();
    }

    pub fn start(&self) -> Node {
        self.start_with(&[])
    }

    pub fn start_with(&self, arguments: &[&str]) -> Node {
        self.launch(arguments, &self.log())
    }

    /// Where its nodes write their log lines.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// Its log lines go where they may not be writable.
    pub fn start_logging_to(&self, log: &Path) -> Node {
        self.launch(&[], log)
    }

    /// Nodes of tests run side by side: unless a test says where, its IPFS node listens on any free port.
    fn ipfs_anywhere(&self) {
        let path = self.path().join("config.toml");
        let Ok(settings) = std::fs::read_to_string(&path) else { return };
        if !settings.lines().any(|line| line == "[ipfs]") {
            let anywhere = "[ipfs]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\n";
            std::fs::write(path, settings + "\n" + anywhere).unwrap();
        }
    }

    fn launch(&self, arguments: &[&str], log: &Path) -> Node {
        self.spawn(arguments, log, &[]).listens()
    }

    /// A node that may not start: then how it ended and what it said.
    pub fn try_start(&self, environment: &Environment) -> Result<Node, (ExitStatus, String)> {
        self.spawn(&[], &self.log(), environment).comes_up()
    }

    /// Starts a node with this in its environment besides, and does not wait for it.
    pub fn start_under(&self, environment: &Environment) -> Starting {
        self.spawn(&[], &self.log(), environment)
    }

    fn spawn(&self, arguments: &[&str], log: &Path, environment: &Environment) -> Starting {
        self.ipfs_anywhere();
        let mut all = vec!["daemon", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let lines = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = self.command(&all);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut process = command.stdout(Stdio::piped()).stderr(lines).spawn().unwrap();
        let said = process.stdout.take().unwrap();
        Starting { process: Running(process), said, log: log.to_owned() }
    }

    /// Puts a copy of another home in the place of this one, with its log lines gone.
    pub fn replace_by(&self, other: &Path) {
        // There is none before the first.
        let _ = std::fs::remove_dir_all(self.path());
        let _ = std::fs::remove_file(self.log());
        copy_tree(other, &self.path());
    }
}

/// Variables and their values.
pub type Environment = [(&'static str, std::ffi::OsString)];

/// A node that has been started and may or may not get so far as to listen.
pub struct Starting {
    process: Running,
    said: ChildStdout,
    log: PathBuf,
}

impl Starting {
    /// Waits until it listens.
    pub fn listens(self) -> Node {
        self.comes_up().unwrap_or_else(|(status, lines)| panic!("the node did not start: {status}: {lines}"))
    }

    fn comes_up(self) -> Result<Node, (ExitStatus, String)> {
        let Self { mut process, said, log } = self;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            return Err((process.0.wait().unwrap(), lines_in(&log)));
        };
        let client = Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
        Ok(Node { url: url.to_owned(), process, client, log })
    }
}

/// A folder that is not on a disk, if the machine has such.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies all below a folder into another, modes too.
pub fn copy_tree(from: &Path, to: &Path) {
    copy_all_but(from, to, "");
}

fn copy_all_but(from: &Path, to: &Path, name: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true if entry.file_name() == name => {}
            true => copy_all_but(&from, &to, name),
            false => _ = std::fs::copy(&from, &to).unwrap(),
        }
    }
}

/// A process, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a node logged; nothing of a device, which may be read without end.
fn lines_in(log: &Path) -> String {
    if log.is_file() { std::fs::read_to_string(log).unwrap_or_default() } else { String::new() }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running node; killed when dropped.
pub struct Node {
    pub url: String,
    pub log: PathBuf,
    process: Running,
    client: Client,
}

/// An answer: status and JSON.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    fn of(response: Response) -> Self {
        Self::read(response).unwrap()
    }

    /// An answer that may break off.
    pub fn read(response: Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let text = response.text()?;
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: not JSON: {text:?}"));
        Ok(Self { status, body })
    }

    pub fn str(&self, key: &str) -> String {
        self.body[key].as_str().unwrap_or_else(|| panic!("no {key} in {self:?}")).to_owned()
    }

    /// The answer must be this status.
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The answer must be a refusal with this status and code.
    pub fn refuses(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        self
    }
}

impl Node {
    /// SIGKILL, as a power failure.
    pub fn kill(self) {
        drop(self.process);
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let killed = Command::new("kill").arg(self.process.0.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// The process, for what only the system knows of it.
    pub fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// Waits for it to end of itself.
    pub fn ends(mut self) -> ExitStatus {
        self.process.0.wait().unwrap()
    }

    /// SIGTERM; it must end in good order.
    pub fn stop(self) {
        self.terminate();
        self.ends_well();
    }

    /// Waits until it has ended of itself, in good order.
    pub fn ends_well(mut self) {
        let status = self.process.0.wait().unwrap();
        assert!(status.success(), "{status}: {}", lines_in(&self.log));
    }

    pub fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.url)).send().unwrap())
    }

    pub fn bytes(&self, path: &str) -> (u16, Vec<u8>) {
        self.try_bytes(path).expect("an answer")
    }

    /// As [`Node::bytes`]; nothing if the connection breaks off.
    pub fn try_bytes(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let response = self.client.get(format!("{}{path}", self.url)).send().ok()?;
        Some((response.status().as_u16(), response.bytes().ok()?.to_vec()))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_under(path, body, None)
    }

    /// A POST with an `Idempotency-Key`.
    pub fn post_under(&self, path: &str, body: &Value, key: Option<&str>) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.url)).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        Answer::of(request.send().unwrap())
    }

    pub fn cid(&self) -> String {
        self.get("/v1/status").is(200).str("nodeCID")
    }

    pub fn identity(&self, name: &str) -> String {
        self.post("/v1/identity", &json!({ "name": name })).is(200).str("idDocumentCID")
    }

    /// Places an order; answers its reference and commitment.
    pub fn place(&self, beneficiary: &str) -> (String, String) {
        let placed = self.post("/v1/order", &json!({ "beneficiaryIDDocumentCID": beneficiary })).is(200);
        (placed.str("orderReference"), placed.str("commitment"))
    }

    pub fn redeem(&self, reference: &str, beneficiary: &str) -> Answer {
        self.try_redeem(reference, beneficiary).expect("an answer")
    }

    /// As [`Node::redeem`]; nothing if the connection breaks off.
    pub fn try_redeem(&self, reference: &str, beneficiary: &str) -> Option<Answer> {
        let body = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": beneficiary });
        let request = self.client.post(format!("{}/v1/order/secret", self.url)).json(&body);
        request.send().ok().and_then(|response| Answer::read(response).ok())
    }

    pub fn state(&self, reference: &str) -> String {
        let order = self.get(&format!("/v1/order/{reference}")).is(200).str("order");
        serde_json::from_str::<Value>(&order).unwrap()["State"].as_str().unwrap().to_owned()
    }

    /// The steps, refusals and evidence of an order's history, in order.
    pub fn steps(&self, reference: &str) -> Vec<String> {
        let history = self.get(&format!("/v1/order/{reference}/history")).is(200);
        let entries = history.body["history"].as_array().unwrap().clone();
        let name = |entry: &Value| {
            entry["step"]
                .as_str()
                .or(entry["refused"]["code"].as_str())
                .or(entry["retentionEnded"].as_str())
                .or(entry["equivocation"].is_object().then_some("equivocation"))
                .map(str::to_owned)
        };
        entries.iter().map(|entry| name(entry).unwrap_or_else(|| panic!("{entry}"))).collect()
    }

    /// Asks until the answer is as wanted; the node must get there of itself.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = std::time::Instant::now();
        while !holds(self) {
            assert!(began.elapsed().as_secs() < 60, "{what}: not within a minute");
            pause();
        }
    }
}

/// Between two looks at a node: a loop without it would take the cores from those who work.
pub fn pause() {
    std::thread::park_timeout(std::time::Duration::from_millis(10));
}

/// The uncompressed public key of a secret, in hex.
pub fn public_key_of(secret: &str) -> String {
    let bytes: [u8; 32] = hex::decode(secret).unwrap().try_into().unwrap();
    let key = dta_crypto::OrderKey::from_secret(dta_crypto::Secret::from_bytes(bytes)).unwrap();
    hex::encode(key.commitment())
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
