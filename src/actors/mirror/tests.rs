//! The mirror over a log in memory and an exchange that can be told to fail: order, catching up, crashes, what never leaves.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dta_protocol::{Cid, Codec};

use super::*;
use crate::actors::ipfs::memory::{MemoryExchange, MemoryNetwork};
use crate::actors::ipfs::testing::{append, log, publish, publish_held, raw, until};
use crate::actors::log::BlockClass::{Held, Published};
use crate::actors::log::LogReader;
use crate::actors::log::memory::MemoryLog;

const DAY_MS: u64 = 86_400_000;
const SOON: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(8));

#[derive(Default)]
struct Hands(AtomicU64);

impl Clock for Hands {
    fn wall_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn monotonic_ms(&self) -> u64 {
        self.wall_ms()
    }
}

/// A log, an exchange and a folder that outlive the mirror, as a node's outlive its process.
struct World {
    log: Arc<MemoryLog>,
    exchange: MemoryExchange,
    clock: Arc<Hands>,
    folder: tempfile::TempDir,
    head: watch::Sender<u64>,
    keep_blocks: Option<u64>,
}

impl World {
    fn new() -> Self {
        Self {
            log: log(),
            exchange: MemoryNetwork::new().join("alice"),
            clock: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            head: watch::channel(0).0,
            keep_blocks: None,
        }
    }

    fn start(&self) -> Mirror {
        let parts = Parts {
            log: self.log.clone(),
            exchange: Arc::new(self.exchange.clone()),
            head: self.head.subscribe(),
            position: self.position(),
            clock: self.clock.clone(),
            backoff: SOON,
            keep_blocks: self.keep_blocks,
        };
        Mirror::start(parts, &Handle::current())
    }

    fn position(&self) -> std::path::PathBuf {
        self.folder.path().join("mirror.json")
    }

    /// As the writer says after a commit.
    fn committed(&self) -> u64 {
        let count = self.log.head().unwrap().count;
        self.head.send_replace(count);
        count
    }

    fn publish(&self, contents: &[String]) -> Vec<Cid> {
        let cids = publish(&*self.log, contents);
        self.committed();
        cids
    }

    async fn caught_up(&self, mirror: &Mirror) {
        let count = self.committed();
        let done = MirrorStatus { mirrored: count, trouble: None };
        mirror.handle().watch().wait_for(|status| *status == done).await.unwrap();
    }
}

fn contents(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("block {n}")).collect()
}

async fn in_trouble(mirror: &Mirror) -> Trouble {
    let mut status = mirror.handle().watch();
    status.wait_for(|status| status.trouble.is_some()).await.unwrap().trouble.clone().unwrap()
}

fn stored(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn what_is_published_is_copied_in_order_and_once() {
    let world = World::new();
    let mut expected = world.publish(&contents(0..150));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    // A record with several blocks, and records with none, while it runs.
    let several =
        [(raw(b"x"), Published, &b"x"[..]), (raw(b"a"), Published, b"a"), (raw(b"m"), Published, b"m")];
    expected.extend(append(&*world.log, &several));
    append(&*world.log, &[]);
    world.caught_up(&mirror).await;
    expected.extend(world.publish(&contents(150..160)));
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), expected);
    mirror.stop().await;
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), expected, "a restart copies nothing again");
}

#[tokio::test]
async fn nothing_held_leaves() {
    let world = World::new();
    let secret = raw(b"sealed secret");
    append(&*world.log, &[(secret, Held, b"sealed secret"), (raw(b"open"), Published, b"open")]);
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), [raw(b"open")]);
    assert_eq!(world.exchange.has(secret).await, Ok(false));
    publish_held(&*world.log, &secret);
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), [raw(b"open"), secret], "once it is published it does");
}

#[tokio::test]
async fn a_day_offline_is_shown_and_caught_up() {
    let world = World::new();
    world.clock.0.store(1_000, Ordering::Relaxed);
    let mut expected = world.publish(&contents(0..3));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    world.exchange.let_puts(Some(0));
    expected.extend(world.publish(&contents(3..4)));
    let first = in_trouble(&mirror).await;
    assert_eq!(first, Trouble { error: "the IPFS store fails: told to fail".into(), since_ms: 1_000 });
    world.clock.0.store(1_000 + DAY_MS, Ordering::Relaxed);
    expected.extend(world.publish(&contents(4..200)));
    let mut status = mirror.handle().watch();
    // A few tries later it still says since when.
    world.exchange.let_puts(Some(70));
    status.wait_for(|status| status.mirrored > 60).await.unwrap();
    let status = mirror.handle().status();
    assert!(status.mirrored < 80, "{status:?}");
    world.exchange.let_puts(None);
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), expected);
}

