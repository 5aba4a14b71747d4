//! Logs of the parties with the steps in them, their checkpoints, and proofs: whole and forged.

use std::cell::RefCell;
use std::convert::Infallible;

use dta_crypto::ContentKey;
use dta_proof::tree::{Hash, Hashes, append, prove_inclusion, root};
use dta_proof::{Leaf, Note, Origin};
use dta_protocol::checkpoint::{CheckpointBody, LogPart};
use dta_protocol::manifest::Proof;
use dta_protocol::sealed::{SealRequest, seal};
use dta_protocol::{Body, Cid, Envelope, Kind, Plaintext, Role, Statement};
use dta_verify::Name;
use sha2::{Digest, Sha256};

use crate::export::{Case, Cases};
use crate::story::{Party, START_MS};
use crate::world::*;

/// What is other in a proof.
type Change<'a> = &'a dyn Fn(&mut Proof);

/// A log: what the tree holds of its records.
struct Log<'a> {
    owner: &'a Party,
    hashes: RefCell<Vec<Hash>>,
    records: Vec<Vec<Cid>>,
}

impl Hashes for Log<'_> {
    type Error = Infallible;

    fn hashes(&self, places: &[u64]) -> Result<Vec<Hash>, Infallible> {
        Ok(places.iter().map(|place| self.hashes.borrow()[*place as usize]).collect())
    }
}

fn of(label: &str, owner: &Party, sequence: u64) -> [u8; 32] {
    Sha256::digest(format!("{label} {sequence} of {}", owner.name)).into()
}

impl<'a> Log<'a> {
    /// Records that bring these envelopes, between others that bring none.
    fn with(owner: &'a Party, steps: &[&Step]) -> Self {
        let mut log = Self { owner, hashes: RefCell::default(), records: Vec::new() };
        for step in steps {
            log.append(vec![]);
            log.append(vec![step.cid()]);
        }
        log.append(vec![]);
        log
    }

    fn append(&mut self, envelopes: Vec<Cid>) {
        let n = self.records.len() as u64;
        let binary: Vec<_> = envelopes.iter().map(Cid::to_bytes).collect();
        let leaf = Leaf::of(n, of("record", self.owner, n), &of("blind", self.owner, n), &binary);
        let new = append(self, n, leaf.hash()).unwrap();
        self.hashes.borrow_mut().extend(new);
        self.records.push(envelopes);
    }

    fn note(&self) -> Note {
        let size = self.records.len() as u64;
        let origin = Origin { identity: self.owner.cid(), epoch: 0 };
        Note::sign(origin, size, root(self, size).unwrap(), &self.owner.keys).unwrap()
    }

    fn checkpoint(&self) -> Envelope {
        checkpoint(self.owner, self.note().text(), START_MS + 600_000)
    }

    fn proof(&self, step: &Step, checkpoint: &Envelope) -> Proof {
        let at = self.records.iter().position(|brought| brought.contains(&step.cid())).unwrap();
        let sequence = at as u64;
        Proof {
            log: self.owner.cid(),
            checkpoint: checkpoint.cid(),
            sequence,
            record: of("record", self.owner, sequence),
            blind: of("blind", self.owner, sequence),
            envelopes: self.records[at].clone(),
            path: prove_inclusion(self, self.records.len() as u64, sequence).unwrap(),
        }
    }
}

/// The first checkpoint of a log, with this note.
fn checkpoint(signer: &Party, note: &str, issued_at_ms: u64) -> Envelope {
    checkpoint_as(signer.cid(), signer, note, issued_at_ms)
}

fn checkpoint_as(named: Cid, signer: &Party, note: &str, issued_at_ms: u64) -> Envelope {
    let request = SealRequest {
        kind: Kind::Checkpoint,
        role: Role::Log,
        signer: named,
        subject: "",
        previous: None,
        issued_at_ms,
    };
    let part = LogPart { records: vec![], digests: [].into() }.encode().unwrap();
    let key = ContentKey::from_bytes(Sha256::digest([note.as_bytes(), &request.aad()].concat()).into());
    let sealed = seal(&request, part.expose(), key, &[signer.recipient()]).unwrap();
    let statement = Statement {
        kind: Kind::Checkpoint,
        body: Body::Checkpoint(CheckpointBody { number: 0, note: note.into(), skip: vec![] }),
        sealed: vec![sealed.descriptor],
        signer: Some(named),
        subject: String::new(),
        previous: None,
        issued_at_ms,
    };
    Envelope::sign(&statement, &signer.keys).unwrap().into_inner()
}

fn block(envelope: &Envelope) -> (Cid, Vec<u8>) {
    (envelope.cid(), envelope.block().to_vec())
}

/// A whole order, each step of it proved to stand in its signer's log.
fn proved(world: &World, what: &str) -> Case {
    let whole = world.until(Kind::Received);
    let mut case = Case::disclosed(world, what, &whole).at(START_MS + 700_000);
    for party in world.all() {
        // Each has all of them in its log.
        let log = Log::with(party, &whole);
        let checkpoint = log.checkpoint();
        case = case.and(block(&checkpoint));
        for step in whole.iter().filter(|step| step.envelope.statement().signer == Some(party.cid())) {
            let proof = log.proof(step, &checkpoint);
            case = case.listing(|manifest| manifest.proofs.push(proof.clone()));
        }
    }
    case
}

