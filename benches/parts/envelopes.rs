//! Envelopes and sealed bodies: ours against the bare primitives under them.

use criterion::Criterion;
use dta_crypto::{ContentKey, IdentityKeys, Secret};
use dta_protocol::body::Plaintext;
use dta_protocol::sealed::{self, SealRequest, SealedBody};
use dta_protocol::{Body, Cid, Envelope, Extension, Identity, Kind, Role, Statement, body};
use milagro_dta::ports::OsEntropy;

use crate::bare::{self, Keys};
use crate::pairs::{Pair, QUICK, cpu, pair};

/// How many envelopes are verified together.
const TOGETHER: [usize; 3] = [16, 64, 1_000];
const SUBJECT: &str = "0192f5a0-5b1e-7c3a-8f00-0123456789ab";
const ISSUED_AT_MS: u64 = 1_790_000_000_000;

/// Somebody, in both forms.
struct Person {
    keys: IdentityKeys,
    identity: Identity,
    bare: Keys,
}

impl Person {
    fn new(fill: u8) -> Self {
        let seed = Secret::from_bytes([fill; 32]);
        let keys = IdentityKeys::from_seed(&seed);
        let identity = Identity::create(&keys, "somebody", None, None, ISSUED_AT_MS).unwrap();
        Self { keys, identity, bare: Keys::from_seed(&seed) }
    }

    fn to(&self) -> (Cid, &dta_crypto::VerifyingKeys) {
        (self.identity.cid(), self.identity.verifying())
    }
}

pub fn run(criterion: &mut Criterion) {
    let (alice, bob) = (Person::new(1), Person::new(2));
    let mut table = Table { criterion, rows: Vec::new() };
    signatures(&mut table, &alice, &bob);
    bodies(&mut table, &alice, &bob);
    println!("\n| envelopes | CPU µs | bare primitives | speed |\n|---|---|---|---|");
    for (name, count, Pair { ours, bare, speed }) in table.rows {
        let us = |seconds: f64| seconds * 1e6 / count as f64;
        println!("| {name} | {:.0} | {:.0} | {speed:.2} |", us(ours), us(bare));
    }
}

struct Table<'a> {
    criterion: &'a mut Criterion,
    rows: Vec<(String, usize, Pair)>,
}

impl Table<'_> {
    /// Measures calls that do `count` things each.
    fn add<A, B>(
        &mut self,
        name: &str,
        count: usize,
        mut ours: impl FnMut() -> A,
        mut bare: impl FnMut() -> B,
    ) {
        let (ours, bare) = (&mut || cpu(&mut ours), &mut || cpu(&mut bare));
        let took = pair(self.criterion, "envelopes", name, QUICK, count as u64, ours, bare);
        self.rows.push((name.to_owned(), count, took));
    }
}

fn signatures(table: &mut Table, alice: &Person, bob: &Person) {
    let statement = |n: u64| statement(alice, &[alice, bob], n);
    let one = statement(0);
    let message = message(&Envelope::sign(&one, &alice.keys).unwrap());
    table.add("sign", 1, || Envelope::sign(&one, &alice.keys).unwrap(), || alice.bare.sign(&message));

    let block = Envelope::sign(&one, &alice.keys).unwrap().block().to_vec();
    let signed = alice.bare.sign(&message);
    table.add(
        "read and verify, alone",
        1,
        || Envelope::decode(&block).unwrap().verify(&alice.identity).unwrap(),
        || alice.bare.verify(&message, &signed),
    );
    let most = TOGETHER.into_iter().max().unwrap_or_default();
    let all = (0..most).map(|n| {
        let envelope = Envelope::sign(&statement(n as u64), &alice.keys).unwrap();
        let message = self::message(&envelope);
        let signed = alice.bare.sign(&message);
        (envelope.block().to_vec(), (message, signed))
    });
    let (blocks, items): (Vec<_>, Vec<_>) = all.unzip();
    for count in TOGETHER {
        table.add(
            &format!("read and verify, {count} together"),
            count,
            || {
                let envelopes =
                    blocks[..count].iter().map(|block| Envelope::decode(block).unwrap()).collect();
                let verdicts = Envelope::verify_batch(envelopes, &alice.identity, &mut OsEntropy);
                assert!(verdicts.iter().all(Result::is_ok));
            },
            || alice.bare.verify_many(&items[..count]),
        );
    }
}

