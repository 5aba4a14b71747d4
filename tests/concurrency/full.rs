//! A full disk: what cannot be kept is not answered, and when there is room again nothing that was answered is missing.

use std::path::Path;
use std::process::Command;

use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::crowd::{home, length, orders, seeds, stopped_whole};
use crate::disk::Disk;
use crate::kit::{Home, Node, public_key_of};

/// Places an order at a node that may be gone: status and body, or none if the connection broke.
fn placed(node: &Node) -> Option<(u16, Value)> {
    let response = Client::new().post(format!("{}/v1/order", node.url)).json(&json!({})).send().ok()?;
    let status = response.status().as_u16();
    response.json().ok().map(|body| (status, body))
}

fn redeemed(node: &Node, order: &Value) {
    let reference = order["orderReference"].as_str().unwrap();
    let secret = node.redeem(reference, &node.cid()).is(200).str("secret");
    assert_eq!(public_key_of(&secret), order["commitment"].as_str().unwrap());
}

#[test]
fn the_log_meets_a_full_disk_at_any_of_its_writes() {
    let mut ended = 0;
    for left in [0, 1, 2, 3, 5, 8, 13, 21, 34] {
        let home = home("[storage]\nreserve_bytes = 0\n");
        let disk = Disk::of(&home);
        let node = disk.start(&home, 0);
        let mut answered: Vec<Value> = (0..3).map(|_| placed(&node).unwrap().1).collect();
        disk.fill(left);
        // Until something is not done.
        let refused = loop {
            match placed(&node) {
                Some((200, order)) => answered.push(order),
                other => break other,
            }
        };
        match refused {
            // What was written is uncertain, so the process has ended at once.
            None => {
                use std::os::unix::process::ExitStatusExt as _;
                assert_eq!(node.ends().signal(), Some(6), "it aborts");
                ended += 1;
            }
            Some((status, body)) => {
                assert!(status == 503 || status == 202, "{left}: {status} {body}");
                node.kill();
            }
        }
        // While it is full a start says so, or serves.
        match disk.try_start(&home, 0) {
            Ok(node) => node.kill(),
            Err(said) => {
                assert!(said.contains("exit status: 1") && !said.contains("panicked"), "{left}: {said}");
                assert!(said.contains("No space left on device"), "{left}: {said}");
            }
        }
        disk.free();
        let node = disk.start(&home, 0);
        answered.iter().for_each(|order| redeemed(&node, order));
        // What was not answered is there whole, or not at all.
        node.until("every order has its commitment", |node| orders(node).len() as u64 == seeds(node));
        redeemed(&node, &placed(&node).unwrap().1);
        stopped_whole(&home, node);
    }
    assert!(ended > 4, "{ended}");
}

#[test]
fn custody_meets_a_full_disk() {
    for full in ["seeds", "../copy"] {
        let home = Home::in_memory();
        std::fs::create_dir(home.folder().join("copy")).unwrap();
        home.settings("[ipfs]\nconnector = \"none\"\n[[seeds]]\ncopies = [\"../copy\"]\n");
        home.must(&["init", "--name", "bob"]);
        let folder = std::fs::canonicalize(home.path().join(full)).unwrap();
        let disk = Disk::below(&folder);
        let node = disk.start(&home, 0);
        let kept: Vec<Value> = (0..3).map(|_| placed(&node).unwrap().1).collect();
        disk.fill(0);
        for _ in 0..4 {
            let (status, body) = placed(&node).unwrap();
            assert!([202, 503].contains(&status) && body["commitment"].is_null(), "{full}: {status} {body}");
            if status == 503 {
                assert_eq!(body["code"], "custody-full", "{full}: {body}");
            }
        }
        // What was kept before is released all the same.
        redeemed(&node, &kept[0]);
        disk.free();
        node.until("custody takes orders again", |node| placed(node).unwrap().0 == 200);
        node.until("every order has its commitment", |node| {
            orders(node).iter().all(|order| {
                let one = node.get(&format!("/v1/order/{order}")).is(200).str("order");
                serde_json::from_str::<Value>(&one).unwrap()["OrderPart2"].is_object()
            })
        });
        let (all, last) = (orders(&node), placed(&node).unwrap().1);
        node.kill();
        // Each copy alone has every seed.
        for gone in ["home/seeds", "copy"] {
            let home = Home::copied(home.folder());
            std::fs::remove_dir_all(home.folder().join(gone)).unwrap();
            let node = home.start();
            redeemed(&node, &last);
            redeemed(&node, &kept[1]);
            for order in &all {
                let secret = node.redeem(order, &node.cid()).is(200).str("secret");
                let one = node.get(&format!("/v1/order/{order}")).is(200).str("order");
                let one: Value = serde_json::from_str(&one).unwrap();
                assert_eq!(one["OrderPart2"]["CommitmentPublicKey"], public_key_of(&secret));
            }
            node.stop();
        }
    }
}

