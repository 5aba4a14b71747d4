//! The chains that a node has published, as somebody fetches them who has nothing else: checkpoints from the newest to the first
//! by their links, an order from its newest step to `order/placed`. Whatever is done to a block, in the store of whoever gives
//! it or by whoever makes new ones, is refused by a name.

use std::collections::BTreeSet;

use dta_crypto::{IdentityKeys, Secret};
use dta_proof::checkpoints::{ChainError, Checkpoint, Fault};
use dta_proof::{Note, Origin};
use dta_protocol::checkpoint::skip_after;
use dta_protocol::{Body, CheckpointBody, Cid, Envelope, Identity, Statement};

use crate::exchange::{Exchange, Published, Refused, both, number_of};

/// Places in a block so that each field is hit: of the signature a few, of the statement each byte that may be text, a head or a
/// number, and of hashes and keys some.
fn places(block: &[u8]) -> impl Iterator<Item = usize> {
    const STATEMENT: usize = 3_371;
    let few = |from: usize, to: usize| (from..to.min(block.len())).step_by(211);
    let head = (0..14.min(block.len())).chain(few(14, STATEMENT));
    let statement = (STATEMENT..block.len()).filter(|at| at % 5 == 0 || block[*at] < 0x80);
    head.chain(statement)
}

fn flipped(block: &[u8], at: usize) -> Vec<u8> {
    let mut changed = block.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}

#[test]
fn what_was_published_is_found_and_holds() {
    let both = both();
    let of = &both.one;
    let found = of.walked(|_, _| {}).unwrap();
    let cids: Vec<_> = of.checkpoints.iter().map(Envelope::cid).collect();
    assert_eq!(found.iter().map(Checkpoint::cid).collect::<Vec<_>>(), cids);
    assert!(found.windows(2).all(|pair| pair[0].note().size() < pair[1].note().size()));
    for order in &of.orders {
        let report = of.audited(order, |_, _| {}).unwrap();
        assert_eq!(report.about.unwrap().stage.as_str(), "Received");
    }
}

/// By whoever stores it: nothing comes through under a name that is not its own.
#[test]
fn a_block_that_was_changed_cut_or_exchanged_in_a_store_is_refused() {
    let both = both();
    let of = &both.one;
    let (steps, bodies) = of.blocks_of(&of.orders[0]);
    let identity = of.owner.cid();
    let checkpoints = [0, 1, 15, 16, 17, 32, 39].map(|n: usize| of.checkpoints[n].cid());
    let order = [identity].iter().chain(&steps).chain(&bodies).copied().collect::<Vec<_>>();
    for (cids, of_an_order) in [(checkpoints.to_vec(), false), (order, true)] {
        let refused = |cid: &Cid, bytes: Vec<u8>| {
            let change = |exchange: &mut Exchange<'_>, _: &mut Cid| exchange.replace(*cid, &bytes);
            let error = match of_an_order {
                true => of.audited(&of.orders[0], change).unwrap_err(),
                false => of.walked(change).unwrap_err(),
            };
            assert_eq!(error, Refused::NotItsBytes(*cid));
        };
        for (n, cid) in cids.iter().enumerate() {
            let block = &of.blocks[cid];
            for at in places(block).step_by(40) {
                refused(cid, flipped(block, at));
                refused(cid, block[..at].to_vec());
            }
            refused(cid, [block.as_slice(), &[0][..]].concat());
            // Any other for it: of checkpoints also an older one for a newer.
            let other = &cids[(n + 1) % cids.len()];
            refused(cid, of.blocks[other].clone());
            refused(other, block.clone());
        }
    }
}

#[test]
fn a_block_that_is_left_out_is_named() {
    let both = both();
    let of = &both.one;
    for envelope in &of.checkpoints {
        let (cid, number) = (envelope.cid(), number_of(envelope));
        let error = of.walked(|exchange, _| exchange.remove(cid)).unwrap_err();
        match error {
            Refused::NotThere(newest) => assert!(cid == of.newest && newest == cid),
            Refused::Chain(error) => {
                let fault = Fault::Missing(number);
                assert_eq!(error, ChainError { cid, fault });
            }
            other => panic!("{other:?}"),
        }
    }
    let (steps, bodies) = of.blocks_of(&of.orders[0]);
    for cid in steps.iter().chain([&of.owner.cid()]) {
        let error = of.audited(&of.orders[0], |exchange, _| exchange.remove(*cid)).unwrap_err();
        assert_eq!(error, Refused::NotThere(*cid));
    }
    for cid in bodies {
        let report = of.audited(&of.orders[0], |exchange, _| exchange.remove(cid)).unwrap();
        let withheld = report.checks.iter().filter(|check| check.outcome.as_str() == "not disclosed");
        assert!(withheld.count() > 0, "who withholds a body withholds no more than that");
    }
}

