//! tests/vectors/audit.json: what an audit must make of each exported chain.

#![allow(clippy::unwrap_used, clippy::panic)]

mod kit;

use std::collections::BTreeSet;

use dta_verify::{Name, Outcome, Subject};

use kit::Vectors;

#[test]
fn each_case_is_judged_as_it_says() {
    let vectors = Vectors::read();
    let (mut valid, mut invalid, mut names) = (0, 0, BTreeSet::new());
    for case in vectors.cases() {
        let report = case.verify();
        let first = report.failures().next();
        let what = format!(
            "{} {}: {:#?}",
            case.str("name"),
            case.str("what"),
            report.failures().collect::<Vec<_>>()
        );
        let Some(reason) = case.json["reason"].as_str() else {
            assert!(report.holds(), "{what}");
            valid += 1;
            continue;
        };
        assert!(!report.holds(), "{what}");
        let (check, failure) = first.unwrap_or_else(|| panic!("{what}"));
        assert_eq!((check.name.as_str(), failure.code), (case.str("check"), reason), "{what}");
        if let Some(step) = case.json["step"].as_str() {
            let kind = match check.subject {
                Subject::Step(kind, _) | Subject::Body(kind, _, _) => kind,
                other => panic!("{other}: {what}"),
            };
            assert_eq!(kind.as_str(), step, "{what}");
        }
        names.insert(check.name);
        invalid += 1;
    }
    assert!(valid >= 20 && invalid >= 120, "{valid} valid cases, {invalid} invalid ones");
    // One file agrees with itself; what the rules refuse is refused by a finer check before; that no proof is there is not wrong.
    let unseen: Vec<_> = Name::ALL.into_iter().filter(|name| !names.contains(name)).collect();
    assert_eq!(unseen, [Name::SameOrder, Name::Logged, Name::Rules]);
}

#[test]
fn a_whole_order_is_checked_from_end_to_end() {
    let vectors = Vectors::read();
    let case = vectors.named("a whole order, all of it disclosed but the secret");
    let report = case.verify();
    let open: BTreeSet<&str> = not_disclosed(&report).collect();
    assert_eq!(open, BTreeSet::from(["logged", "secret", "secret-recipients"]));
    let about = report.about.as_ref().unwrap();
    assert_eq!(about.stage.as_str(), "Received");
    assert!(about.commitment.is_some());
    for (party, cid) in about.parties {
        let name = match party.as_str() {
            "principal" => "alice",
            "fiduciary" => "bob",
            _ => "carol",
        };
        assert_eq!(cid.unwrap().to_string(), vectors.identity(name));
    }
    let report = vectors.named("with the sealed secret too").verify();
    assert_eq!(not_disclosed(&report).collect::<BTreeSet<_>>(), BTreeSet::from(["logged"]));
    let report = vectors.named("a whole order, each step proved to stand in its signer's log").verify();
    let open: BTreeSet<&str> = not_disclosed(&report).collect();
    assert_eq!(open, BTreeSet::from(["secret", "secret-recipients"]));
}

#[test]
fn without_keys_only_what_everyone_may_see_is_told() {
    let vectors = Vectors::read();
    let report = vectors.named("a whole order, nothing disclosed").verify();
    let made: BTreeSet<&str> = report
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Holds)
        .map(|check| check.name.as_str())
        .collect();
    let public =
        ["file", "identity", "link", "one-signer", "sequence", "signature", "time", "trusted-signer"];
    assert_eq!(made, BTreeSet::from(public));
    assert_eq!(report.about.as_ref().unwrap().commitment, None);
}

/// The finer checks are made of the same proofs, table and terms as the rules, and must come to the same.
#[test]
fn whatever_the_rules_refuse_a_finer_check_refuses_too() {
    let vectors = Vectors::read();
    let mut refused = 0;
    for case in vectors.cases() {
        let report = case.verify();
        let finer = report.failures().any(|(check, _)| check.name != Name::Rules);
        if report.failures().any(|(check, _)| check.name == Name::Rules) {
            assert!(finer, "{} {}: only the rules refuse it", case.str("name"), case.str("what"));
            refused += 1;
        }
    }
    assert!(refused >= 20, "{refused}");
}

fn not_disclosed(report: &dta_verify::Report) -> impl Iterator<Item = &'static str> {
    let open = report.checks.iter().filter(|check| matches!(check.outcome, Outcome::NotDisclosed(_)));
    open.map(|check| check.name.as_str())
}
