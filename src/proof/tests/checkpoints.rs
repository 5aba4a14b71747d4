//! Chains of checkpoints: found by their links, in whatever order blocks come; each thing that is wrong has its name.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::checkpoint::skip_after;
use dta_protocol::statement::SUITE;
use dta_protocol::{
    Body, CheckpointBody, Cid, Codec, Descriptor, Envelope, Identity, Kind, Role, Statement, Verified,
};

use crate::checkpoints::{ChainError, Checkpoint, Fault, Walk, check};
use crate::note::{Note, NoteError, Origin};

/// Enough for three levels of links.
const COUNT: u64 = 300;

/// Two of them: their documents are signed once, since signing again would make others.
fn party(seed: u8) -> (IdentityKeys, Identity) {
    static DOCUMENTS: [OnceLock<Identity>; 2] = [const { OnceLock::new() }; 2];
    let keys = IdentityKeys::from_seed(&Secret::build(|bytes| bytes.fill(seed)));
    let document = DOCUMENTS[usize::from(seed) - 1]
        .get_or_init(|| Identity::create(&keys, "alice", None, None, 1).unwrap());
    (keys, document.clone())
}

/// What one checkpoint says, before it is signed.
#[derive(Clone)]
struct Said {
    number: u64,
    skip: Vec<Cid>,
    epoch: u64,
    size: u64,
    root: [u8; 32],
    issued_at_ms: u64,
    /// In whose log it stands, and who signs it.
    signer: u8,
}

fn sign(said: &Said) -> Verified<Envelope> {
    let (keys, identity) = party(said.signer);
    let origin = Origin { identity: identity.cid(), epoch: said.epoch };
    let note = Note::sign(origin, said.size, said.root, &keys).unwrap();
    let body = Body::Checkpoint(CheckpointBody {
        number: said.number,
        note: note.text().to_owned(),
        skip: said.skip.clone(),
    });
    signed(body, said.skip.first().copied(), said.issued_at_ms, &keys, identity.cid())
}

fn signed(
    body: Body,
    previous: Option<Cid>,
    issued_at_ms: u64,
    keys: &IdentityKeys,
    signer: Cid,
) -> Verified<Envelope> {
    let sealed = Descriptor {
        cid: Cid::of(Codec::Raw, b"records"),
        commit: [0; 32],
        role: Role::Log,
        suite: SUITE,
        to: vec![Box::new([0; 1_168])],
    };
    let (subject, sealed) = (String::new(), vec![sealed]);
    let kind = Kind::Checkpoint;
    let signer = Some(signer);
    Envelope::sign(&Statement { kind, body, sealed, signer, subject, previous, issued_at_ms }, keys).unwrap()
}

/// A log's chain; `change` has a say in what each says, given its number, and what follows builds on that.
fn chain(count: u64, change: &dyn Fn(&mut Said, &[Verified<Envelope>])) -> Vec<Verified<Envelope>> {
    let mut all: Vec<Verified<Envelope>> = Vec::new();
    let mut skip = Vec::new();
    for number in 0..count {
        let (size, root) = (number * 3 / 2, [(number * 3 / 2) as u8; 32]);
        let honest = skip.clone();
        let mut said = Said { number, skip, epoch: 0, size, root, issued_at_ms: number, signer: 1 };
        change(&mut said, &all);
        all.push(sign(&said));
        let first = all[0].cid();
        skip = skip_after(number, all[number as usize].cid(), &honest, first);
    }
    all
}

fn honest(count: u64) -> Vec<Verified<Envelope>> {
    chain(count, &|_, _| {})
}

fn judge(all: &[Verified<Envelope>]) -> Result<Vec<Checkpoint>, ChainError> {
    check(&party(1).1, &all.last().unwrap().cid(), all.to_vec())
}

/// As fetched from somebody who has these blocks. In how many rounds.
fn walk(
    blocks: &BTreeMap<Cid, Verified<Envelope>>,
    newest: &Cid,
) -> Result<(Vec<Checkpoint>, usize), ChainError> {
    let owner = party(1).1;
    let mut walk = Walk::new(&owner, blocks[newest].clone())?;
    let mut rounds = 0;
    loop {
        let wanted: Vec<_> =
            walk.wanted().filter_map(|(number, cid)| Some((number, blocks.get(&cid)?))).collect();
        if wanted.is_empty() {
            return Ok((walk.finish()?, rounds));
        }
        for (number, envelope) in wanted {
            walk.take(number, envelope.clone())?;
        }
        rounds += 1;
    }
}