/// By who names another newest one: its block has its right CID.
#[test]
fn a_changed_block_under_its_own_name_is_refused_whatever_field_it_is_in() {
    let both = both();
    let of = &both.one;
    let mut names = BTreeSet::new();
    for n in [0, 1, 17, 40] {
        let block = of.checkpoints[n].block();
        for at in places(block) {
            let error = of.walked(|exchange, newest| *newest = exchange.put(&flipped(block, at)));
            names.insert(error.unwrap_err().code());
        }
        for end in (0..block.len()).step_by(97) {
            let error = of.walked(|exchange, newest| *newest = exchange.put(&block[..end]));
            names.insert(error.unwrap_err().code());
        }
    }
    for cid in of.blocks_of(&of.orders[0]).0 {
        let block = &of.blocks[&cid];
        for at in places(block).step_by(3) {
            let error = of.audited(&cid, |exchange, newest| *newest = exchange.put(&flipped(block, at)));
            names.insert(error.unwrap_err().code());
        }
        for end in (0..block.len()).step_by(397) {
            let error = of.audited(&cid, |exchange, newest| *newest = exchange.put(&block[..end]));
            names.insert(error.unwrap_err().code());
        }
    }
    for name in
        ["envelope-layout", "signature-invalid", "envelope-other-signer", "kind-unknown", "checkpoint-links"]
    {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    assert!(!names.contains(""));
}

/// What a checkpoint says, to be said otherwise.
struct Said(Statement);

impl Said {
    fn of(envelope: &Envelope) -> Self {
        Self(envelope.statement().clone())
    }

    fn body(&mut self) -> &mut CheckpointBody {
        match &mut self.0.body {
            Body::Checkpoint(body) => body,
            _ => unreachable!(),
        }
    }

    fn link(&mut self, k: usize, to: &Envelope) {
        self.body().skip[k] = to.cid();
        if k == 0 {
            self.0.previous = Some(to.cid());
        }
    }

    /// The next checkpoint after the newest, in this epoch and about this many records.
    fn after(of: &Published, newest: &Envelope, epoch: u64, size: u64) -> Self {
        let mut next = Self::of(newest);
        let number = number_of(newest);
        let skip = skip_after(number, newest.cid(), &next.body().skip.clone(), of.checkpoints[0].cid());
        let origin = Origin { identity: of.owner.cid(), epoch };
        next.body().note = Note::sign(origin, size, [9; 32], &of.keys).unwrap().text().to_owned();
        next.body().number = number + 1;
        next.body().skip = skip;
        next.0.previous = Some(newest.cid());
        next
    }

    fn signed(&self, keys: &IdentityKeys) -> Envelope {
        Envelope::sign(&self.0, keys).unwrap().into_inner()
    }
}

/// A key that is not the owner's.
fn mallory() -> (IdentityKeys, Identity) {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([66; 32]));
    let identity = Identity::create(&keys, "mallory", None, None, 1).unwrap();
    (keys, identity)
}

#[test]
fn a_link_that_leads_elsewhere_is_refused_whoever_signed_it() {
    let both = both();
    let (of, (keys, identity)) = (&both.one, mallory());
    let last = of.checkpoints.len() - 1;
    let newest = &of.checkpoints[last];
    let levels = Said::of(newest).body().skip.len();
    assert!(levels >= 2);
    let refused = |envelope: &Envelope| {
        of.walked(|exchange, newest| *newest = exchange.put(envelope.block())).unwrap_err()
    };
    for k in 0..levels {
        for to in [0, 16, 32, last - 2] {
            let mut said = Said::of(newest);
            if said.body().skip[k] == of.checkpoints[to].cid() {
                continue;
            }
            said.link(k, &of.checkpoints[to]);
            // In the owner's name, by another key.
            assert_eq!(refused(&said.signed(&keys)), Refused::Named("signature-invalid"));
            // By the owner: then the one that the link leads to says that it is another, or others lead elsewhere.
            let code = refused(&said.signed(&of.keys)).code();
            assert!(["checkpoint-number", "checkpoint-skip"].contains(&code), "link {k} to {to}: {code}");
            // In the name of the other key: that is no checkpoint of this log.
            said.0.signer = Some(identity.cid());
            assert_eq!(refused(&said.signed(&keys)), Refused::Named("envelope-other-signer"));
        }
        // To a checkpoint of another log, which is there.
        let mut said = Said::of(newest);
        said.link(k, &both.other.checkpoints[last.min(both.other.checkpoints.len() - 1) - 1]);
        let error = of.walked(|exchange, newest| {
            exchange.with(&both.other);
            *newest = exchange.put(said.signed(&of.keys).block());
        });
        assert_eq!(error.unwrap_err(), Refused::Named("envelope-other-signer"), "link {k}");
    }
}

