//! The rules of a pin and the bytes that its history is stored in.

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;
use crate::stored::golden::{check, cid, link, text, variant};

const KNOWN: Facts = Facts { known: true, hosted: false, log: None, keeps_blocks: true };
const HOSTED: Facts = Facts { hosted: true, ..KNOWN };
const UNKNOWN: Facts = Facts { known: false, ..KNOWN };
const URL: &str = "https://bob.example";

fn pin(url: Option<&str>) -> Command {
    Command::Pin { identity: cid(1), url: url.map(str::to_owned) }
}

fn pinned(url: Option<&str>) -> Event {
    Event::Pinned { identity: cid(1), url: url.map(str::to_owned) }
}

fn unpin() -> Command {
    Command::Unpin { identity: cid(1) }
}

fn unpinned() -> Event {
    Event::Unpinned { identity: cid(1) }
}

fn follow() -> Command {
    Command::Follow { identity: cid(1) }
}

fn followed() -> Event {
    Event::Followed { identity: cid(1) }
}

fn unfollow() -> Command {
    Command::Unfollow { identity: cid(1) }
}

fn unfollowed() -> Event {
    Event::Unfollowed { identity: cid(1) }
}

/// Of an identity that owns its log.
fn own() -> Facts {
    Facts { log: Some(cid(1)), ..KNOWN }
}

fn given(events: &[Event]) -> Peer {
    events.iter().fold(Peer::default(), Peer::apply)
}

/// In one word: the name of what happened, `done`, or the code of the rejection.
fn word(peer: &Peer, command: &Command, facts: &Facts) -> &'static str {
    match peer.decide(command, facts).as_deref() {
        Ok([]) => "done",
        Ok([Event::Pinned { .. }]) => "pinned",
        Ok([Event::Unpinned { .. }]) => "unpinned",
        Ok([Event::Followed { .. }]) => "followed",
        Ok([Event::Unfollowed { .. }]) => "unfollowed",
        Ok(_) => "more",
        Err(rejection) => rejection.code(),
    }
}

#[test]
fn every_standing_and_every_command() {
    // The history; then what pinning without a URL, with one, with another, unpinning, following and unfollowing come to.
    let table: [(&[Event], [&str; 6]); 11] = [
        (&[], ["pinned", "pinned", "pinned", "not-pinned", "not-pinned", "not-followed"]),
        (&[pinned(None)], ["done", "pinned", "pinned", "unpinned", "not-addressed", "not-followed"]),
        (&[pinned(Some(URL))], ["pinned", "done", "pinned", "unpinned", "followed", "not-followed"]),
        (
            &[pinned(None), pinned(Some(URL))],
            ["pinned", "done", "pinned", "unpinned", "followed", "not-followed"],
        ),
        (
            &[pinned(Some(URL)), unpinned()],
            ["pinned", "pinned", "pinned", "not-pinned", "not-pinned", "not-followed"],
        ),
        (
            &[pinned(Some(URL)), unpinned(), pinned(None)],
            ["done", "pinned", "pinned", "unpinned", "not-addressed", "not-followed"],
        ),
        (&[pinned(Some(URL)), followed()], ["pinned", "done", "pinned", "unpinned", "done", "unfollowed"]),
        // It moved, and is followed still; it has no URL, and there is trouble.
        (
            &[pinned(Some("http://127.0.0.1:1")), followed(), pinned(Some(URL))],
            ["pinned", "done", "pinned", "unpinned", "done", "unfollowed"],
        ),
        (
            &[pinned(Some(URL)), followed(), pinned(None)],
            ["done", "pinned", "pinned", "unpinned", "not-addressed", "unfollowed"],
        ),
        (
            &[pinned(Some(URL)), followed(), unfollowed()],
            ["pinned", "done", "pinned", "unpinned", "followed", "not-followed"],
        ),
        // To unpin is to follow no more.
        (
            &[pinned(Some(URL)), followed(), unpinned(), pinned(Some(URL))],
            ["pinned", "done", "pinned", "unpinned", "followed", "not-followed"],
        ),
    ];
    for (events, words) in table {
        let peer = given(events);
        let asked =
            [pin(None), pin(Some(URL)), pin(Some("http://127.0.0.1:2")), unpin(), follow(), unfollow()];
        assert_eq!(asked.each_ref().map(|command| word(&peer, command, &own())), words, "{events:?}");
    }
}

#[test]
fn only_the_log_of_another_node_is_followed_and_only_with_room_for_its_blocks() {
    let peer = given(&[pinned(Some(URL))]);
    let ask = |facts: Facts| peer.decide(&follow(), &facts);
    assert_eq!(ask(own()), Ok(vec![followed()]));
    assert_eq!(ask(Facts { hosted: true, ..own() }), Err(Rejection::OwnLog(cid(1))));
    let elsewhere = Rejection::LogElsewhere { identity: cid(1), owner: cid(2) };
    assert_eq!(ask(Facts { log: Some(cid(2)), ..KNOWN }), Err(elsewhere));
    assert_eq!(ask(UNKNOWN), Err(Rejection::UnknownIdentity(cid(1))));
    assert_eq!(ask(Facts { keeps_blocks: false, ..own() }), Err(Rejection::KeepsNoBlocks));
    // Whatever is followed can be unfollowed.
    let peer = given(&[pinned(Some(URL)), followed()]);
    for facts in [UNKNOWN, HOSTED, Facts { keeps_blocks: false, ..KNOWN }] {
        assert_eq!(peer.decide(&unfollow(), &facts), Ok(vec![unfollowed()]));
    }
}