fn bodies(table: &mut Table, alice: &Person, bob: &Person) {
    let plaintext = plaintext(alice);
    let plaintext = plaintext.expose();
    let request = request(alice, 0);
    let key = [9; 32];
    let seal = |to: &[&Person]| {
        let to: Vec<_> = to.iter().map(|person| person.to()).collect();
        sealed::seal(&request, plaintext, ContentKey::from_bytes(key), &to).unwrap()
    };
    table.add("seal to one", 1, || seal(&[bob]), || bare::seal(&key, plaintext, &[&bob.bare]));
    let both = [alice, bob];
    let bare_both = [&alice.bare, &bob.bare];
    table.add("seal to two", 1, || seal(&both), || bare::seal(&key, plaintext, &bare_both));

    let open = |reader: &Person, body: &SealedBody| {
        sealed::open(&reader.keys, &reader.identity.cid(), &request, &body.descriptor, &body.block).unwrap()
    };
    let (to_bob, bare_to_bob) = (seal(&[bob]), bare::seal(&key, plaintext, &[&bob.bare]));
    table.add("open, of one entry", 1, || open(bob, &to_bob), || bob.bare.open(&bare_to_bob));
    // Entries are sorted by their bytes, and do not say whose they are.
    let (to_both, bare_to_both) = (seal(&both), bare::seal(&key, plaintext, &bare_both));
    let bobs_is_first = to_both.descriptor.to[0] == to_bob.descriptor.to[0];
    let second = if bobs_is_first { alice } else { bob };
    table.add(
        "open, by the second of two entries",
        1,
        || open(second, &to_both),
        || bob.bare.open(&bare_to_both),
    );
    let prescribed = both.map(Person::to);
    table.add(
        "check two recipients",
        1,
        || {
            let key = ContentKey::from_bytes(key);
            sealed::check_recipients(&key, &alice.identity.cid(), &prescribed, &to_both.descriptor).unwrap();
        },
        || bare_both.map(|recipient| bare::wrap(recipient, &key)),
    );
}

/// What a principal says first, sealed to two.
fn statement(signer: &Person, readers: &[&Person], n: u64) -> Statement {
    let to: Vec<_> = readers.iter().map(|person| person.to()).collect();
    let request = request(signer, n);
    let content_key = ContentKey::from_bytes([9; 32]);
    let body = sealed::seal(&request, plaintext(signer).expose(), content_key, &to).unwrap();
    Statement {
        kind: Kind::Placed,
        body: Body::Order { note: None },
        sealed: vec![body.descriptor],
        signer: Some(signer.identity.cid()),
        subject: SUBJECT.into(),
        previous: None,
        issued_at_ms: ISSUED_AT_MS + n,
    }
}

fn request(signer: &Person, n: u64) -> SealRequest<'static> {
    SealRequest {
        kind: Kind::Placed,
        role: Role::Parties,
        signer: signer.identity.cid(),
        subject: SUBJECT,
        previous: None,
        issued_at_ms: ISSUED_AT_MS + n,
    }
}

fn plaintext(someone: &Person) -> dta_crypto::SecretBytes {
    let placed = body::Placed {
        reference: SUBJECT.into(),
        fiduciary: someone.identity.cid(),
        beneficiary: Some(someone.identity.cid()),
        plugin: "milagro".into(),
        coin: 0,
        policy: body::Policy {
            not_before_ms: 0,
            expires_at_ms: 0,
            retention_ms: 0,
            delay_ms: 0,
            guardian: None,
            approvers: Vec::new(),
            approvals_required: 0,
        },
        extension: Extension::new(),
        seen: Vec::new(),
    };
    placed.encode().unwrap()
}

/// What is signed of an envelope (docs/protocol.md, section 1).
fn message(envelope: &Envelope) -> Vec<u8> {
    [b"milagro-dta/v1/statement\0".as_slice(), envelope.statement_bytes()].concat()
}
