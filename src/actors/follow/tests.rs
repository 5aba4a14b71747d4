//! Pages that are a followed node's and those that are not, what is noted of them, and what is given to others.

use dta_crypto::{ContentKey, IdentityKeys, Secret};
use dta_proof::{Note, Origin};
use dta_protocol::car::MAX_CAR_BYTES;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{
    BlockPage, Body, CheckpointBody, Cid, Codec, Envelope, Identity, Kind, Place, Role, Statement, car,
};

use super::chain::{Held, NotItsLog, Page};
use super::files::{Files, stands};
use super::give;
use crate::actors::ipfs::testing;
use crate::actors::log::{BlockClass, LogReader as _};

struct Owner {
    keys: IdentityKeys,
    identity: Identity,
}

/// One of a log's checkpoints, as a test wants it.
#[derive(Clone, Copy)]
struct Wanted {
    number: u64,
    size: u64,
    epoch: u64,
    previous: Option<Cid>,
}

impl Owner {
    fn new(seed: u8) -> Self {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes([seed; 32]));
        let identity = Identity::create(&keys, "alice", None, None, 5_000).unwrap();
        Self { keys, identity }
    }

    fn cid(&self) -> Cid {
        self.identity.cid()
    }

    fn note(&self, epoch: u64, size: u64) -> String {
        let origin = Origin { identity: self.cid(), epoch };
        Note::sign(origin, size, [7; 32], &self.keys).unwrap().text().to_owned()
    }

    fn checkpoint(&self, wanted: Wanted) -> (Cid, Vec<u8>) {
        self.with_note(wanted, self.note(wanted.epoch, wanted.size))
    }

    fn with_note(&self, Wanted { number, previous, .. }: Wanted, note: String) -> (Cid, Vec<u8>) {
        let signer = self.cid();
        let (kind, role, subject, issued_at_ms) = (Kind::Checkpoint, Role::Log, "", 6_000);
        let request = SealRequest { kind, role, signer, subject, previous, issued_at_ms };
        let key = ContentKey::from_bytes([3; 32]);
        let to = [(signer, self.identity.verifying())];
        let body = sealed::seal(&request, b"records", key, &to).unwrap();
        let statement = Statement {
            kind,
            body: Body::Checkpoint(CheckpointBody { number, note, skip: previous.into_iter().collect() }),
            sealed: vec![body.descriptor],
            signer: Some(signer),
            subject: String::new(),
            previous,
            issued_at_ms,
        };
        let envelope = Envelope::sign(&statement, &self.keys).unwrap().into_inner();
        (envelope.cid(), envelope.block().to_vec())
    }
}

fn at(sequence: u64, n: u32) -> Place {
    Place { sequence, n }
}

fn raw(text: &str) -> (Cid, Vec<u8>) {
    (Cid::of(Codec::Raw, text.as_bytes()), text.as_bytes().to_vec())
}

fn page(blocks: &[(Place, (Cid, Vec<u8>))], more: bool) -> Page {
    let blocks = blocks.iter().map(|(at, (cid, bytes))| (*at, *cid, bytes.clone())).collect();
    Page { blocks, more }
}

/// The CAR of a page that names these blocks, with those.
fn car_of(named: &[(Place, Cid)], more: bool, brought: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let page = BlockPage { blocks: named.to_vec(), more }.encode();
    let root = Cid::of(Codec::DagCbor, &page);
    let brought = brought.iter().map(|(cid, bytes)| (*cid, bytes.as_slice()));
    car::encode(root, std::iter::once((root, page.as_slice())).chain(brought)).unwrap()
}

#[test]
fn a_page_is_what_it_names_and_goes_on() {
    let (one, two) = (raw("one"), raw("two"));
    let named = [(at(3, 0), one.0), (at(3, 1), two.0)];
    let good = car_of(&named, true, &[two.clone(), one.clone()]);
    let read = Page::decode(&good, Some(at(2, 9))).unwrap();
    assert_eq!(read, page(&[(at(3, 0), one.clone()), (at(3, 1), two.clone())], true));
    assert_eq!(Page::decode(&car_of(&[], false, &[]), None), Ok(page(&[], false)));
    let code = |car: &[u8], after| Page::decode(car, after).unwrap_err().code();
    assert_eq!(code(&good, Some(at(3, 0))), "page-backwards");
    assert_eq!(code(&car_of(&named, true, &[one.clone()]), None), "page-other-blocks");
    assert_eq!(code(&car_of(&named[..1], true, &[one.clone(), two]), None), "page-other-blocks");
    // Another block under the name of one.
    let mut wrong = good.clone();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(code(&wrong, None), "car-other-block");
    let no_page = car::encode(one.0, [(one.0, one.1.as_slice())]);
    assert!(no_page.is_err(), "a root is DAG-CBOR");
    let (cid, block) = Owner::new(1).checkpoint(Wanted { number: 0, size: 1, epoch: 0, previous: None });
    assert_eq!(code(&car::encode(cid, [(cid, block.as_slice())]).unwrap(), None), "page-malformed");
    for end in 0..good.len() {
        assert!(Page::decode(&good[..end], None).is_err(), "cut at {end}");
    }
}