fn stored(all: &[Verified<Envelope>]) -> BTreeMap<Cid, Verified<Envelope>> {
    all.iter().map(|envelope| (envelope.cid(), envelope.clone())).collect()
}

#[test]
fn a_whole_chain_is_found_in_few_rounds_and_holds() {
    let all = honest(COUNT);
    let newest = all.last().unwrap().cid();
    let (found, rounds) = walk(&stored(&all), &newest).unwrap();
    let cids = |found: &[Checkpoint]| found.iter().map(Checkpoint::cid).collect::<Vec<_>>();
    assert_eq!(cids(&found), all.iter().map(|envelope| envelope.cid()).collect::<Vec<_>>());
    assert!(rounds < 32, "{rounds} rounds");
    let mut mixed = all.clone();
    mixed.reverse();
    mixed.swap(3, 200);
    mixed.push(all[7].clone());
    assert_eq!(check(&party(1).1, &newest, mixed), Ok(found.clone()));
    let last = found.last().unwrap();
    assert_eq!((last.number(), last.note().size()), (COUNT - 1, (COUNT - 1) * 3 / 2));
    assert_eq!(**last.envelope(), *all[COUNT as usize - 1]);
    // A chain of one is one.
    assert_eq!(walk(&stored(&all[..1]), &all[0].cid()).unwrap().0.len(), 1);
    assert_eq!(judge(&all[..1]).unwrap().len(), 1);
}

#[test]
fn what_is_left_out_is_named() {
    let all = honest(40);
    let newest = all[39].cid();
    for n in 0..39_u64 {
        let mut left = all.clone();
        let gone = left.remove(n as usize).cid();
        let next = all[n as usize + 1].cid();
        assert_eq!(judge(&left), Err(ChainError { cid: next, fault: Fault::Gap(n) }));
        assert_eq!(
            walk(&stored(&left), &newest),
            Err(ChainError { cid: gone, fault: Fault::Missing(n) }),
            "{n}"
        );
    }
    let owner = party(1).1;
    let older = ChainError { cid: all[38].cid(), fault: Fault::NotNewest };
    assert_eq!(check(&owner, &newest, all[..39].to_vec()), Err(older));
    let none = ChainError { cid: newest, fault: Fault::NotNewest };
    assert_eq!(check(&owner, &newest, Vec::new()), Err(none));
}

/// The checkpoint that was changed is the one that is named, by both ways to judge it.
#[track_caller]
fn refused(at: u64, fault: Fault, change: &dyn Fn(&mut Said, &[Verified<Envelope>])) {
    let all = chain(40, &|said, before| {
        if said.number == at {
            change(said, before)
        }
    });
    let error = ChainError { cid: all[at as usize].cid(), fault };
    assert_eq!(judge(&all), Err(error.clone()));
    assert_eq!(walk(&stored(&all), &all[39].cid()), Err(error));
}

#[test]
fn what_the_owner_signed_and_should_not_have_is_named() {
    refused(20, Fault::Time, &|said, _| said.issued_at_ms = 18);
    refused(20, Fault::Size, &|said, _| said.size = 27);
}

#[test]
fn a_later_epoch_may_have_lost_records_and_an_earlier_one_may_not_follow() {
    let lost = chain(40, &|said, _| {
        if said.number >= 20 {
            (said.epoch, said.size) = (1, said.size - 20);
        }
    });
    assert!(judge(&lost).is_ok());
    let back = chain(40, &|said, _| said.epoch = u64::from(said.number == 20));
    assert_eq!(judge(&back), Err(ChainError { cid: back[21].cid(), fault: Fault::Epoch }));
    let forked = chain(40, &|said, _| said.size = 9);
    assert_eq!(judge(&forked), Err(ChainError { cid: forked[1].cid(), fault: Fault::Root }));
}

