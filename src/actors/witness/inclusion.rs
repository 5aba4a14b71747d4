//! What an owner's answer to `GET /v1/log/proof/inclusion` says of a statement.

use dta_events::log::Tip;
use dta_proof::{Hash, Leaf, tree};
use dta_protocol::Cid;
use serde::Deserialize;

use super::owner::hash_of;

/// Of the answer only what the proof needs; its size and root are the note's.
#[derive(Deserialize)]
struct Proof {
    leaf: String,
    blind: String,
    envelopes: Vec<String>,
    path: Vec<String>,
}

/// Path and query, as they are asked for.
pub(super) fn target(statement: &Cid, under: &Tip) -> String {
    format!("/v1/log/proof/inclusion?envelope={statement}&size={}", under.size)
}

/// Whether the answer proves that the statement stands in the tree of the note; none if it is not about the statement: too many
/// calls, or a node that cannot answer now.
pub(super) fn answered(status: u16, body: &[u8], statement: &Cid, under: &Tip) -> Option<bool> {
    match status {
        200 => Some(proves(body, statement, under).unwrap_or(false)),
        408 | 429 => None,
        400..=499 => Some(false),
        _ => None,
    }
}

fn proves(body: &[u8], statement: &Cid, under: &Tip) -> Option<bool> {
    let proof: Proof = serde_json::from_slice(body).ok()?;
    let leaf = Leaf::decode(&hex::decode(&proof.leaf).ok()?).ok()?;
    let envelopes: Vec<Cid> = proof.envelopes.iter().map(|cid| cid.parse().ok()).collect::<Option<_>>()?;
    let path: Vec<Hash> = proof.path.iter().map(|hash| hash_of(hash)).collect::<Option<_>>()?;
    let stands = tree::check_inclusion(&path, under.size, under.root, leaf.sequence, leaf.hash()).is_ok();
    Some(stands && envelopes.contains(statement) && leaf.brought(&hash_of(&proof.blind)?, &envelopes))
}

#[cfg(test)]
mod tests {
    use dta_proof::tree::{Frontier, Hashes};
    use dta_protocol::Codec;
    use serde_json::{Value, json};

    use super::*;

    struct Log(Vec<Hash>);

    impl Hashes for Log {
        type Error = std::convert::Infallible;

        fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Self::Error> {
            Ok(places.iter().map(|place| self.0[*place as usize]).collect())
        }
    }

    fn cid(name: &str) -> Cid {
        Cid::of(Codec::DagCbor, name.as_bytes())
    }

    /// Record 3 of 7 brought these two; the note, and the answer that proves it.
    fn proof() -> (Tip, Value) {
        let envelopes = [cid("one"), cid("two")];
        let leaf = Leaf::of(3, [4; 32], &[5; 32], &envelopes.map(|cid| cid.to_bytes()));
        let (mut log, mut frontier) = (Log(Vec::new()), Frontier::empty());
        for sequence in 0..7 {
            let hash = if sequence == 3 { leaf.hash() } else { [sequence; 32] };
            log.0.extend(frontier.push(hash).into_iter().map(|(_, hash)| hash));
        }
        let root = tree::root(&log, 7).unwrap();
        let path = tree::prove_inclusion(&log, 7, 3).unwrap();
        let under = Tip { epoch: 0, size: 7, root, note: String::new(), seen_ms: 0 };
        let answer = json!({
            "sequence": 3,
            "size": 7,
            "root": hex::encode(root),
            "leaf": hex::encode(leaf.encode()),
            "blind": hex::encode([5; 32]),
            "envelopes": envelopes.map(|cid| cid.to_string()),
            "path": path.iter().map(hex::encode).collect::<Vec<_>>(),
            "checkpointCID": cid("checkpoint").to_string(),
        });
        (under, answer)
    }

    fn judged(answer: &Value, statement: &str, under: &Tip) -> Option<bool> {
        answered(200, answer.to_string().as_bytes(), &cid(statement), under)
    }

    #[test]
    fn a_proof_is_of_each_envelope_that_the_record_brought_under_that_root_alone() {
        let (under, answer) = proof();
        assert_eq!(judged(&answer, "one", &under), Some(true));
        assert_eq!(judged(&answer, "two", &under), Some(true));
        assert_eq!(judged(&answer, "three", &under), Some(false));
        assert_eq!(judged(&answer, "one", &Tip { root: [9; 32], ..under.clone() }), Some(false));
        assert_eq!(judged(&answer, "one", &Tip { size: 9, ..under }), Some(false), "of another shape");
    }

    #[test]
    fn whatever_is_changed_in_it_is_no_proof() {
        let (under, answer) = proof();
        let (other, three) = (hex::encode([6; 32]), cid("three").to_string());
        let elsewhere = hex::encode(Leaf { sequence: 4, record: [4; 32], envelopes: [5; 32] }.encode());
        for (field, value) in [
            ("leaf", json!(elsewhere)),
            ("leaf", json!("83")),
            ("leaf", json!("zz")),
            ("blind", json!(other)),
            ("blind", json!("05")),
            ("blind", Value::Null),
            ("envelopes", json!([cid("one").to_string()])),
            ("envelopes", json!([cid("two").to_string(), cid("one").to_string()])),
            ("envelopes", json!([cid("one").to_string(), cid("two").to_string(), three])),
            ("envelopes", json!(["one"])),
            ("path", json!([])),
            ("path", json!([other, other, other])),
            ("path", json!(["zz"])),
        ] {
            let mut changed = answer.clone();
            changed[field] = value.clone();
            assert_eq!(judged(&changed, "one", &under), Some(false), "{field}: {value}");
        }
    }

    #[test]
    fn a_node_that_says_no_says_so_and_one_that_cannot_say_does_not() {
        let (under, answer) = proof();
        for (status, says) in [
            (404, Some(false)),
            (422, Some(false)),
            (403, Some(false)),
            (408, None),
            (429, None),
            (500, None),
            (503, None),
            (302, None),
        ] {
            let said = answered(status, answer.to_string().as_bytes(), &cid("one"), &under);
            assert_eq!(said, says, "{status}");
        }
        assert_eq!(answered(200, b"<html>", &cid("one"), &under), Some(false));
    }
}