pub fn cases(world: &World, cases: &mut Cases) {
    cases.holds(proved(world, "a whole order, each step proved to stand in its signer's log"));
    let whole = world.until(Kind::Received);
    let theirs = Log::with(&world.alice, &whole);
    let checkpoint_of = theirs.checkpoint();
    let received = theirs.proof(whole[4], &checkpoint_of);
    let with = |case: Case, checkpoint: &Envelope, proof: &Proof| {
        let case = case.and(block(checkpoint));
        case.listing(|manifest| manifest.proofs.push(proof.clone()))
    };
    let alone = |what| Case::of(world, what, &whole).at(START_MS + 700_000);
    let case = alone("a receipt proved to stand in the principal's log, and not in its signer's");
    cases.holds(with(case, &checkpoint_of, &received));

    let changes: [(&str, Change<'_>); 9] = [
        ("another number", &|proof| proof.sequence -= 1),
        ("a number beyond the log", &|proof| proof.sequence = 11),
        ("another record", &|proof| proof.record[0] ^= 1),
        ("another blind", &|proof| proof.blind[31] ^= 1),
        ("no envelope", &|proof| proof.envelopes.clear()),
        ("an envelope more", &|proof| proof.envelopes.push(proof.log)),
        ("a bit of the path", &|proof| proof.path[0][0] ^= 1),
        ("a shorter path", &|proof| _ = proof.path.pop()),
        ("a longer path", &|proof| proof.path.push([0; 32])),
    ];
    for (what, change) in changes {
        let mut proof = received.clone();
        change(&mut proof);
        cases.fails(Name::Inclusion, "not-included", with(alone(what), &checkpoint_of, &proof));
    }
    let step = whole[3].cid();
    let mut proof = received.clone();
    proof.envelopes = vec![step];
    let case = alone("a proof of one step, said to be of another");
    cases.fails(Name::Inclusion, "not-included", with(case, &checkpoint_of, &proof));
    let bobs = Log::with(&world.bob, &whole);
    let mut proof = received.clone();
    proof.log = world.bob.cid();
    let case = alone("a checkpoint of another's log");
    cases.fails(Name::Inclusion, "checkpoint-other-log", with(case, &checkpoint_of, &proof));
    let mut proof = received.clone();
    proof.checkpoint = bobs.checkpoint().cid();
    let case = alone("a checkpoint of another's log, which the proof does not name");
    let checkpoint_two = bobs.checkpoint();
    proof.checkpoint = checkpoint_two.cid();
    cases.fails(Name::Inclusion, "checkpoint-other-log", with(case, &checkpoint_two, &proof));
    let shorter = Log::with(&world.alice, &whole[..4]).checkpoint();
    proof.checkpoint = shorter.cid();
    let case = alone("a checkpoint of before the record was there");
    cases.fails(Name::Inclusion, "not-included", with(case, &shorter, &proof));
    let stranger = Log::with(&world.mallory, &whole);
    let signed = stranger.checkpoint();
    let case = with(alone("the log of a stranger"), &signed, &stranger.proof(whole[4], &signed));
    let mallory = world.mallory.cid();
    let case = case.and(world.block_of(&world.mallory)).listing(|manifest| {
        manifest.identities.push(mallory);
        manifest.identities.sort();
    });
    cases.fails(Name::Inclusion, "log-stranger", case);
    let case = alone("a proof whose checkpoint is left out");
    let case = case.listing(|manifest| manifest.proofs.push(received.clone()));
    cases.fails(Name::File, "block-missing", case);
    let mut proof = received.clone();
    proof.checkpoint = step;
    let case = alone("a step in place of a checkpoint").without(step).listing(|manifest| {
        manifest.steps.remove(3);
        manifest.proofs.push(proof.clone());
    });
    let case = case.and(block(&whole[3].envelope));
    cases.fails(Name::File, "checkpoint-other-kind", case);
    checkpoints(world, cases, &with, &alone);
}

/// Checkpoints that do not hold.
fn checkpoints(
    world: &World,
    cases: &mut Cases,
    with: &dyn Fn(Case, &Envelope, &Proof) -> Case,
    alone: &dyn Fn(&'static str) -> Case,
) {
    let whole = world.until(Kind::Received);
    let log = Log::with(&world.alice, &whole);
    let note = log.note();
    let bobs = Log::with(&world.bob, &whole).note();
    let (alice, at) = (&world.alice, START_MS + 600_000);
    let mut changed = note.text().to_owned();
    changed.replace_range(
        note.text().find("\n11\n").unwrap()..note.text().find("\n11\n").unwrap() + 4,
        "\n12\n",
    );
    for (what, reason, signed) in [
        (
            "a checkpoint signed by another",
            "signature-invalid",
            checkpoint_as(alice.cid(), &world.mallory, note.text(), at),
        ),
        ("a note of another's log", "note-other-identity", checkpoint(alice, bobs.text(), at)),
        ("a note that was changed", "note-signature", checkpoint(alice, &changed, at)),
        ("no note", "note-malformed", checkpoint(alice, "", at)),
        (
            "a checkpoint from after the audit",
            "issued-in-future",
            checkpoint(alice, note.text(), START_MS + 1_000_001),
        ),
    ] {
        let proof = log.proof(whole[4], &signed);
        cases.fails(Name::Checkpoint, reason, with(alone(what), &signed, &proof));
    }
    // Another log of the same size under the same name.
    let mut other = Log::with(alice, &whole[1..]);
    other.append(vec![]);
    other.append(vec![whole[0].cid()]);
    let (one, two) = (log.checkpoint(), other.checkpoint());
    let case = with(alone("two trees of one size"), &one, &log.proof(whole[4], &one));
    let case = with(case, &two, &other.proof(whole[0], &two));
    cases.fails(Name::Checkpoint, "log-forked", case);
}
