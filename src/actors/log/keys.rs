//! Keys and values as they stand in the store: integers big-endian, so that byte order is their order.

use dta_events::record::{Aggregate, AggregateKind, Record, hash_of};

use super::port::{BlockClass, CidBytes, Damage, Head, HeldBlock, PublishedAt, PublishedBlock, StoredBlock};
use super::store::Table;

/// The layout that this file describes; a store with a greater one is refused.
pub(super) const LAYOUT: u16 = 2;
/// The one without the Merkle tree, which `dta log reindex` adds.
pub(super) const LAYOUT_WITHOUT_TREE: u16 = 1;

/// Keys of [`Table::Meta`].
pub(super) const HEAD: &[u8] = b"head";
pub(super) const LAYOUT_KEY: &[u8] = b"layout";
/// There while the indexes are being rebuilt.
pub(super) const REINDEXING: &[u8] = b"reindexing";

/// First byte of the two kinds of key in [`Table::Timers`].
const BY_AGGREGATE: u8 = b'a';
pub(super) const BY_DUE: u8 = b'd';

const HELD: u8 = 0;
const PUBLISHED: u8 = 1;

pub(super) fn damage(table: Table, reason: impl Into<String>) -> Damage {
    Damage::Table { table: table.name(), reason: reason.into() }
}

/// In an index, where it does not say what the records say.
pub(super) fn differs(table: Table, reason: impl Into<String>) -> Damage {
    Damage::Index { table: table.name(), reason: reason.into() }
}

/// An integer that is a whole key or value.
pub(super) fn integer(table: Table, bytes: &[u8]) -> Result<u64, Damage> {
    let exact = <[u8; 8]>::try_from(bytes);
    exact.map(u64::from_be_bytes).map_err(|_| damage(table, format!("{} bytes where 8 stand", bytes.len())))
}

pub(super) fn aggregate_key(aggregate: &Aggregate) -> [u8; 33] {
    let mut key = [aggregate.kind.into(); 33];
    key[1..].copy_from_slice(&aggregate.id);
    key
}

fn aggregate_from(table: Table, key: &[u8; 33]) -> Result<Aggregate, Damage> {
    let [kind, id @ ..] = *key;
    let kind = AggregateKind::try_from(kind).map_err(|unknown| damage(table, unknown.to_string()))?;
    Ok(Aggregate { kind, id })
}

/// An aggregate and the integer after it: a version in a key of `aggregates`, a sequence in a value of `envelopes`.
pub(super) fn aggregate_and(aggregate: &Aggregate, integer: u64) -> [u8; 41] {
    let mut key = [0; 41];
    key[..33].copy_from_slice(&aggregate_key(aggregate));
    key[33..].copy_from_slice(&integer.to_be_bytes());
    key
}

/// The least key of `aggregates` that comes after all of this one's.
pub(super) fn after_history(aggregate: &Aggregate) -> Vec<u8> {
    let mut key = aggregate_and(aggregate, u64::MAX).to_vec();
    key.push(0);
    key
}

pub(super) fn split_aggregate(table: Table, bytes: &[u8]) -> Result<(Aggregate, u64), Damage> {
    let (key, rest) = bytes.split_first_chunk().ok_or_else(|| damage(table, "an aggregate cut short"))?;
    Ok((aggregate_from(table, key)?, integer(table, rest)?))
}

/// The key that holds an aggregate's timer.
pub(super) fn timer_key(aggregate: &Aggregate) -> Vec<u8> {
    [&[BY_AGGREGATE], aggregate_key(aggregate).as_slice()].concat()
}

/// The key by which an aggregate's timer is found in order of time.
pub(super) fn due_key(due_ms: u64, aggregate: &Aggregate) -> Vec<u8> {
    [&[BY_DUE], due_ms.to_be_bytes().as_slice(), &aggregate_key(aggregate)].concat()
}

