//! The read model of pins: whom the operator trusts now, since when, and whose log is followed; one row an identity.

use dta_events::peer::Event;
use dta_events::record::{AggregateKind, Effect, Record};
use dta_protocol::Cid;
use serde::{Deserialize, Serialize};

use crate::projection::{Change, Projection, ProjectionError, Rows};

/// One pin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRow {
    /// Whose.
    pub identity: Cid,
    /// Where its node serves peer calls, if it does.
    pub url: Option<String>,
    /// The record that pinned it; another URL since then has not changed this.
    pub since: u64,
    /// When that was, by this node's clock, milliseconds since 1970 UTC.
    pub since_ms: u64,
    /// Whether a copy of its log is kept.
    pub followed: bool,
}

/// The first byte of every row key; the identity's aggregate id follows.
pub const PEER_PREFIX: &[u8] = b"p";

fn key(id: &[u8; 32]) -> Vec<u8> {
    [PEER_PREFIX, id].concat()
}

/// The projection.
#[derive(Debug)]
pub struct Peers;

impl Projection for Peers {
    fn name(&self) -> &'static str {
        "peers"
    }

    fn schema(&self) -> u16 {
        2
    }

    fn reads(&self, record: &Record) -> Vec<Vec<u8>> {
        if record.aggregate.kind == AggregateKind::Peer {
            vec![key(&record.aggregate.id)]
        } else {
            Vec::new()
        }
    }

    fn apply(&self, rows: &Rows, record: &Record) -> Result<Vec<Change>, ProjectionError> {
        let (AggregateKind::Peer, Effect::Events(events)) = (record.aggregate.kind, &record.effect) else {
            return Ok(Vec::new());
        };
        let key = key(&record.aggregate.id);
        let former = rows.get::<PeerRow>(&key)?;
        // There is one event in a record at most: a pin is set or taken away.
        let Some(stored) = events.last() else { return Ok(Vec::new()) };
        let follow = |followed| match former.clone() {
            Some(row) => Change::put(key.clone(), &PeerRow { followed, ..row }).map(|change| vec![change]),
            None => Ok(Vec::new()),
        };
        match Event::from_stored(stored)? {
            Event::Pinned { identity, url } => {
                let (since, since_ms, followed) = former
                    .map_or((record.sequence, record.time_ms, false), |former| {
                        (former.since, former.since_ms, former.followed)
                    });
                Ok(vec![Change::put(key, &PeerRow { identity, url, since, since_ms, followed })?])
            }
            Event::Unpinned { .. } => Ok(vec![Change { key, value: None }]),
            Event::Followed { .. } => follow(true),
            Event::Unfollowed { .. } => follow(false),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use dta_events::ids::peer_aggregate;
    use dta_events::record::{NO_PREVIOUS, Stored};
    use dta_protocol::Codec;

    use super::*;
    use crate::projection::decode_row;

    fn bob() -> Cid {
        Cid::of(Codec::DagCbor, b"bob")
    }

    fn pinned(url: &str) -> Event {
        Event::Pinned { identity: bob(), url: Some(url.into()).filter(|url: &String| !url.is_empty()) }
    }

    fn record(sequence: u64, effect: Effect) -> Record {
        Record {
            sequence,
            time_ms: 1_000 * sequence,
            aggregate: peer_aggregate(&bob()),
            version: 1,
            by: "local".into(),
            request: None,
            trace_id: [0; 16],
            command: Stored { name: "any".into(), schema: 1, bytes: vec![] },
            effect,
            previous: NO_PREVIOUS,
            nonce: [1; 32],
            blind: [2; 32],
        }
    }

    fn told(sequence: u64, events: &[Event]) -> Record {
        record(sequence, Effect::Events(events.iter().map(|event| event.to_stored().unwrap()).collect()))
    }

    fn after(records: &[Record]) -> Vec<PeerRow> {
        let mut all = BTreeMap::new();
        for record in records {
            let seen = Peers.reads(record).into_iter().filter_map(|key| Some((key.clone(), all.get(&key)?)));
            let rows = Rows::new(seen.map(|(key, row): (_, &Vec<u8>)| (key, row.clone())).collect());
            for Change { key, value } in Peers.apply(&rows, record).unwrap() {
                match value {
                    Some(value) => all.insert(key, value),
                    None => all.remove(&key),
                };
            }
        }
        all.values().map(|row| decode_row(row).unwrap()).collect()
    }

    #[test]
    fn a_pin_stands_since_it_was_set_wherever_it_points() {
        let row = |url: Option<&str>, since| PeerRow {
            identity: bob(),
            url: url.map(str::to_owned),
            since,
            since_ms: 1_000 * since,
            followed: false,
        };
        let first = told(3, &[pinned("http://a")]);
        assert_eq!(after(std::slice::from_ref(&first)), [row(Some("http://a"), 3)]);
        let moved = [first, told(5, &[pinned("http://b")]), told(6, &[pinned("")]), told(7, &[])];
        assert_eq!(after(&moved[..2]), [row(Some("http://b"), 3)]);
        assert_eq!(after(&moved), [row(None, 3)]);
        let gone = [&moved[..], &[told(8, &[Event::Unpinned { identity: bob() }])]].concat();
        assert_eq!(after(&gone), []);
        assert_eq!(after(&[&gone[..], &[told(9, &[pinned("")])]].concat()), [row(None, 9)]);
    }

    #[test]
    fn it_is_followed_until_it_is_not_wherever_it_points() {
        let follow = |yes: bool| match yes {
            true => Event::Followed { identity: bob() },
            false => Event::Unfollowed { identity: bob() },
        };
        let followed = |events: &[Event]| {
            let records = (1..).zip(events).map(|(n, event)| told(n, std::slice::from_ref(event)));
            after(&records.collect::<Vec<_>>()).iter().map(|row| row.followed).collect::<Vec<_>>()
        };
        assert_eq!(followed(&[pinned("http://a")]), [false]);
        assert_eq!(followed(&[pinned("http://a"), follow(true)]), [true]);
        assert_eq!(followed(&[pinned("http://a"), follow(true), pinned("http://b")]), [true]);
        assert_eq!(followed(&[pinned("http://a"), follow(true), follow(false)]), [false]);
        let gone = Event::Unpinned { identity: bob() };
        assert_eq!(followed(&[pinned("http://a"), follow(true), gone.clone()]), [false; 0]);
        assert_eq!(followed(&[pinned("http://a"), follow(true), gone, pinned("http://a")]), [false]);
        assert_eq!(followed(&[follow(true)]), [false; 0]);
    }

    #[test]
    fn refusals_and_other_histories_change_nothing_and_newer_events_halt_it() {
        let refused = record(1, Effect::Refused { code: "not-pinned".into(), details: String::new() });
        assert_eq!(after(&[refused]), []);
        let other =
            Record { aggregate: dta_events::ids::identity_aggregate(&bob()), ..told(1, &[pinned("")]) };
        assert!(Peers.reads(&other).is_empty());
        assert_eq!(after(&[other]), []);
        let mut newer = pinned("").to_stored().unwrap();
        newer.schema = 2;
        assert!(Peers.apply(&Rows::default(), &record(1, Effect::Events(vec![newer]))).is_err());
    }
}