#[test]
fn a_checkpoint_of_another_log_or_of_an_epoch_that_is_over_is_refused() {
    let both = both();
    let (of, other) = (&both.one, &both.other);
    let error = of.walked(|exchange, newest| {
        exchange.with(other);
        *newest = other.newest;
    });
    assert_eq!(error.unwrap_err(), Refused::Named("envelope-other-signer"));
    // Another node's whole chain, under the name of the newest one of this.
    let error = of.walked(|exchange, newest| {
        exchange.replace(*newest, &other.blocks[&other.newest]);
    });
    assert_eq!(error.unwrap_err(), Refused::NotItsBytes(of.newest));
    // Its note in an envelope of this one.
    let mut said = Said::of(of.checkpoints.last().unwrap());
    said.body().note = Said::of(other.checkpoints.last().unwrap()).body().note.clone();
    let error = of.walked(|exchange, newest| *newest = exchange.put(said.signed(&of.keys).block()));
    assert_eq!(error.unwrap_err().code(), "note-other-identity");

    // The owner declares that records were lost: the chain goes on in a new epoch, and never back.
    let size = of.walked(|_, _| {}).unwrap().last().unwrap().note().size();
    let last = of.checkpoints.last().unwrap();
    let lost = Said::after(of, last, 1, 5).signed(&of.keys);
    let back = |epoch, size| {
        let next = Said::after(of, &lost, epoch, size).signed(&of.keys);
        of.walked(|exchange, newest| {
            exchange.put(lost.block());
            *newest = exchange.put(next.block());
        })
    };
    assert!(back(1, 5).is_ok() && back(2, 1).is_ok());
    assert_eq!(back(0, size + 9).unwrap_err().code(), "checkpoint-epoch");
    assert_eq!(back(1, 4).unwrap_err().code(), "checkpoint-size");
    // One that was made before, again as the newest.
    let mut replayed = Said::of(&of.checkpoints[20]);
    replayed.body().number = number_of(last) + 1;
    replayed.body().skip = Said::after(of, last, 0, size).body().skip.clone();
    replayed.0.previous = Some(last.cid());
    let error = of.walked(|exchange, newest| *newest = exchange.put(replayed.signed(&of.keys).block()));
    let code = error.unwrap_err().code();
    assert!(["checkpoint-time", "checkpoint-size"].contains(&code), "{code}");
}

#[test]
fn a_step_that_is_replayed_exchanged_or_linked_elsewhere_is_refused() {
    let both = both();
    let (of, other) = (&both.one, &both.other);
    let (keys, identity) = mallory();
    let (steps, _) = of.blocks_of(&of.orders[0]);
    let (theirs, _) = other.blocks_of(&other.orders[0]);
    // Another node's order: nobody trusts it here.
    let error = of.audited(&of.orders[0], |exchange, newest| {
        exchange.with(other);
        *newest = other.orders[0];
    });
    assert_eq!(error.unwrap_err(), Refused::Named("signer-not-trusted"));
    let elsewhere = of.blocks_of(&of.orders[1]).0;
    for (n, cid) in steps.iter().enumerate() {
        let said = Envelope::decode(&of.blocks[cid]).unwrap();
        for to in [&elsewhere[n], &elsewhere[0], &theirs[n], steps.last().unwrap(), &steps[0]] {
            if said.statement().previous.is_none_or(|previous| previous == *to) || to == cid {
                continue;
            }
            let mut statement = said.statement().clone();
            statement.previous = Some(*to);
            let audited = |statement: &Statement, keys: &IdentityKeys| {
                of.audited(cid, |exchange, newest| {
                    exchange.with(other);
                    exchange.put(identity.envelope().block());
                    *newest = exchange.put(Envelope::sign(statement, keys).unwrap().block());
                })
                .unwrap_err()
                .code()
            };
            // The order's own signer: the table, the reference or the one before tell.
            let own = audited(&statement, &of.keys);
            assert!(["signer-not-trusted", "wrong-reference", "out-of-state"].contains(&own), "{own}");
            let forged = audited(&statement, &keys);
            assert!(["signer-not-trusted", "signature-invalid"].contains(&forged), "{forged}");
            statement.signer = Some(identity.cid());
            assert_eq!(audited(&statement, &keys), "signer-not-trusted");
        }
    }
}