pub(super) fn split_due(key: &[u8]) -> Result<(u64, Aggregate), Damage> {
    let exact = <&[u8; 42]>::try_from(key).map_err(|_| damage(Table::Timers, "a key of the wrong size"))?;
    let [_, rest @ ..] = exact;
    let (due, aggregate) = rest.split_at(8);
    let aggregate = aggregate.try_into().map_err(|_| damage(Table::Timers, "a key of the wrong size"))?;
    Ok((integer(Table::Timers, due)?, aggregate_from(Table::Timers, aggregate)?))
}

pub(super) fn published_key(at: PublishedAt) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&at.sequence.to_be_bytes());
    key[8..].copy_from_slice(&at.n.to_be_bytes());
    key
}

pub(super) fn split_published(key: &[u8], value: &[u8]) -> Result<(PublishedAt, CidBytes), Damage> {
    let wrong = || damage(Table::Published, "an entry of the wrong size");
    let (sequence, n) = key.split_first_chunk().ok_or_else(wrong)?;
    let n = u32::from_be_bytes(n.try_into().map_err(|_| wrong())?);
    let at = PublishedAt { sequence: u64::from_be_bytes(*sequence), n };
    Ok((at, value.try_into().map_err(|_| wrong())?))
}

pub(super) fn block_value(class: BlockClass, bytes: &[u8]) -> Vec<u8> {
    let class = match class {
        BlockClass::Held => HELD,
        BlockClass::Published => PUBLISHED,
    };
    [&[class], bytes].concat()
}

pub(super) fn block_from(cid: CidBytes, value: &[u8]) -> Result<StoredBlock, Damage> {
    match value.split_first() {
        Some((&PUBLISHED, bytes)) => Ok(StoredBlock::Published(PublishedBlock { cid, bytes: bytes.into() })),
        Some((&HELD, bytes)) => Ok(StoredBlock::Held(HeldBlock { cid, bytes: bytes.into() })),
        _ => Err(damage(Table::Blocks, "a block of no known class")),
    }
}

pub(super) fn head_value(head: &Head) -> Vec<u8> {
    [head.count.to_be_bytes().as_slice(), &head.hash].concat()
}

pub(super) fn head_from(value: Option<Vec<u8>>) -> Result<Head, Damage> {
    let wrong = || damage(Table::Meta, "the head is missing or cut short");
    let value = value.ok_or_else(wrong)?;
    let (count, hash) = value.split_first_chunk().ok_or_else(wrong)?;
    Ok(Head { count: u64::from_be_bytes(*count), hash: hash.try_into().map_err(|_| wrong())? })
}

/// Does this block's content have this CID? Only those that this network uses can: CIDv1, SHA2-256, DAG-CBOR or raw.
pub(super) fn cid_matches(cid: &CidBytes, bytes: &[u8]) -> bool {
    let (prefix, hash) = cid.split_at(4);
    matches!(prefix, [0x01, 0x71 | 0x55, 0x12, 0x20]) && hash == hash_of(bytes)
}

/// What a record puts into the indexes, apart from timers. Its commit, `verify` and `reindex` all go by this.
pub(super) fn index_entries(
    record: &Record,
    claims: &[[u8; 32]],
    envelopes: &[CidBytes],
) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let Record { sequence, aggregate, version, .. } = record;
    let own =
        (Table::Aggregates, aggregate_and(aggregate, *version).to_vec(), sequence.to_be_bytes().to_vec());
    let claims = claims.iter().map(|claim| (Table::Claims, claim.to_vec(), sequence.to_be_bytes().to_vec()));
    let place = aggregate_and(aggregate, *sequence);
    let envelopes = envelopes.iter().map(|cid| (Table::Envelopes, cid.to_vec(), place.to_vec()));
    std::iter::once(own).chain(claims).chain(envelopes).collect()
}

/// The two entries of an aggregate's timer.
pub(super) fn timer_entries(aggregate: &Aggregate, due_ms: u64) -> [(Vec<u8>, Vec<u8>); 2] {
    [(timer_key(aggregate), due_ms.to_be_bytes().into()), (due_key(due_ms, aggregate), Vec::new())]
}