#[test]
fn a_checkpoint_is_whole_once_its_record_is() {
    let alice = Owner::new(1);
    let wanted = Wanted { number: 0, size: 4, epoch: 0, previous: None };
    let first = alice.checkpoint(wanted);
    let next = alice.checkpoint(Wanted { number: 1, size: 9, previous: Some(first.0), ..wanted });
    let held = Held::default();
    let (held, note) = held.with(&page(&[(at(4, 0), first.clone())], true), &alice.identity).unwrap();
    assert_eq!((note.unwrap().size(), held.blocks, held.last), (4, 1, Some(at(4, 0))));
    assert_eq!((held.newest.as_ref().map(|newest| newest.cid), held.whole.as_ref()), (Some(first.0), None));
    // More of that record: not yet. Another's: now it is.
    let (held, note) = held.with(&page(&[(at(4, 1), raw("its body"))], true), &alice.identity).unwrap();
    assert!(note.is_none() && held.whole.is_none());
    let (held, _) = held.with(&page(&[(at(5, 0), raw("more"))], true), &alice.identity).unwrap();
    assert_eq!(
        held.whole.as_ref().map(|whole| (whole.cid, whole.number, whole.sequence)),
        Some((first.0, 0, 4))
    );
    // At the end of the log it is so at once, or with an empty page.
    let blocks = [(at(9, 0), next.clone()), (at(9, 1), raw("body"))];
    let (end, _) = held.with(&page(&blocks, false), &alice.identity).unwrap();
    assert_eq!(end.whole.as_ref().map(|whole| (whole.cid, whole.size)), Some((next.0, 9)));
    let (held, _) = held.with(&page(&blocks, true), &alice.identity).unwrap();
    assert_eq!(held.whole.as_ref().map(|whole| whole.number), Some(0));
    let (held, _) = held.with(&page(&[], false), &alice.identity).unwrap();
    assert_eq!((held.whole, held.blocks), (end.whole, 5));
}

#[test]
fn checkpoints_of_others_and_those_that_do_not_go_on_are_refused_by_name() {
    let (alice, mallory) = (Owner::new(1), Owner::new(2));
    let wanted = Wanted { number: 0, size: 4, epoch: 0, previous: None };
    let first = alice.checkpoint(wanted);
    let (held, _) =
        Held::default().with(&page(&[(at(4, 0), first.clone())], false), &alice.identity).unwrap();
    let code = |held: &Held, block: (Cid, Vec<u8>)| {
        let found = held.with(&page(&[(at(9, 0), block)], false), &alice.identity);
        found.map_err(|error: NotItsLog| error.code()).err()
    };
    let second = Wanted { number: 1, size: 9, epoch: 0, previous: Some(first.0) };
    assert_eq!(code(&held, alice.checkpoint(second)), None);
    assert_eq!(code(&held, alice.checkpoint(Wanted { size: 4, ..second })), None, "as many is not fewer");
    assert_eq!(code(&held, alice.checkpoint(Wanted { epoch: 1, size: 1, ..second })), None, "a new epoch");
    assert_eq!(code(&held, mallory.checkpoint(second)), Some("envelope-other-signer"));
    // Signed in her name by another.
    let forger = Owner {
        keys: IdentityKeys::from_seed(&Secret::from_bytes([2; 32])),
        identity: alice.identity.clone(),
    };
    let note = alice.note(0, 9);
    assert_eq!(code(&held, forger.with_note(second, note.clone())), Some("signature-invalid"));
    assert_eq!(code(&held, alice.with_note(second, mallory.note(0, 9))), Some("note-other-identity"));
    assert_eq!(code(&held, alice.with_note(second, forger.note(0, 9))), Some("note-signature"));
    assert_eq!(code(&held, alice.with_note(second, "no note".into())), Some("note-malformed"));
    assert_eq!(code(&held, alice.checkpoint(Wanted { number: 2, ..second })), Some("checkpoint-number"));
    assert_eq!(code(&held, alice.checkpoint(wanted)), Some("checkpoint-number"), "one that came before");
    assert_eq!(
        code(&Held::default(), alice.checkpoint(second)),
        Some("checkpoint-number"),
        "it begins with the first"
    );
    let other = alice.checkpoint(Wanted { size: 3, ..wanted });
    assert_eq!(
        code(&held, alice.checkpoint(Wanted { previous: Some(other.0), ..second })),
        Some("checkpoint-previous")
    );
    assert_eq!(code(&held, alice.checkpoint(Wanted { size: 3, ..second })), Some("checkpoint-shorter"));
    // What it does not know is kept as it is.
    let unknown = b"\xa0".to_vec();
    assert_eq!(code(&held, (Cid::of(Codec::DagCbor, &unknown), unknown)), None);
}

