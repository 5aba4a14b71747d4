//! A log that is filled from copies of another's records is that log, and takes nothing that does not follow.

use super::*;
use crate::actors::log::adopt::Adopted;

fn lived() -> MemoryLog {
    let log = memory(&MemoryStore::default());
    fill(&log);
    log
}

/// Its records, each with what it published.
fn copies(log: &dyn LogReader) -> Vec<Adopted> {
    let published = log.published(None, usize::MAX).unwrap();
    let records = log.read(0, usize::MAX).unwrap().into_iter();
    records
        .map(|(sequence, record)| {
            let of_it = published.iter().filter(|(at, _)| at.sequence == sequence);
            let block = |(_, block): &(PublishedAt, PublishedBlock)| Block {
                cid: *block.cid(),
                class: BlockClass::Published,
                bytes: block.bytes().to_vec(),
            };
            Adopted { record, blocks: of_it.map(block).collect() }
        })
        .collect()
}

type Harm = Box<dyn Fn(&mut Vec<Adopted>)>;

#[test]
fn it_is_the_same_log_and_goes_on() {
    let lived = lived();
    for at_once in 1..=6 {
        let log = memory(&MemoryStore::default());
        let mut left = copies(&lived);
        while !left.is_empty() {
            let rest = left.split_off(at_once.min(left.len()));
            log.adopt(std::mem::replace(&mut left, rest)).unwrap();
        }
        log.set_timers(&mut |_| {}).unwrap();
        assert_eq!(log.head(), lived.head());
        assert_eq!(log.read(0, 9), lived.read(0, 9));
        assert_eq!(log.due(u64::MAX, 9), lived.due(u64::MAX, 9));
        assert_eq!(log.claim(&[0x11; 32]), lived.claim(&[0x11; 32]));
        assert_eq!(log.published(None, 9), lived.published(None, 9));
        verified(&log);
        // A held block that its records name comes on its own.
        log.hold(vec![Block { cid: cid(b"secret"), class: BlockClass::Published, bytes: b"secret".into() }])
            .unwrap();
        assert!(matches!(log.block(&cid(b"secret")), Ok(Some(StoredBlock::Held(_)))));
        assert_eq!(log.published(None, 9), lived.published(None, 9));
        taken(&log, append(2, 1));
        verified(&log);
    }
}

#[test]
fn what_does_not_follow_is_refused_and_nothing_of_its_batch_is_taken() {
    let lived = lived();
    let bad: [(&str, Harm); 6] = [
        ("0 follows nothing", Box::new(|copies| drop(copies.remove(0)))),
        ("a gap", Box::new(|copies| drop(copies.remove(2)))),
        ("exchanged", Box::new(|copies| copies.swap(1, 2))),
        ("twice", Box::new(|copies| copies[3].record = copies[2].record.clone())),
        ("a bit", Box::new(|copies| copies[1].record[60] ^= 1)),
        ("cut", Box::new(|copies| _ = copies[5].record.pop())),
    ];
    for (what, harm) in bad {
        let log = memory(&MemoryStore::default());
        let mut copies = copies(&lived);
        harm(&mut copies);
        assert!(matches!(log.adopt(copies), Err(ReadError::Damaged(_))), "{what}");
        assert_eq!(log.head().unwrap().count, 0, "{what}");
        verified(&log);
        log.adopt(self::copies(&lived)).unwrap();
        assert_eq!(log.head(), lived.head(), "{what}");
    }
}
