//! Whether a node that follows this one holds what it says that it holds: it is asked for the SHA-256 of a fresh challenge and a
//! block, for some blocks of its own choosing by nobody but this node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dta_protocol::{Body, Cid, Envelope};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use super::Following;
use super::said::{Said, SaidError};
use crate::actors::log::{LogReader, PublishedAt, ReadError};
use crate::actors::peers::{PeerClient, PeerUrl};
use crate::actors::unavailable::Unavailable;

/// Bytes of the challenge that goes before a block.
pub const CHALLENGE_BYTES: usize = 32;
/// Blocks that are asked for in one check, at most.
pub const SAMPLES_MAX: u64 = 1_000;
/// Bytes of an answer that proves that a block is held.
const PROOF_BYTES_MAX: usize = 1_024;
/// Questions under way at once.
const AT_ONCE: usize = 8;
/// How long all of it may take; what is not answered by then counts as unanswered.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Blocks looked at together; of a record with more, only as many are asked for.
const OF_A_RECORD: usize = 64;
/// Draws for each block that is to be found: one may be drawn twice.
const DRAWS: u64 = 4;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The checkpoint up to which the other node says that it holds all.
    pub checkpoint: Cid,
    /// Which that is.
    pub number: u64,
    /// How the blocks that were asked for came out.
    pub verdicts: BTreeMap<Cid, Verdict>,
}

/// Whether the other node holds a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has proved it.
    Held,
    /// It says that it does not.
    Missing,
    /// Its proof is of other bytes.
    Lying,
    /// It did not answer, or not as a node does.
    Unanswered,
}

