//! A sync takes long: what waits shares the next one, so that as many are served as before.

use crate::crowd::{at_once, count, home, length, seeds, stopped_whole};
use crate::disk::Disk;
use serde_json::json;

/// A sync of a disk that is worn out, in microseconds.
const SLOW_US: u32 = 40_000;

#[test]
fn sixty_four_clients_share_their_syncs() {
    let home = home("");
    let disk = Disk::of(&home);
    let node = disk.start(&home, SLOW_US);
    let me = node.cid();
    let (records, syncs) = (length(&node), disk.syncs());
    let rounds = 4;
    let answers = at_once(64, |_| {
        let one = |_| {
            let placed = node.post("/v1/order", &json!({})).is(200);
            node.redeem(&placed.str("orderReference"), &me)
        };
        (0..rounds).map(one).collect::<Vec<_>>()
    });
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(count(&answers, 200), 64 * rounds);
    let (records, syncs) = (length(&node) - records, disk.syncs() - syncs);
    println!("{records} records in {syncs} syncs");
    assert_eq!(records, 64 * rounds as u64 * 5);
    assert!(syncs * 8 <= records, "{records} records in {syncs} syncs");
    // Alone, each waits for its own.
    let syncs = disk.syncs();
    node.place("");
    assert_eq!(disk.syncs() - syncs, 2);
    assert_eq!(seeds(&node), 64 * rounds as u64 + 1);
    stopped_whole(&home, node);
}
