//! Every stage against every command and every kind received, on each node: the tables below are written from the
//! protocol, not computed from the rules.

use super::kit::*;
use crate::order::*;

/// Compares a table (a line of columns, then a line a row; cells are words of [`Outcome::word`]) with what happens.
#[track_caller]
fn check(table: &str, columns: &[(&str, Given)], command: impl Fn(&str, &Order) -> Command) {
    let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let header = lines.find(|line| !line.is_empty()).unwrap();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    assert_eq!(header, names);
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in lines.filter(|line| !line.is_empty()) {
        assert_eq!(line.len(), columns.len() + 1, "{line:?}");
        for ((stage, given), expected) in columns.iter().zip(&line[1..]) {
            let word = given.when(&command(line[0], &given.order)).word();
            checked += 1;
            if word != *expected {
                wrong.push(format!("{} while {stage}: {word}, not {expected}", line[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > columns.len() * 7);
}

fn command(name: &str, order: &Order) -> Command {
    match name {
        "place" => place(),
        "commit" => Command::Commit,
        "redeem-carol" => redeem(carol()),
        "redeem-dave" => redeem(dave()),
        "release" => Command::Release,
        "acknowledge" => Command::Acknowledge(Verdict::Genuine),
        "dispute" => Command::Acknowledge(Verdict::Disputed(DisputeCode::WrongSecret)),
        "cancel" => cancel(),
        "close-cancelled" => Command::Close(ClosedCode::Cancelled),
        "close-expired" => Command::Close(ClosedCode::Expired),
        "end-retention" => Command::EndRetention,
        "shred-at" => Command::ShredAt { at_ms: NOW_MS },
        "shred" => Command::Shred,
        "refuse" => {
            let pending = order.pending.as_ref().map(|pending| pending.step.cid);
            Command::Refuse { cid: pending.unwrap_or(placed().cid), code: "trust".into() }
        }
        other => panic!("{other}"),
    }
}

/// A step not seen before, by the right signer and with the right proof, in answer to what stands last.
fn incoming(name: &str, order: &Order) -> Command {
    let facts = match name {
        "placed" => return receive(&reworded(&placed(), "another placed")),
        "committed" => committed().facts,
        "redemption" => redemption().facts,
        "released" => released().facts,
        "received" => StepFacts::Received,
        "disputed" => disputed().facts,
        "cancellation" => StepFacts::CancellationRequested,
        "closed" => StepFacts::Closed { code: ClosedCode::Expired },
        other => panic!("{other}"),
    };
    let last = order.pending.as_ref().map(|pending| &pending.step).or(order.head());
    receive(&step("incoming", facts, last))
}

fn before_release() -> (Step, Step) {
    let wish = cancellation(&committed());
    let end = closed(ClosedCode::Cancelled, &wish);
    (wish, end)
}

fn stages(node: Hosts) -> Vec<(&'static str, Given)> {
    let [placed, committed, redemption, released, received] = whole_order();
    let (wish, end) = before_release();
    let to_released = [placed.clone(), committed.clone(), redemption, released];
    vec![
        ("new", given(node, &[])),
        ("placed", given(node, &to_released[..1])),
        ("committed", given(node, &to_released[..2])),
        ("redeemed", given(node, &to_released[..3])),
        ("released", given(node, &to_released)),
        ("received", given(node, &[to_released.as_slice(), &[received]].concat())),
        ("disputed", given(node, &[to_released.as_slice(), &[disputed()]].concat())),
        ("closed", given(node, &[placed, committed, wish, end])),
    ]
}

fn alices_stages() -> Vec<(&'static str, Given)> {
    let [_, _, _, _, received, disputed, closed] = [0, 1, 2, 3, 5, 6, 7].map(|at| stages(ALICE)[at].clone());
    vec![
        ("new", given(ALICE, &[])),
        ("placing", given(ALICE, &[placed()])),
        ("committed", given(ALICE, &[placed(), committed()])),
        ("redeeming", given(ALICE, &[placed(), committed(), redemption()])),
        ("cancelling", given(ALICE, &[placed(), committed(), before_release().0])),
        ("released", given(ALICE, &[placed(), committed(), redemption(), released()])),
        received,
        disputed,
        closed,
        (
            "refused",
            given(ALICE, &[placed()]).and(Event::StepRefused { cid: placed().cid, code: "trust".into() }),
        ),
        ("withdrawn", given(ALICE, &[placed(), cancellation(&placed())])),
    ]
}

#[test]
fn all_on_one_node_every_command() {
    let table = "
                    new            placed                  committed               redeemed                released             received             disputed             closed
    place           +placed        reference-taken         reference-taken         reference-taken         reference-taken      reference-taken      reference-taken      reference-taken
    commit          unknown-order  +committed              out-of-state            out-of-state            out-of-state         out-of-state         out-of-state         closed
    redeem-carol    unknown-order  out-of-state            +redemption-requested   done                    done                 done                 done                 closed
    redeem-dave     unknown-order  out-of-state            +redemption-requested   beneficiary-mismatch    beneficiary-mismatch beneficiary-mismatch beneficiary-mismatch closed
    release         unknown-order  out-of-state            out-of-state            +released               out-of-state         out-of-state         out-of-state         closed
    acknowledge     unknown-order  out-of-state            out-of-state            out-of-state            +received            out-of-state         out-of-state         closed
    dispute         unknown-order  out-of-state            out-of-state            out-of-state            +disputed            out-of-state         out-of-state         closed
    cancel          unknown-order  +cancellation-requested +cancellation-requested +cancellation-requested out-of-state         out-of-state         out-of-state         closed
    close-cancelled unknown-order  out-of-state            out-of-state            out-of-state            out-of-state         out-of-state         out-of-state         closed
    close-expired   unknown-order  not-due                 not-due                 not-due                 out-of-state         out-of-state         out-of-state         closed
    end-retention   out-of-state   out-of-state            out-of-state            out-of-state            not-due              not-due              not-due              out-of-state
    shred-at        unknown-order  out-of-state            out-of-state            out-of-state            out-of-state         +shred-ordered       out-of-state         +shred-ordered
    shred           unknown-order  out-of-state            out-of-state            out-of-state            out-of-state         not-due              out-of-state         not-due
    refuse          not-pending    not-pending             not-pending             not-pending             not-pending          not-pending          not-pending          not-pending
    ";
    check(table, &stages(ALL), command);
}

#[test]
fn all_on_one_node_nothing_comes_from_outside() {
    let table = "
                 new           placed        committed     redeemed      released      received      disputed      closed
    placed       not-made-here +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation
    committed    unknown-order not-made-here +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation
    redemption   unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    released     unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    received     unknown-order wrong-signer  wrong-signer  not-made-here not-made-here not-made-here not-made-here wrong-signer
    disputed     unknown-order wrong-signer  wrong-signer  not-made-here not-made-here not-made-here not-made-here wrong-signer
    cancellation unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    closed       unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    ";
    check(table, &stages(ALL), incoming);
}

#[test]
fn on_alices_node_every_command() {
    let table = "
                    new           placing                 committed               redeeming            cancelling      released             received             disputed             closed          refused         withdrawn
    place           +placed       reference-taken         reference-taken         reference-taken      reference-taken reference-taken      reference-taken      reference-taken      reference-taken reference-taken reference-taken
    commit          unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    redeem-carol    unknown-order step-pending            +redemption-requested   done                 step-pending    done                 done                 done                 closed          refused         withdrawn
    redeem-dave     unknown-order step-pending            +redemption-requested   beneficiary-mismatch step-pending    beneficiary-mismatch beneficiary-mismatch beneficiary-mismatch closed          refused         withdrawn
    release         unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    acknowledge     unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    dispute         unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    cancel          unknown-order +cancellation-requested +cancellation-requested step-pending         done            out-of-state         out-of-state         out-of-state         closed          refused         done
    close-cancelled unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    close-expired   unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    end-retention   out-of-state  out-of-state            out-of-state            out-of-state         out-of-state    not-due              not-due              not-due              out-of-state    out-of-state    out-of-state
    shred-at        unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    shred           unknown-order not-hosted              not-hosted              not-hosted           not-hosted      not-hosted           not-hosted           not-hosted           not-hosted      not-hosted      not-hosted
    refuse          not-pending   +refused                not-pending             +refused             +refused        not-pending          not-pending          not-pending          not-pending     not-pending     +refused
    ";
    check(table, &alices_stages(), command);
}

#[test]
fn on_alices_node_every_kind_received() {
    let table = "
                 new           placing       committed     redeeming     cancelling    released      received      disputed      closed        refused       withdrawn
    placed       not-made-here not-made-here +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation not-made-here
    committed    unknown-order +committed    +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation +equivocation refused       +committed
    redemption   unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    released     unknown-order out-of-state  out-of-state  +released     out-of-state  out-of-state  out-of-state  out-of-state  closed        refused       out-of-state
    received     unknown-order wrong-signer  wrong-signer  wrong-signer  wrong-signer  +received     out-of-state  out-of-state  wrong-signer  wrong-signer  wrong-signer
    disputed     unknown-order wrong-signer  wrong-signer  wrong-signer  wrong-signer  +disputed     out-of-state  out-of-state  wrong-signer  wrong-signer  wrong-signer
    cancellation unknown-order not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here not-made-here
    closed       unknown-order +closed       +closed       +closed       +closed       out-of-state  out-of-state  out-of-state  closed        refused       +closed
    ";
    check(table, &alices_stages(), incoming);
}

#[test]
fn on_bobs_node_every_command() {
    let table = "
                    new           placed          committed       redeemed        released        received        disputed        closed
    place           not-hosted    reference-taken reference-taken reference-taken reference-taken reference-taken reference-taken reference-taken
    commit          unknown-order +committed      out-of-state    out-of-state    out-of-state    out-of-state    out-of-state    closed
    redeem-carol    unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    release         unknown-order out-of-state    out-of-state    +released       out-of-state    out-of-state    out-of-state    closed
    acknowledge     unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    dispute         unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    cancel          unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    close-cancelled unknown-order out-of-state    out-of-state    out-of-state    out-of-state    out-of-state    out-of-state    closed
    close-expired   unknown-order not-due         not-due         not-due         out-of-state    out-of-state    out-of-state    closed
    end-retention   out-of-state  out-of-state    out-of-state    out-of-state    not-due         not-due         not-due         out-of-state
    shred-at        unknown-order out-of-state    out-of-state    out-of-state    out-of-state    +shred-ordered  out-of-state    +shred-ordered
    shred           unknown-order out-of-state    out-of-state    out-of-state    out-of-state    not-due         out-of-state    not-due
    refuse          not-pending   not-pending     not-pending     not-pending     not-pending     not-pending     not-pending     not-pending
    ";
    check(table, &stages(BOB), command);
}

#[test]
fn on_bobs_node_every_kind_received() {
    let table = "
                 new           placed                  committed               redeemed                released      received      disputed      closed
    placed       +placed       +equivocation           +equivocation           +equivocation           +equivocation +equivocation +equivocation +equivocation
    committed    unknown-order not-made-here           +equivocation           +equivocation           +equivocation +equivocation +equivocation +equivocation
    redemption   unknown-order out-of-state            +redemption-requested   out-of-state            out-of-state  out-of-state  out-of-state  closed
    released     unknown-order not-made-here           not-made-here           not-made-here           not-made-here not-made-here not-made-here not-made-here
    received     unknown-order wrong-signer            wrong-signer            out-of-state            +received     out-of-state  out-of-state  wrong-signer
    disputed     unknown-order wrong-signer            wrong-signer            out-of-state            +disputed     out-of-state  out-of-state  wrong-signer
    cancellation unknown-order +cancellation-requested +cancellation-requested +cancellation-requested out-of-state  out-of-state  out-of-state  closed
    closed       unknown-order not-made-here           not-made-here           not-made-here           not-made-here not-made-here not-made-here not-made-here
    ";
    check(table, &stages(BOB), incoming);
}

#[test]
fn on_carols_node_every_command() {
    let table = "
                    new           placed          committed       redeemed        released        received        disputed        closed
    place           not-hosted    reference-taken reference-taken reference-taken reference-taken reference-taken reference-taken reference-taken
    commit          unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    redeem-carol    unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    release         unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    acknowledge     unknown-order out-of-state    out-of-state    out-of-state    +received       out-of-state    out-of-state    closed
    dispute         unknown-order out-of-state    out-of-state    out-of-state    +disputed       out-of-state    out-of-state    closed
    cancel          unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    close-cancelled unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    close-expired   unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    end-retention   out-of-state  out-of-state    out-of-state    out-of-state    not-due         not-due         not-due         out-of-state
    shred-at        unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    shred           unknown-order not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted      not-hosted
    refuse          not-pending   not-pending     not-pending     not-pending     not-pending     not-pending     not-pending     not-pending
    ";
    check(table, &stages(CAROL), command);
}

#[test]
fn on_carols_node_every_kind_received() {
    let table = "
                 new           placed                  committed               redeemed                released      received      disputed      closed
    placed       +placed       +equivocation           +equivocation           +equivocation           +equivocation +equivocation +equivocation +equivocation
    committed    unknown-order +committed              +equivocation           +equivocation           +equivocation +equivocation +equivocation +equivocation
    redemption   unknown-order out-of-state            +redemption-requested   out-of-state            out-of-state  out-of-state  out-of-state  closed
    released     unknown-order out-of-state            out-of-state            +released               out-of-state  out-of-state  out-of-state  closed
    received     unknown-order wrong-signer            wrong-signer            not-made-here           not-made-here not-made-here not-made-here wrong-signer
    disputed     unknown-order wrong-signer            wrong-signer            not-made-here           not-made-here not-made-here not-made-here wrong-signer
    cancellation unknown-order +cancellation-requested +cancellation-requested +cancellation-requested out-of-state  out-of-state  out-of-state  closed
    closed       unknown-order +closed                 +closed                 +closed                 out-of-state  out-of-state  out-of-state  closed
    ";
    check(table, &stages(CAROL), incoming);
}
