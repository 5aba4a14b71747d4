//! The rules of a pin and the bytes that its history is stored in.

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::record::Stored;
use crate::stored::StoredError;
use crate::stored::golden::{check, cid, link, text, variant};

const KNOWN: Facts = Facts { known: true, hosted: false };
const HOSTED: Facts = Facts { known: true, hosted: true };
const UNKNOWN: Facts = Facts { known: false, hosted: false };
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

fn given(events: &[Event]) -> Peer {
    events.iter().fold(Peer::default(), Peer::apply)
}

/// In one word: the name of what happened, `done`, or the code of the rejection.
fn word(peer: &Peer, command: &Command, facts: &Facts) -> &'static str {
    match peer.decide(command, facts).as_deref() {
        Ok([]) => "done",
        Ok([Event::Pinned { .. }]) => "pinned",
        Ok([Event::Unpinned { .. }]) => "unpinned",
        Ok(_) => "more",
        Err(rejection) => rejection.code(),
    }
}

#[test]
fn every_standing_and_every_command() {
    // The history; then what pinning without a URL, with one, with another, and unpinning come to.
    let table: [(&[Event], [&str; 4]); 6] = [
        (&[], ["pinned", "pinned", "pinned", "not-pinned"]),
        (&[pinned(None)], ["done", "pinned", "pinned", "unpinned"]),
        (&[pinned(Some(URL))], ["pinned", "done", "pinned", "unpinned"]),
        (&[pinned(None), pinned(Some(URL))], ["pinned", "done", "pinned", "unpinned"]),
        (&[pinned(Some(URL)), unpinned()], ["pinned", "pinned", "pinned", "not-pinned"]),
        (&[pinned(Some(URL)), unpinned(), pinned(None)], ["done", "pinned", "pinned", "unpinned"]),
    ];
    for (events, words) in table {
        let peer = given(events);
        let asked = [pin(None), pin(Some(URL)), pin(Some("http://127.0.0.1:1")), unpin()];
        assert_eq!(asked.each_ref().map(|command| word(&peer, command, &KNOWN)), words, "{events:?}");
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
}

#[test]
fn commands_are_frozen() {
    let cases = [
        (pin(None), "peer/pin", variant(0) + &link(1) + "00"),
        (pin(Some(URL)), "peer/pin", variant(0) + &link(1) + "01" + &text(URL)),
        (unpin(), "peer/unpin", variant(1) + &link(1)),
    ];
    for (command, name, golden) in cases {
        let read = |stored: &Stored| match (stored.name.as_str(), stored.schema) {
            (known, 1) if known == name => Ok(codec::decode::<Command>(&stored.bytes)?),
            _ => Err(StoredError::unknown(stored)),
        };
        check(&command, command.to_stored().unwrap(), name, &[golden], read);
    }
}

proptest! {
    /// What is decided leads where the table says, and deciding it again changes nothing more.
    #[test]
    fn the_table_is_what_happens(
        events in prop::collection::vec(prop::option::of(prop::option::of("[ab]")), 0..6),
        asked in prop::option::of(prop::option::of("[ab]")),
        known: bool,
        hosted: bool,
    ) {
        let event = |of: Option<Option<String>>| match of {
            Some(url) => Event::Pinned { identity: cid(1), url },
            None => unpinned(),
        };
        let events: Vec<Event> = events.into_iter().map(event).collect();
        let peer = given(&events);
        let command = match asked {
            Some(url) => Command::Pin { identity: cid(1), url },
            None => unpin(),
        };
        let facts = Facts { known, hosted };
        let prepared = peer.prepare(&command, &facts);
        match peer.decide(&command, &facts) {
            Err(rejection) => prop_assert_eq!(prepared, Err(rejection)),
            Ok(events) => {
                prop_assert_eq!(prepared, Ok(if events.is_empty() { Work::Done } else { Work::Record }));
                let after = events.iter().fold(peer.clone(), Peer::apply);
                let rule = RULES.iter().find(|rule| rule.act == command.name()).unwrap();
                prop_assert!(rule.from.contains(&peer.standing()));
                prop_assert_eq!(after.standing(), rule.to);
                if let Command::Pin { .. } = command {
                    prop_assert_eq!(after.decide(&command, &facts), Ok(vec![]));
                }
            }
        }
    }
}