/// Why there is nothing to ask for.
#[derive(Debug, Error)]
pub enum CheckError {
    /// Nobody knows where it is.
    #[error("{0} is not pinned with a URL")]
    NotAddressed(Cid),
    /// It does not say what it holds.
    #[error(transparent)]
    Said(#[from] SaidError),
    /// It does not follow this node.
    #[error("it does not follow this node")]
    NotFollowing,
    /// It has not got so far.
    #[error("it holds no checkpoint of this node yet")]
    NothingYet,
    /// What it names is no CID.
    #[error("it says that it holds a checkpoint, and names none")]
    NoCheckpoint,
    /// What it says cannot be.
    #[error("it says that it holds checkpoint {0}, which is none of this log")]
    UnknownCheckpoint(Cid),
    /// Not now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<ReadError> for CheckError {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[derive(Deserialize)]
struct Proof {
    sha256: String,
}

/// What proves that somebody has the bytes of a block: SHA-256(challenge ‖ block).
pub fn proof(challenge: &[u8], block: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(challenge).chain_update(block).finalize().into()
}

impl Following {
    /// Checks what the node of a pinned identity holds of this one's chain, by as many blocks; by all, if there are no more.
    ///
    /// # Errors
    /// See [`CheckError`].
    pub async fn check(self: &Arc<Self>, peer: Cid, samples: u64) -> Result<Checked, CheckError> {
        let services = &self.parts.services;
        let url = services.peers.pinned(&peer).and_then(|pin| pin.url?.parse::<PeerUrl>().ok());
        let url = url.ok_or(CheckError::NotAddressed(peer))?;
        let checkpoint = held(&self.parts.client, &url, &services.node).await?;
        let (log, random) = (services.log.clone(), services.clone());
        let own = services.node;
        let chosen = spawn_blocking(move || {
            let number = number_of(&*log, &checkpoint, &own)?;
            match number.zip(log.brought_by(&checkpoint.to_bytes())?) {
                Some((number, until)) => {
                    choose(&*log, until, samples, || random.random()).map(|chosen| Some((number, chosen)))
                }
                None => Ok(None),
            }
        });
        let chosen = chosen.await.map_err(|_| Unavailable::Stopping)?;
        // By its own log: what the other says of the number proves nothing.
        let (number, chosen) = chosen?.ok_or(CheckError::UnknownCheckpoint(checkpoint))?;
        let end = Instant::now() + TIME_LIMIT;
        let mut verdicts = BTreeMap::new();
        let mut asked = JoinSet::new();
        for block in chosen {
            if asked.len() == AT_ONCE {
                verdicts.extend(asked.join_next().await.and_then(Result::ok));
            }
            asked.spawn_local(ask(self.clone(), url.clone(), block, end));
        }
        while let Some(answered) = asked.join_next().await {
            verdicts.extend(answered.ok());
        }
        Ok(Checked { checkpoint, number, verdicts })
    }
}

/// Up to which checkpoint a node says that it holds all of the log of `own`.
async fn held(client: &PeerClient, url: &PeerUrl, own: &Cid) -> Result<Cid, CheckError> {
    let own = own.to_string();
    let copy = Said::ask(client, url).await?.following.into_iter().find(|copy| copy.identity == own);
    let checkpoint = copy.ok_or(CheckError::NotFollowing)?.checkpoint.ok_or(CheckError::NothingYet)?;
    checkpoint.parse().map_err(|_| CheckError::NoCheckpoint)
}

/// The number of a checkpoint of this log; none if it is no such.
fn number_of(log: &dyn LogReader, checkpoint: &Cid, own: &Cid) -> Result<Option<u64>, ReadError> {
    let Some(block) = log.published_block(&checkpoint.to_bytes())? else { return Ok(None) };
    let Ok(envelope) = Envelope::decode(block.bytes()) else { return Ok(None) };
    match &envelope.statement().body {
        Body::Checkpoint(body) if envelope.statement().signer == Some(*own) => Ok(Some(body.number)),
        _ => Ok(None),
    }
}

/// Chooses blocks among those published by the records up to `until`: all of them, if there are no more than `samples`.
/// Else records are drawn, and of each one block: each may be chosen, if not all as often.
fn choose(
    log: &dyn LogReader,
    until: u64,
    samples: u64,
    random: impl Fn() -> [u8; 16],
) -> Result<BTreeSet<Cid>, ReadError> {
    let samples = samples.min(SAMPLES_MAX);
    if let Some(all) = all(log, until, samples)? {
        return Ok(all);
    }
    let mut chosen = BTreeSet::new();
    for _ in 0..samples.saturating_mul(DRAWS) {
        if chosen.len() as u64 == samples {
            break;
        }
        let (bits, records) = (u128::from_be_bytes(random()), u128::from(until).saturating_add(1));
        let (sequence, n) = ((bits % records) as u64, bits / records);
        let before = sequence.checked_sub(1).map(|sequence| PublishedAt { sequence, n: u32::MAX });
        let mut blocks = log.published(before, OF_A_RECORD)?;
        // The next record that published anything.
        let Some(sequence) = blocks.first().map(|(at, _)| at.sequence).filter(|first| *first <= until) else {
            continue;
        };
        blocks.retain(|(at, _)| at.sequence == sequence);
        let n = (n % blocks.len() as u128) as usize;
        chosen.extend(blocks.get(n).and_then(|(_, block)| Cid::from_bytes(block.cid()).ok()));
    }
    Ok(chosen)
}

/// All blocks published by the records up to `until`; none if there are more than `most`.
fn all(log: &dyn LogReader, until: u64, most: u64) -> Result<Option<BTreeSet<Cid>>, ReadError> {
    let (mut all, mut after) = (BTreeSet::new(), None);
    loop {
        let some = log.published(after, OF_A_RECORD)?;
        let Some((last, _)) = some.last() else { return Ok(Some(all)) };
        after = Some(*last);
        for (_, block) in some.iter().filter(|(at, _)| at.sequence <= until) {
            all.extend(Cid::from_bytes(block.cid()).ok());
        }
        if all.len() as u64 > most {
            return Ok(None);
        }
        if last.sequence > until {
            return Ok(Some(all));
        }
    }
}

/// Asks for the proof of one block of this node's log.
async fn ask(following: Arc<Following>, url: PeerUrl, cid: Cid, end: Instant) -> (Cid, Verdict) {
    let parts = &following.parts;
    let challenge: [u8; CHALLENGE_BYTES] = parts.services.random();
    let target = format!("/v1/mirror/proof?cid={cid}&challenge={}", hex::encode(challenge));
    let answer = timeout_at(end, parts.client.fetch(&url, &target, PROOF_BYTES_MAX)).await;
    let log = parts.services.log.clone();
    let own = spawn_blocking(move || log.published_block(&cid.to_bytes())).await;
    let verdict = match (answer, own) {
        (Ok(Ok((200, body))), Ok(Ok(Some(block)))) => match serde_json::from_slice::<Proof>(&body) {
            Ok(Proof { sha256 }) if sha256 == hex::encode(proof(&challenge, block.bytes())) => Verdict::Held,
            _ => Verdict::Lying,
        },
        (Ok(Ok((404, _))), _) => Verdict::Missing,
        _ => Verdict::Unanswered,
    };
    (cid, verdict)
}
