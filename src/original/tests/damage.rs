//! Damaged stores: nothing panics, nothing goes on for ever, and what is damaged is told.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{expected, store};
use crate::bolt::Bolt;
use crate::{gob, store as reader};

/// How many values there are; each page is read once, so the file bounds them.
fn walk(bytes: &[u8]) -> (usize, usize) {
    let Ok(bolt) = Bolt::open(bytes) else { return (0, 0) };
    let mut values = 0;
    let damage = bolt.walk(&mut |_, key, value| {
        values += 1;
        assert!(key.len() + value.len() <= bytes.len());
    });
    assert!(values <= bytes.len() / 16 && damage.len() <= bytes.len() / 16);
    (values, damage.len())
}

/// The seeds that are read are those that were written, or those of a page that was freed: never made up.
fn judge(bytes: &[u8], seeds: &BTreeMap<String, Vec<u8>>) {
    let Ok(stored) = reader::read(bytes) else { return };
    for order in &stored.orders {
        let (Some(seed), Some(whole)) = (&order.seed, seeds.get(&order.reference)) else { continue };
        assert!(seed.expose() == &whole[..], "{}", order.reference);
    }
}

fn seeds() -> BTreeMap<String, Vec<u8>> {
    let stored = reader::read(&store()).unwrap();
    stored
        .orders
        .iter()
        .filter_map(|order| Some((order.reference.clone(), order.seed.as_ref()?.expose().to_vec())))
        .collect()
}

#[test]
fn a_store_that_breaks_off_anywhere() {
    let whole = store();
    let (all, none) = walk(&whole);
    assert_eq!(none, 0);
    for length in (0..whole.len()).step_by(512) {
        let (values, damage) = walk(&whole[..length]);
        assert!(values == all || damage > 0 || values == 0, "{length}: {values} values and no damage told");
    }
}

#[test]
fn every_bit_of_every_page_header() {
    let whole = store();
    let (all, _) = walk(&whole);
    let seeds = seeds();
    let mut told = 0;
    for page in 0..whole.len() / 4_096 {
        for at in 0..16 {
            for bit in [1, 0x80] {
                let mut bytes = whole.clone();
                bytes[page * 4_096 + at] ^= bit;
                let (values, damage) = walk(&bytes);
                told += usize::from(damage > 0);
                // A page with fewer elements than it had is whole in itself; only the number of elements can say so.
                assert!(
                    values == all || damage > 0 || (10..12).contains(&at),
                    "page {page}, byte {at}: {values}"
                );
            }
        }
        let mut bytes = whole.clone();
        bytes[page * 4_096..page * 4_096 + 16].fill(0xff);
        judge(&bytes, &seeds);
    }
    assert!(told > 500, "{told}");
}

#[test]
fn circles_are_not_followed() {
    let whole = store();
    for page in 2..whole.len() / 4_096 {
        let at = page * 4_096;
        let (kind, count) = (whole[at + 8], u16::from_le_bytes([whole[at + 10], whole[at + 11]]));
        if kind != 1 {
            continue;
        }
        for child in 0..usize::from(count) {
            for to in [page as u64, 0, 3, u64::MAX] {
                let mut bytes = whole.clone();
                let element = at + 16 + child * 16 + 8;
                bytes[element..element + 8].copy_from_slice(&to.to_le_bytes());
                walk(&bytes);
            }
        }
    }
}

#[test]
fn a_page_that_is_damaged_costs_what_is_below_it() {
    let whole = store();
    let orders = expected()["orders"].as_array().unwrap().len();
    let mut lost = 0;
    for page in 2..whole.len() / 4_096 {
        let mut bytes = whole.clone();
        bytes[page * 4_096..(page + 1) * 4_096].fill(0);
        let stored = reader::read(&bytes).unwrap();
        let here = stored.orders.iter().filter(|order| order.seed.is_some()).count();
        lost = lost.max(orders.saturating_sub(here));
        if here < orders {
            assert!(
                stored.left.iter().any(|left| left.to_string().contains(&format!("page {page}: "))),
                "{page}"
            );
        }
    }
    assert!(lost > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_changed_anywhere(changes in prop::collection::vec((0..131_072_usize, any::<u8>()), 1..40)) {
        let mut bytes = store();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        walk(&bytes);
        drop(reader::read(&bytes));
    }

    #[test]
    fn any_bytes_are_no_value_or_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = gob::text(&bytes);
        let _ = gob::texts(&bytes);
        drop(crate::keys::parse(&bytes));
        drop(crate::Settings::parse(&bytes));
        drop(crate::answers::parse(&bytes));
    }

    #[test]
    fn any_lines_are_no_settings_or_some(text in "([a-z]{1,4}:( ['\"\\\\a-zü:#&|-]{0,9})?\n| {0,3}[a-z-]{1,3}:? ?['\"\\\\xuU0-9é#]{0,9}\n){0,9}") {
        drop(crate::Settings::parse(text.as_bytes()));
    }
}