#[test]
fn the_read_models_meet_a_full_disk_and_go_on() {
    let home = home("");
    let disk = Disk::below(&home.path().join("views"));
    let node = disk.start(&home, 0);
    redeemed(&node, &placed(&node).unwrap().1);
    disk.fill(0);
    let (status, order) = placed(&node).unwrap();
    assert_eq!(status, 200, "an order needs no read model: {order}");
    node.until("the status says it", |node| {
        let status = node.get("/v1/status").is(200).body;
        status["projections"].as_array().unwrap().iter().any(|one| one["halted"].is_string())
    });
    disk.free();
    node.until("they go on of themselves", |node| {
        let status = node.get("/v1/status").is(200).body;
        let models = status["projections"].as_array().unwrap();
        models.iter().all(|one| one["halted"].is_null() && one["position"] == status["logLength"])
    });
    redeemed(&node, &order);
    stopped_whole(&home, node);
}

/// A disk of its own, in memory, as long as this lives.
struct Volume<'a>(&'a Path);

impl<'a> Volume<'a> {
    /// None if this user may not make one.
    fn of(path: &'a Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={bytes},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(path))
    }
}

impl Drop for Volume<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// What a small disk leaves free for the log, in bytes.
const RESERVE: u64 = 8 << 20;

#[test]
fn a_real_disk_fills_up_to_the_reserve_and_beyond() {
    let home = Home::in_memory();
    let path = home.path();
    let Some(_volume) = Volume::of(&path, 64 << 20) else {
        println!("not tried: this user may not mount a file system");
        return;
    };
    home.settings(&format!("[ipfs]\nconnector = \"none\"\n[storage]\nreserve_bytes = {RESERVE}\n"));
    home.must(&["init", "--name", "bob"]);
    let node = home.start();
    let first = placed(&node).unwrap().1;
    let before = length(&node);
    // Somebody else fills it: up to the reserve, then to the last byte.
    let ballast = path.join("ballast");
    for bytes in [(64 << 20) - RESERVE, 64 << 20] {
        fill(&ballast, bytes);
        node.until("it takes no commands", |node| node.get("/v1/ready").status == 503);
        for _ in 0..3 {
            let (status, body) = placed(&node).unwrap();
            assert_eq!((status, body["code"].as_str()), (503, Some("log-space")), "{body}");
        }
        node.get("/v1/ready").refuses(503, "log-space");
        let reference = first["orderReference"].as_str().unwrap();
        node.redeem(reference, &node.cid()).refuses(503, "log-space");
        assert_eq!(node.state(reference), "Committed", "queries go on");
        assert_eq!((length(&node), orders(&node).len()), (before, 1), "nothing half done");
        home.must(&["log", "verify", "--deep"]);
    }
    std::fs::remove_file(&ballast).unwrap();
    node.until("it takes commands again", |node| node.get("/v1/ready").status == 200);
    redeemed(&node, &first);
    redeemed(&node, &placed(&node).unwrap().1);
    node.kill();
    // Full while it is down.
    fill(&ballast, 64 << 20);
    if let Err((status, said)) = home.try_start(&[]) {
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("No space left on device") && !said.contains("panicked"), "{said}");
    }
    std::fs::remove_file(&ballast).unwrap();
    let node = home.start();
    redeemed(&node, &first);
    stopped_whole(&home, node);
}

/// Writes until the file has so many bytes or the disk is full.
fn fill(file: &Path, bytes: u64) {
    use std::io::Write as _;
    let mut file = std::fs::File::options().create(true).append(true).open(file).unwrap();
    let mut written = file.metadata().unwrap().len();
    let block = [0; 4_096];
    while written < bytes && file.write_all(&block).is_ok() {
        written += 4_096;
    }
}
