//! The owner of a watched log: where it serves, its newest note, and until when it is left alone after it did not answer.

use std::collections::HashMap;

use dta_proof::{Hash, Note};
use dta_protocol::Cid;

use crate::actors::peers::{PeerClient, PeerUrl};
use crate::actors::services::Services;

/// The first pause after an owner did not answer; it doubles up to the last.
const PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 300_000;
/// Bytes of an answer: a proof has at most some hundred hashes.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Until when owners are not asked, and how long the next pause is, in milliseconds of the monotonic clock.
#[derive(Default)]
pub(super) struct Pauses(HashMap<Cid, (u64, u64)>);

impl Pauses {
    /// Whether an owner may be asked.
    pub(super) fn is_over(&self, owner: &Cid, now_ms: u64) -> bool {
        self.0.get(owner).is_none_or(|(until_ms, _)| *until_ms <= now_ms)
    }

    /// It did not answer: longer each time.
    pub(super) fn begin(&mut self, owner: Cid, now_ms: u64) {
        let length_ms = self.0.get(&owner).map_or(PAUSE_MS, |(_, length_ms)| *length_ms);
        let longer = length_ms.saturating_mul(2).min(LONGEST_PAUSE_MS);
        self.0.insert(owner, (now_ms.saturating_add(length_ms), longer));
    }

    /// It answered, and is not asked for so long.
    pub(super) fn rest(&mut self, owner: Cid, now_ms: u64, length_ms: u64) {
        self.0.insert(owner, (now_ms.saturating_add(length_ms), PAUSE_MS));
    }

    /// It answered, and may be asked at once.
    pub(super) fn end(&mut self, owner: &Cid) {
        self.0.remove(owner);
    }
}

/// Where the operator says that an owner serves, or an identity that lives with it.
pub(super) async fn url_of(services: &Services, owner: &Cid) -> Option<PeerUrl> {
    if let Some(url) = services.peers.pinned(owner).and_then(|pin| pin.url) {
        return url.parse().ok();
    }
    for (identity, url) in services.peers.with_url() {
        let known = services.known(&identity).await.ok().flatten();
        if known.is_some_and(|known| known.document.node() == *owner) {
            return url.parse().ok();
        }
    }
    None
}

/// The newest note of its log, which it signed; none if it did not answer.
pub(in crate::actors) async fn newest_note(
    services: &Services,
    client: &PeerClient,
    owner: &Cid,
    url: &PeerUrl,
) -> Option<Note> {
    let (status, body) = client.fetch(url, "/v1/log/checkpoint", ANSWER_BYTES_MAX).await.ok()?;
    if status != 200 {
        return None;
    }
    let known = services.known(owner).await.ok()??;
    Note::verify(std::str::from_utf8(&body).ok()?, &known.document).ok()
}

pub(super) fn hash_of(text: &str) -> Option<Hash> {
    hex::decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use dta_protocol::Codec;

    use super::*;

    #[test]
    fn pauses_double_for_each_owner_until_it_answers() {
        let [away, other] = [b"away", b"here"].map(|name| Cid::of(Codec::DagCbor, name));
        let mut pauses = Pauses::default();
        for (now_ms, length_ms) in [(0, 1_000), (5_000, 2_000), (10_000, 4_000)] {
            assert!(pauses.is_over(&away, now_ms));
            pauses.begin(away, now_ms);
            assert!(
                !pauses.is_over(&away, now_ms + length_ms - 1) && pauses.is_over(&away, now_ms + length_ms)
            );
        }
        assert!(pauses.is_over(&other, 0));
        for _ in 0..64 {
            pauses.begin(away, 0);
        }
        assert!(pauses.is_over(&away, LONGEST_PAUSE_MS));
        pauses.rest(away, 0, 7);
        assert!(!pauses.is_over(&away, 6) && pauses.is_over(&away, 7));
        pauses.begin(away, 7);
        assert!(pauses.is_over(&away, 7 + PAUSE_MS));
        pauses.end(&away);
        assert!(pauses.is_over(&away, 0));
    }
}
