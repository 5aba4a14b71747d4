//! All checkpoints up to one, along their skip links: in few steps, and side by side.

use dta_proof::checkpoints::{Checkpoint, Walk};
use dta_protocol::{Cid, Codec, Envelope, Identity, Verified};

use super::RecoverError;
use super::fetch::Fetch;
use crate::ports::OsEntropy;

/// The checkpoints of `owner`'s log from number 0 to `head`, in order. `progress`: how many of how many.
///
/// # Errors
/// `Fetch` for one that nobody has; `Chain` or `Checkpoint` for the first that is not as it should be.
pub(super) fn walk(
    fetch: &Fetch<'_>,
    owner: &Identity,
    head: Cid,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<Checkpoint>, RecoverError> {
    let newest = verified(fetch, owner, vec![head])?.pop().ok_or(RecoverError::Stopping)?;
    let mut walk = Walk::new(owner, newest)?;
    let mut found = 1;
    loop {
        let (numbers, cids): (Vec<u64>, Vec<Cid>) = walk.wanted().unzip();
        if numbers.is_empty() {
            return Ok(walk.finish()?);
        }
        for (number, envelope) in numbers.into_iter().zip(verified(fetch, owner, cids)?) {
            walk.take(number, envelope)?;
            found += 1;
        }
        let open = walk.wanted().count() as u64;
        progress(found, found.saturating_add(open));
    }
}

/// Fetches envelopes and verifies all their signatures together.
fn verified(
    fetch: &Fetch<'_>,
    owner: &Identity,
    cids: Vec<Cid>,
) -> Result<Vec<Verified<Envelope>>, RecoverError> {
    let mut envelopes = Vec::with_capacity(cids.len());
    for block in fetch.all(cids)? {
        let block = block?;
        let wrong = |error: dta_protocol::EnvelopeError| RecoverError::Checkpoint {
            cid: Cid::of(Codec::DagCbor, &block),
            why: error.to_string(),
        };
        envelopes.push(Envelope::decode(&block).map_err(wrong)?);
    }
    let cids: Vec<Cid> = envelopes.iter().map(Envelope::cid).collect();
    let verified = Envelope::verify_batch(envelopes, owner, &mut OsEntropy);
    let of = |(envelope, cid): (Result<_, dta_protocol::EnvelopeError>, Cid)| {
        envelope.map_err(|error| RecoverError::Checkpoint { cid, why: error.to_string() })
    };
    verified.into_iter().zip(cids).map(of).collect()
}
