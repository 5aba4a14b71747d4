//! What the parties of an order export, each for itself, judged as one; and signatures that were verified before.

#![allow(clippy::unwrap_used, clippy::panic)]

mod kit;

use std::collections::BTreeSet;
use std::sync::Arc;

use dta_protocol::{Cid, Envelope, Identity, Manifest};
use dta_verify::{
    Check, Conflict, Disclosure, JoinError, Name, Outcome, Report, Signatures, Subject, join, verify,
    verify_all, verify_with,
};

use kit::{Case, Vectors, pack, parts};

const LOGGED: &str = "a whole order, each step proved to stand in its signer's log";
const DISCLOSED: &str = "a whole order, all of it disclosed but the secret";

/// The file as one party exports it: with the proofs of its own log, and the first `steps` of the order.
fn export(case: &Case<'_>, log: Option<&Cid>, steps: usize) -> Vec<u8> {
    let (mut manifest, mut blocks) = parts(case);
    manifest.steps.truncate(steps);
    manifest.proofs.retain(|proof| Some(&proof.log) == log);
    let envelopes: Vec<Envelope> = blocks
        .iter()
        .filter(|(cid, _)| manifest.steps.contains(cid))
        .map(|(_, block)| Envelope::decode(block).unwrap())
        .collect();
    let signers = envelopes.iter().filter_map(|step| step.statement().signer);
    let identities: BTreeSet<Cid> = signers.chain(manifest.proofs.iter().map(|proof| proof.log)).collect();
    manifest.identities = identities.into_iter().collect();
    let bodies = envelopes.iter().flat_map(|step| step.statement().sealed.iter().map(|body| body.cid));
    let mut listed: BTreeSet<Cid> = bodies.chain(manifest.steps.clone()).collect();
    listed.extend(&manifest.identities);
    listed.extend(manifest.proofs.iter().map(|proof| proof.checkpoint));
    blocks.retain(|(cid, _)| listed.contains(cid));
    pack(&manifest, &blocks).unwrap()
}

fn logs(case: &Case<'_>) -> Vec<Cid> {
    let logs: BTreeSet<Cid> = parts(case).0.proofs.iter().map(|proof| proof.log).collect();
    logs.into_iter().collect()
}

fn together(case: &Case<'_>, cars: &[&[u8]]) -> Report {
    let disclosures: Vec<_> = case.disclosure().into_iter().collect();
    verify_all(cars, &disclosures, &case.trusted(), case.at_ms())
}

fn outcomes(report: &Report, name: Name) -> Vec<&'static str> {
    report.checks.iter().filter(|check| check.name == name).map(|check| check.outcome.as_str()).collect()
}

fn fails(report: &Report) -> Vec<(Name, Subject, &'static str)> {
    report.failures().map(|(check, failure)| (check.name, check.subject, failure.code)).collect()
}

/// Without the checks that are about files.
fn of_the_order(report: &Report) -> Vec<&Check> {
    let about_files = |check: &&Check| matches!(check.name, Name::File | Name::SameOrder);
    report.checks.iter().filter(|check| !about_files(check)).collect()
}

#[test]
fn what_each_party_proves_of_its_own_log_is_proved_together() {
    let vectors = Vectors::read();
    let case = vectors.named(LOGGED);
    let logs = logs(&case);
    assert_eq!(logs.len(), 3, "of three parties");
    let cars: Vec<Vec<u8>> = logs.iter().map(|log| export(&case, Some(log), 31)).collect();
    for car in &cars {
        let alone = case.verify_car(car);
        assert!(alone.holds() && outcomes(&alone, Name::Logged).contains(&"not disclosed"));
        assert_eq!(outcomes(&alone, Name::SameOrder), [""; 0]);
    }
    let [one, two, three] = cars.each_ref_of();
    for cars in [[one, two, three], [three, one, two], [two, three, one]] {
        let report = together(&case, &cars);
        assert!(report.holds(), "{:?}", fails(&report));
        assert_eq!(outcomes(&report, Name::Logged), ["holds"; 5]);
        assert_eq!(
            (outcomes(&report, Name::File), outcomes(&report, Name::SameOrder)),
            (vec!["holds"; 3], vec!["holds"; 2])
        );
        assert_eq!(report.about, case.verify().about);
        // And one file of them says the same.
        let joined = join(&cars).unwrap();
        let again = case.verify_car(&joined);
        assert_eq!(of_the_order(&again), of_the_order(&report));
        assert_eq!(join(&[&joined]).unwrap(), joined);
        assert_eq!(join(&[&joined, one]).unwrap(), joined, "nothing in it is new");
    }
}