#[test]
fn what_is_held_is_read_back_or_begun_anew() {
    let alice = Owner::new(1);
    let folder = tempfile::tempdir().unwrap();
    let files = Files::new(folder.path().join("ipfs/follow-x"));
    assert_eq!(files.read().unwrap(), Held::default());
    let first = alice.checkpoint(Wanted { number: 0, size: 4, epoch: 0, previous: None });
    let blocks = [(at(3, 0), raw("a")), (at(4, 0), first), (at(4, 1), raw("b"))];
    let names: Vec<_> = blocks.iter().map(|(at, (cid, _))| (*at, *cid)).collect();
    let nothing = Held::default();
    let (two, _) = nothing.with(&page(&blocks[..2], true), &alice.identity).unwrap();
    files.write(&nothing, &names[..2], &two).unwrap();
    assert_eq!(files.read().unwrap(), two);
    let (three, _) = two.with(&page(&blocks[2..], false), &alice.identity).unwrap();
    files.write(&two, &names[2..], &three).unwrap();
    assert_eq!(files.read().unwrap(), three);
    assert_eq!(files.entries(0, 9).unwrap(), names);
    assert_eq!(files.entries(1, 1).unwrap(), names[1..2]);
    assert_eq!(files.entries(3, 9).unwrap(), []);
    // The list was written and the other file was not: the end of the list is not believed.
    let state = folder.path().join("ipfs/follow-x.json");
    let after = std::fs::read(&state).unwrap();
    files.write(&nothing, &names[..2], &two).unwrap();
    let before = std::fs::read(&state).unwrap();
    files.write(&two, &names[2..], &three).unwrap();
    std::fs::write(&state, &before).unwrap();
    assert_eq!(files.read().unwrap(), two);
    files.write(&two, &[], &two).unwrap();
    assert_eq!(files.entries(0, 9).unwrap(), names[..2]);
    // The other file without its list, or of another list, or no such file at all.
    std::fs::write(&state, &after).unwrap();
    assert_eq!(files.read().unwrap(), nothing);
    std::fs::write(&state, b"{").unwrap();
    assert_eq!(files.read().unwrap(), nothing);
    for bytes in [&after[..], &before, b"{\"blocks\":0}", b"{\"blocks\":1}", b"{"] {
        stands(bytes);
    }
    files.remove().unwrap();
    files.remove().unwrap();
    assert_eq!(files.entries(0, 9).unwrap(), []);
}

#[test]
fn all_that_is_published_is_given_in_its_order_and_nothing_else() {
    let log = testing::log();
    let small: Vec<_> = (0..70).map(|n| format!("block {n}")).collect();
    let mut published = testing::publish(&*log, &small);
    let held = testing::append(&*log, &[(testing::raw(b"secret"), BlockClass::Held, b"secret")]);
    // As large as they may be: some fifteen go into a page.
    let large: Vec<_> = (0..40_u8).map(|n| vec![n; 256 << 10]).collect();
    published.extend(testing::publish(&*log, &large));
    let (mut given, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let car = give::page(&*log, after).unwrap();
        assert!(car.len() <= MAX_CAR_BYTES);
        let page = Page::decode(&car, after).unwrap();
        pages += 1;
        given.extend(page.blocks.iter().map(|(_, cid, _)| *cid));
        after = page.blocks.last().map(|(at, ..)| *at).or(after);
        if !page.more {
            break;
        }
    }
    assert_eq!(given, published);
    assert!(!given.contains(&held[0]) && pages == 4, "{pages}");
    let end = Page::decode(&give::page(&*log, after).unwrap(), after).unwrap();
    assert_eq!(end, page(&[], false));
    testing::publish_held(&*log, &held[0]);
    let last = Page::decode(&give::page(&*log, after).unwrap(), after).unwrap();
    assert_eq!(last.blocks.iter().map(|(_, cid, _)| *cid).collect::<Vec<_>>(), held);
    assert_eq!(log.published(None, 1_000).unwrap().len(), published.len() + 1);
}