#[test]
fn a_link_that_leads_elsewhere_is_named() {
    let all = chain(40, &|said, before| {
        if said.number == 20 {
            said.skip[0] = before[18].cid();
        }
    });
    let previous = ChainError { cid: all[20].cid(), fault: Fault::Previous(19) };
    assert_eq!(judge(&all), Err(previous));
    let all = chain(40, &|said, before| {
        if said.number == 20 {
            said.skip[1] = before[15].cid();
        }
    });
    let skipped = ChainError { cid: all[20].cid(), fault: Fault::Skip { k: 1, number: 16 } };
    assert_eq!(judge(&all), Err(skipped));
    // On the walk it is the first of two that do not lead to one chain.
    for elsewhere in [0, 15, 19] {
        let all = chain(40, &|said, before| {
            if said.number == 20 {
                said.skip[1] = before[elsewhere].cid();
            }
        });
        let error = walk(&stored(&all), &all[39].cid()).unwrap_err();
        assert!(matches!(error.fault, Fault::Skip { k: 1, number: 16 }), "{error}");
    }
}

#[test]
fn two_links_of_one_checkpoint_to_one_number_are_one() {
    // Of checkpoint 33 both lead to 32.
    let all = chain(34, &|said, before| {
        if said.number == 33 {
            said.skip[1] = before[16].cid();
        }
    });
    let error = walk(&stored(&all), &all[33].cid()).unwrap_err();
    assert_eq!(error, ChainError { cid: all[33].cid(), fault: Fault::Skip { k: 1, number: 32 } });
}

#[test]
fn a_checkpoint_of_another_number_log_or_kind_is_named() {
    let (owner, all) = (party(1).1, honest(40));
    let mut walk = Walk::new(&owner, all[39].clone()).unwrap();
    let refused = |walk: &mut Walk<'_>, number, envelope: &Verified<Envelope>, fault| {
        let error = ChainError { cid: envelope.cid(), fault };
        assert_eq!(walk.take(number, envelope.clone()), Err(error));
        assert!(walk.wanted().any(|(wanted, _)| wanted == number), "it is still wanted");
    };
    refused(&mut walk, 38, &all[37], Fault::OtherBlock);
    let theirs = chain(40, &|said, _| said.signer = 2);
    refused(&mut walk, 38, &theirs[38], Fault::OtherBlock);
    assert_eq!(Walk::new(&owner, theirs[39].clone()).unwrap_err().fault, Fault::OtherSigner);
    let mut mixed = all.clone();
    mixed[20] = theirs[20].clone();
    assert_eq!(judge(&mixed), Err(ChainError { cid: theirs[20].cid(), fault: Fault::OtherSigner }));
    // Two with one number: the owner told different people different things.
    let other = chain(21, &|said, _| said.issued_at_ms += 1);
    let mut both = all.clone();
    both.push(other[20].clone());
    let error = check(&owner, &all[39].cid(), both).unwrap_err();
    assert_eq!(error, ChainError { cid: other[20].cid(), fault: Fault::Twice(20) });
    // A note of another's log, and an envelope that is no checkpoint.
    let (keys, _) = party(1);
    let body = CheckpointBody { number: 0, note: note_of(&theirs[0]), skip: Vec::new() };
    let foreign = signed(Body::Checkpoint(body), None, 1, &keys, owner.cid());
    let fault = Checkpoint::read(&owner, foreign).unwrap_err().fault;
    assert_eq!((fault, fault.code()), (Fault::Note(NoteError::OtherIdentity), "note-other-identity"));
    let identity = owner.envelope().clone();
    assert_eq!(Checkpoint::read(&owner, identity).unwrap_err().fault, Fault::OtherKind);
}

fn note_of(envelope: &Envelope) -> String {
    let Body::Checkpoint(body) = &envelope.statement().body else { unreachable!() };
    body.note.clone()
}

#[test]
fn a_link_to_a_checkpoint_of_another_number_is_named_when_it_comes() {
    // The link that should lead to checkpoint 38 leads to 37, which exists.
    let all = chain(40, &|said, before| {
        if said.number == 39 {
            said.skip[0] = before[37].cid();
        }
    });
    let error = walk(&stored(&all), &all[39].cid()).unwrap_err();
    assert_eq!(error, ChainError { cid: all[37].cid(), fault: Fault::Number { is: 37, expected: 38 } });
}