#[test]
fn who_is_not_known_is_not_pinned_and_who_is_hosted_here_has_no_url() {
    for events in [&[][..], &[pinned(None)], &[pinned(Some(URL))]] {
        let peer = given(events);
        for url in [None, Some(URL)] {
            assert_eq!(word(&peer, &pin(url), &UNKNOWN), "unknown-identity");
            assert_eq!(peer.decide(&pin(url), &UNKNOWN), Err(Rejection::UnknownIdentity(cid(1))));
        }
        assert_eq!(peer.decide(&pin(Some(URL)), &HOSTED), Err(Rejection::HostedHere(cid(1))));
    }
    assert_eq!(word(&given(&[]), &pin(None), &HOSTED), "pinned");
    // Whatever is pinned can be unpinned.
    for facts in [UNKNOWN, KNOWN, HOSTED] {
        assert_eq!(word(&given(&[pinned(None)]), &unpin(), &facts), "unpinned");
        assert_eq!(given(&[]).decide(&unpin(), &facts), Err(Rejection::NotPinned(cid(1))));
    }
}

#[test]
fn the_last_pin_counts() {
    let url = |events: &[Event]| given(events).pin.map(|pin| pin.url);
    assert_eq!(url(&[]), None);
    assert_eq!(url(&[pinned(Some(URL))]), Some(Some(URL.to_owned())));
    assert_eq!(url(&[pinned(Some(URL)), pinned(None)]), Some(None));
    assert_eq!(url(&[pinned(Some(URL)), unpinned()]), None);
    assert_eq!(url(&[unpinned()]), None);
}

#[test]
fn events_are_frozen() {
    for (url, golden) in [(None, "00".to_owned()), (Some(URL), "01".to_owned() + &text(URL))] {
        let event = pinned(url);
        check(&event, event.to_stored().unwrap(), "peer/pinned", &[link(1), golden], Event::from_stored);
    }
    let event = unpinned();
    check(&event, event.to_stored().unwrap(), "peer/unpinned", &[link(1)], Event::from_stored);
    for (event, name) in [(followed(), "peer/followed"), (unfollowed(), "peer/unfollowed")] {
        check(&event, event.to_stored().unwrap(), name, &[link(1)], Event::from_stored);
    }
}

#[test]
fn commands_are_frozen() {
    let cases = [
        (pin(None), "peer/pin", variant(0) + &link(1) + "00"),
        (pin(Some(URL)), "peer/pin", variant(0) + &link(1) + "01" + &text(URL)),
        (unpin(), "peer/unpin", variant(1) + &link(1)),
        (follow(), "peer/follow", variant(2) + &link(1)),
        (unfollow(), "peer/unfollow", variant(3) + &link(1)),
    ];
    for (command, name, golden) in cases {
        let read = |stored: &Stored| match (stored.name.as_str(), stored.schema) {
            (known, 1) if known == name => Ok(codec::decode::<Command>(&stored.bytes)?),
            _ => Err(StoredError::unknown(stored)),
        };
        check(&command, command.to_stored().unwrap(), name, &[golden], read);
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop::option::of("[ab]").prop_map(|url| Event::Pinned { identity: cid(1), url }),
        Just(unpinned()),
        Just(followed()),
        Just(unfollowed()),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        prop::option::of("[ab]").prop_map(|url| Command::Pin { identity: cid(1), url }),
        Just(unpin()),
        Just(follow()),
        Just(unfollow()),
    ]
}

proptest! {
    /// What is decided leads where the table says, and deciding it again changes nothing more.
    #[test]
    fn the_table_is_what_happens(
        events in prop::collection::vec(any_event(), 0..6),
        command in any_command(),
        known: bool,
        hosted: bool,
        keeps_blocks: bool,
        owns: bool,
    ) {
        let peer = given(&events);
        let facts = Facts { known, hosted, log: Some(cid(if owns { 1 } else { 2 })), keeps_blocks };
        let prepared = peer.prepare(&command, &facts);
        match peer.decide(&command, &facts) {
            Err(rejection) => prop_assert_eq!(prepared, Err(rejection)),
            Ok(events) => {
                prop_assert_eq!(prepared, Ok(if events.is_empty() { Work::Done } else { Work::Record }));
                let after = events.iter().fold(peer.clone(), Peer::apply);
                let stands = peer.standing();
                let mut rules = RULES.iter().filter(|rule| rule.act == command.name());
                let rule = rules.find(|rule| rule.from.contains(&stands)).unwrap();
                prop_assert_eq!(after.standing(), rule.to);
                if let Command::Pin { .. } | Command::Follow { .. } = command {
                    prop_assert_eq!(after.decide(&command, &facts), Ok(vec![]));
                }
            }
        }
    }
}