#[tokio::test]
async fn an_exchange_that_is_away_stops_neither_the_start_nor_the_stop() {
    let world = World::new();
    world.exchange.let_puts(Some(0));
    let expected = world.publish(&contents(0..5));
    let mirror = world.start();
    in_trouble(&mirror).await;
    mirror.stop().await;
    assert!(!world.position().exists());
    world.exchange.let_puts(None);
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), expected);
}

#[tokio::test]
async fn a_stop_copies_what_is_left() {
    let world = World::new();
    let mut expected = world.publish(&contents(0..1));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    expected.extend(world.publish(&contents(1..100)));
    mirror.stop().await;
    assert_eq!(world.exchange.puts(), expected);
}

#[tokio::test]
async fn a_crash_between_copy_and_note_copies_again_and_loses_nothing() {
    let world = World::new();
    let first = world.publish(&contents(0..10));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    let noted = stored(&world.position());
    let later = world.publish(&contents(10..20));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    // As it would be had the process died before it was replaced.
    std::fs::write(world.position(), noted).unwrap();
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), [first, later.clone(), later].concat());
}

#[tokio::test]
async fn a_position_that_cannot_be_written_is_trouble_and_passes() {
    let world = World::new();
    std::fs::create_dir(world.position()).unwrap();
    world.publish(&contents(0..2));
    let mirror = world.start();
    let trouble = in_trouble(&mirror).await;
    assert!(trouble.error.starts_with("the mirror's position is not written: "), "{trouble:?}");
    std::fs::remove_dir(world.position()).unwrap();
    world.caught_up(&mirror).await;
    assert!(world.position().is_file());
}