/// Three files as they are handed over.
trait EachRef {
    fn each_ref_of(&self) -> [&[u8]; 3];
}

impl EachRef for Vec<Vec<u8>> {
    fn each_ref_of(&self) -> [&[u8]; 3] {
        [&self[0], &self[1], &self[2]]
    }
}

#[test]
fn one_may_go_on_where_another_ends() {
    let vectors = Vectors::read();
    let case = vectors.named(LOGGED);
    let (log, whole) = (logs(&case)[0], case.car());
    for steps in 1..=5 {
        let short = export(&case, None, steps);
        for cars in [[short.as_slice(), &whole], [&whole, &short]] {
            let report = together(&case, &cars);
            assert!(report.holds(), "{:?}", fails(&report));
            assert_eq!(of_the_order(&report), of_the_order(&case.verify()));
        }
        let report = together(&case, &[&short, &export(&case, Some(&log), 31)]);
        assert_eq!(report.about.as_ref().unwrap().stage.as_str(), "Received");
    }
}

#[test]
fn files_that_do_not_go_together_are_named_and_left_out() {
    let vectors = Vectors::read();
    let case = vectors.named(LOGGED);
    let (whole, steps) = (case.car(), parts(&case).0.steps);
    let (mut others, mut conflicts) = (0, 0);
    for other in vectors.cases().filter(|other| other.json.get("reason").is_none()) {
        let (listed, theirs) = (parts(&other).0.steps, other.car());
        let report = together(&case, &[&whole, &theirs]);
        let failed = join(&[&whole, &theirs]);
        if listed[0] != steps[0] {
            let conflict = Conflict::OtherOrder { order: steps[0], other: listed[0] };
            assert_eq!(failed, Err(JoinError::Conflict { number: 2, conflict }));
            assert_eq!(fails(&report), [(Name::SameOrder, Subject::Part(2), "other-order")]);
            others += 1;
        } else if let Some(at) = steps.iter().zip(&listed).position(|(one, two)| one != two) {
            let conflict = Conflict::Steps { at: at + 1, step: steps[at], other: listed[at] };
            assert_eq!(failed, Err(JoinError::Conflict { number: 2, conflict }));
            assert_eq!(fails(&report), [(Name::SameOrder, Subject::Part(2), "steps-conflict")]);
            conflicts += 1;
        } else {
            assert!(failed.is_ok());
            continue;
        }
        assert!(!report.holds());
        assert_eq!(of_the_order(&report), of_the_order(&case.verify()), "it is judged without the other");
    }
    assert!(others >= 1 && conflicts >= 1, "{others} of other orders, {conflicts} with other steps");
}

#[test]
fn a_file_that_is_none_is_named_and_left_out() {
    let vectors = Vectors::read();
    let case = vectors.named(LOGGED);
    let whole = case.car();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    for bad in [&changed[..], &[], &whole[..whole.len() - 1]] {
        for (cars, number) in [([bad, &whole], 1), ([&whole, bad], 2)] {
            let report = together(&case, &cars);
            assert!(!report.holds());
            let failed = fails(&report);
            assert_eq!((failed.len(), failed[0].0, failed[0].1), (1, Name::File, Subject::Part(number)));
            assert_eq!(of_the_order(&report), of_the_order(&case.verify()));
            assert!(matches!(join(&cars), Err(JoinError::File { number: at, .. }) if at == number));
        }
    }
    let none = together(&case, &[&changed, &changed]);
    assert!(!none.holds() && none.about.is_none() && fails(&none).len() == 2);
    assert!(!together(&case, &[]).holds());
    assert_eq!(join(&[]), Err(JoinError::Nothing));
}