#[tokio::test]
async fn a_position_that_is_not_this_logs_begins_anew() {
    let world = World::new();
    let all = world.publish(&contents(0..5));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    let good = stored(&world.position());
    let named =
        |sequence: u64, n: u32, cid: &Cid| format!(r#"{{"sequence":{sequence},"n":{n},"cid":"{cid}"}}"#);
    assert_eq!(good, named(4, 0, &all[4]));
    for bad in [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        good[..good.len() - 1].to_owned(),
        good.replace('}', r#","more":1}"#),
        named(4, 0, &all[3]),
        named(4, 1, &all[4]),
        named(0, 0, &all[4]),
        named(5, 0, &all[4]),
        named(u64::MAX, u32::MAX, &all[4]),
        named(3, 0, &Cid::of(Codec::DagCbor, b"block 3")),
        good.replace('}', r#","forgotten":{"sequence":4,"n":1}}"#),
        good.replace('}', r#","forgotten":{"sequence":3}}"#),
        good.replace("\"sequence\":4", "\"sequence\":-1"),
        " ".repeat(5_000) + &good,
    ] {
        std::fs::write(world.position(), &bad).unwrap();
        let before = world.exchange.puts().len();
        let mirror = world.start();
        world.caught_up(&mirror).await;
        assert_eq!(world.exchange.puts()[before..], all, "{bad}");
        mirror.stop().await;
        assert_eq!(stored(&world.position()), good);
    }
}

#[tokio::test]
async fn a_log_that_lost_its_end_and_grew_another_is_copied_from_its_beginning() {
    let world = World::new();
    world.publish(&contents(0..5));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    let other = World { log: log(), head: watch::channel(0).0, ..world };
    let expected = other.publish(&contents(100..110));
    let before = other.exchange.puts().len();
    let mirror = other.start();
    other.caught_up(&mirror).await;
    assert_eq!(other.exchange.puts()[before..], expected);
}

#[tokio::test]
async fn what_the_exchange_lost_or_damaged_meanwhile_is_copied_again() {
    let world = World::new();
    let all = world.publish(&contents(0..200));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    let harmed = [all[0], all[70], all[199]];
    world.exchange.lose(&harmed[0]);
    world.exchange.damage(&harmed[1]);
    world.exchange.lose(&harmed[2]);
    let before = world.exchange.puts().len();
    let mirror = world.start();
    world.caught_up(&mirror).await;
    // New ones do not wait until it has looked at all.
    let new = world.publish(&contents(200..201));
    world.caught_up(&mirror).await;
    until("all are there again", || async { world.exchange.puts().len() == before + 4 }).await;
    let mut put = world.exchange.puts()[before..].to_vec();
    put.retain(|cid| *cid != new[0]);
    assert_eq!(put, harmed);
    for cid in all {
        assert_eq!(world.exchange.whole(cid).await, Ok(true));
    }
}

/// Which of these the exchange has, as a range that they must be.
async fn kept(world: &World, all: &[Cid]) -> std::ops::Range<usize> {
    let mut there = Vec::new();
    for (n, cid) in all.iter().enumerate() {
        if world.exchange.has(*cid).await.unwrap() {
            there.push(n);
        }
    }
    let range = there.first().map_or(0..0, |first| *first..first + there.len());
    assert_eq!(there, range.clone().collect::<Vec<_>>());
    range
}

#[tokio::test]
async fn only_the_newest_are_kept_and_the_look_after_a_start_brings_back_none_else() {
    let world = World { keep_blocks: Some(100), ..World::new() };
    let mut all = world.publish(&contents(0..90));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 0..90);
    all.extend(world.publish(&contents(90..350)));
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 250..350);
    mirror.stop().await;
    assert!(stored(&world.position()).ends_with(r#""forgotten":{"sequence":249,"n":0}}"#));
    world.exchange.lose(&all[300]);
    let before = world.exchange.puts().len();
    let mirror = world.start();
    until("it is there again", || async { world.exchange.puts().len() > before }).await;
    all.extend(world.publish(&contents(350..380)));
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 280..380, "the count goes on where it was");
    mirror.stop().await;
    assert_eq!(world.exchange.puts()[..350], all[..350]);
    let mut after = world.exchange.puts()[before..].to_vec();
    after.retain(|cid| *cid != all[300]);
    assert_eq!(after, all[350..]);
}

#[tokio::test]
async fn who_kept_all_keeps_the_newest_once_it_is_told_to_and_the_other_way_round() {
    let world = World::new();
    let mut all = world.publish(&contents(0..300));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    mirror.stop().await;
    let world = World { keep_blocks: Some(120), ..world };
    let mirror = world.start();
    all.extend(world.publish(&contents(300..301)));
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 181..301);
    mirror.stop().await;
    let world = World { keep_blocks: Some(1_000), ..world };
    let mirror = world.start();
    all.extend(world.publish(&contents(301..400)));
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 181..400, "what is older is served from the log");
    mirror.stop().await;
}

#[tokio::test]
async fn what_is_not_kept_is_not_copied_anew() {
    let world = World { keep_blocks: Some(100), ..World::new() };
    let all = world.publish(&contents(0..1_000));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    assert_eq!(world.exchange.puts(), all[900..]);
    mirror.stop().await;
}

#[tokio::test]
async fn an_exchange_that_does_not_forget_is_in_trouble_and_forgets_later() {
    let world = World { keep_blocks: Some(100), ..World::new() };
    let all = world.publish(&contents(0..100));
    let mirror = world.start();
    world.caught_up(&mirror).await;
    world.exchange.let_forget(false);
    world.publish(&contents(100..101));
    in_trouble(&mirror).await;
    world.exchange.let_forget(true);
    world.caught_up(&mirror).await;
    assert_eq!(kept(&world, &all).await, 1..100);
    mirror.stop().await;
}

#[tokio::test]
async fn a_block_that_is_damaged_in_the_log_is_not_passed_over() {
    let world = World::new();
    append(&*world.log, &[(raw(b"this"), Published, b"that")]);
    world.publish(&contents(0..1));
    let mirror = world.start();
    let trouble = in_trouble(&mirror).await;
    assert!(trouble.error.contains("not those its CID names"), "{trouble:?}");
    until("it tries again", || async { mirror.handle().status().trouble.is_some() }).await;
    assert!(world.exchange.puts().is_empty());
}