#[test]
fn what_several_disclose_counts_together() {
    let vectors = Vectors::read();
    let case = vectors.named(DISCLOSED);
    let whole = case.disclosure().unwrap().encode();
    let json: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let part = |wanted: &dyn Fn(usize) -> bool| {
        let mut part = json.clone();
        for field in ["keys", "blocks"] {
            let mut n = 0;
            part[field].as_object_mut().unwrap().retain(|_, _| {
                n += 1;
                wanted(n)
            });
        }
        part
    };
    let decode = |json: &serde_json::Value| Disclosure::decode(&json.to_string()).unwrap();
    let judge =
        |disclosures: &[Disclosure]| verify_all(&[&case.car()], disclosures, &case.trusted(), case.at_ms());
    let (even, odd) = (part(&|n| n % 2 == 0), part(&|n| n % 2 == 1));
    let report = judge(&[decode(&even), decode(&odd)]);
    assert!(report.holds(), "{:?}", fails(&report));
    assert_eq!(of_the_order(&report), of_the_order(&case.verify()));
    assert!(of_the_order(&judge(&[decode(&even)])) != of_the_order(&report));
    // The same twice is as good as once.
    assert_eq!(of_the_order(&judge(&[decode(&even), decode(&json), decode(&json)])), of_the_order(&report));

    let mut wrong = even.clone();
    let first = wrong["keys"].as_object_mut().unwrap().values_mut().next().unwrap();
    *first = "00".repeat(32).into();
    let report = judge(&[decode(&json), decode(&wrong)]);
    assert_eq!(fails(&report), [(Name::Disclosure, Subject::File, "key-conflict")]);
    let mut other = odd.clone();
    other["order"] = case.trusted().first().unwrap().to_string().into();
    let report = judge(&[decode(&other), decode(&json)]);
    assert_eq!(fails(&report), [(Name::Disclosure, Subject::File, "disclosure-other-order")]);
    let opens = |report: &Report| outcomes(report, Name::Body).iter().filter(|one| **one == "holds").count();
    assert_eq!(opens(&report), opens(&case.verify()), "the other is used");
}

/// What of a file can be verified before: whoever is given this has nothing to verify, or to verify alone.
fn verified(car: &[u8]) -> Signatures {
    let mut signatures = Signatures::default();
    let Ok((_, blocks)) = dta_protocol::car::decode(car) else { return signatures };
    let identities: Vec<_> =
        blocks.iter().filter_map(|(_, block)| Identity::decode(block).ok().map(Arc::new)).collect();
    for envelope in blocks.iter().filter_map(|(_, block)| Envelope::decode(block).ok()) {
        let signer = identities.iter().find(|known| Some(known.cid()) == envelope.statement().signer);
        if let Some(Ok(verified)) = signer.map(|signer| envelope.clone().verify(signer)) {
            signatures.add(&verified);
        }
    }
    identities.into_iter().for_each(|identity| signatures.add_identity(identity));
    signatures
}

#[test]
fn what_was_verified_before_is_judged_as_if_it_were_verified_now() {
    let vectors = Vectors::read();
    // As if all orders were audited at once.
    let mut all = Signatures::default();
    for case in vectors.cases() {
        let (car, disclosure) = (case.car(), case.disclosure());
        let with = |signatures: &Signatures| {
            verify_with(&car, disclosure.as_ref(), &case.trusted(), case.at_ms(), signatures)
        };
        let (now, signatures) = (case.verify(), verified(&car));
        assert_eq!(with(&signatures), now, "{} {}", case.str("name"), case.str("what"));
        all.extend(signatures);
        assert_eq!(with(&all), now, "{} {}", case.str("name"), case.str("what"));
    }
}

#[test]
fn nothing_that_is_put_together_makes_it_panic() {
    let vectors = Vectors::read();
    let cars: Vec<Vec<u8>> = vectors.cases().map(|case| case.car()).collect();
    let trusted = vectors.named(LOGGED).trusted();
    for (n, car) in cars.iter().enumerate().step_by(3) {
        let other = &cars[(n * 31 + 7) % cars.len()];
        let report = verify_all(&[car, other, &other[..other.len() / 2]], &[], &trusted, 1 << 52);
        assert!(!report.holds());
        if let Ok(joined) = join(&[car, other]) {
            let alone = verify(&joined, None, &trusted, 1 << 52);
            let report = verify_all(&[car, other], &[], &trusted, 1 << 52);
            assert_eq!(of_the_order(&alone), of_the_order(&report));
        }
    }
}

#[test]
fn a_manifest_that_is_over_its_limits_is_not_written() {
    let vectors = Vectors::read();
    let case = vectors.named(LOGGED);
    let (manifest, blocks) = parts(&case);
    // Many proofs of one record, each other than all before: none of them holds.
    let mut cars = Vec::new();
    for n in 0..2_u8 {
        let proof = |at: u8| {
            let mut proof = manifest.proofs[0].clone();
            proof.blind = [at; 32];
            proof.record = [n; 32];
            proof
        };
        let mut proofs = manifest.proofs.clone();
        proofs.extend((0..60).map(proof));
        cars.push(pack(&Manifest { proofs, ..manifest.clone() }, &blocks).unwrap());
    }
    assert!(matches!(join(&[&cars[0], &cars[1]]), Err(JoinError::Manifest(_))));
    let report = together(&case, &[&cars[0], &cars[1]]);
    let not_included = |check: &&Check| {
        check.name == Name::Inclusion
            && matches!(&check.outcome, Outcome::Fails(why) if why.code == "not-included")
    };
    assert_eq!(report.checks.iter().filter(not_included).count(), 120);
}
