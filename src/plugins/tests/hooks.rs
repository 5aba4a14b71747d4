//! The hooks of the three that ship: the original's answers come out of them.

use dta_crypto::{OrderKey, Secret};

use super::keys::opposite;
use super::{Repeatable, key, original, point, secret, text};
use crate::keys::add_secrets;
use crate::{
    Ask, BitcoinWallet, Extension, Final, Given, Milagro, Order, Party, Placing, Plugin, Private,
    PublicPoint, Redemption, Refusal, Released, SafeguardSecret, field, share,
};

const REFERENCE: &str = "018b2f19-e79e-7d6a-a56d-29feb6211b04";

fn party(fill: u8) -> Party {
    Party { cid: [fill; 36], key: PublicPoint::of(&key(fill)) }
}

fn order(extension: Extension, commitment: Option<PublicPoint>) -> Order {
    Order {
        reference: REFERENCE.to_owned(),
        principal: party(1),
        fiduciary: party(2),
        beneficiary: None,
        coin: 0,
        extension,
        commitment,
        committed: Extension::new(),
    }
}

fn texts<const N: usize>(fields: [(&str, &str); N]) -> Extension {
    fields.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

fn given<T>(call: impl FnOnce(&mut Given<'_>) -> T) -> T {
    let key = Secret::from_bytes([9; 32]);
    call(&mut Given { node: party(1).key, key: &key, entropy: &mut Repeatable::default() })
}

fn place(plugin: &dyn Plugin, beneficiary: Option<Party>, extension: Extension) -> Result<Placing, Refusal> {
    let extension = Private::new(extension);
    let ask = Ask {
        reference: REFERENCE,
        principal: party(1),
        fiduciary: party(2),
        beneficiary,
        extension: &extension,
    };
    given(|given| plugin.place(&ask, given))
}

fn finish(
    plugin: &dyn Plugin,
    order: &Order,
    (released, own): (&OrderKey, &OrderKey),
    (data, asked): (Extension, Extension),
) -> Result<Final, Refusal> {
    let (data, asked) = (Private::new(data), Private::new(asked));
    let extension = Extension::new();
    plugin.finish(order, &Released { key: released, data: &data, extension: &extension, asked: &asked, own })
}

#[test]
fn milagro_answers_the_key_pair_itself() {
    for vector in original("milagro") {
        let released = OrderKey::from_secret(secret(text(&vector["secret"]))).unwrap();
        let order = order(texts([("any", "thing")]), Some(PublicPoint::of(&released)));
        let answer = given(|given| Milagro.answer(&order, &Private::default(), given)).unwrap();
        let made = finish(&Milagro, &order, (&released, &key(3)), Default::default()).unwrap();
        assert_eq!((answer.commitment.as_str(), made.commitment.as_str()), {
            let commitment = text(&vector["commitment"]);
            (commitment, commitment)
        });
        assert!(made.key.is_none() && made.extension.is_empty());
    }
}

#[test]
fn the_originals_texts_open_in_the_redemption() {
    let mut opened = 0;
    for vector in original("safeguardsecret").iter().filter(|vector| vector["secret"].is_string()) {
        let released = OrderKey::from_secret(secret(text(&vector["secret"]))).unwrap();
        let order = order(Extension::new(), Some(point(text(&vector["commitment"]))));
        let three = ["cypherText", "v", "t"].map(|name| (name, text(&vector[name])));
        // As the client says them now, or as they came for the beneficiary.
        for said in [(Extension::new(), texts(three)), (texts(three), Extension::new())] {
            let made = finish(&SafeguardSecret, &order, (&released, &key(3)), said).unwrap();
            assert_eq!(made.extension.get("plainText").map(String::as_str), vector["plainText"].as_str());
            assert_eq!(made.commitment, text(&vector["commitment"]));
        }
        opened += 1;
    }
    assert!(opened >= 3);
}

#[test]
fn a_text_is_sealed_alike_for_the_same_request_and_with_another_key_for_another() {
    let order = order(Extension::new(), Some(party(4).key));
    let seal = |plain: &str| {
        let asked = Private::new(texts([("plainText", plain)]));
        given(|given| SafeguardSecret.answer(&order, &asked, given)).unwrap().extension
    };
    assert_eq!(seal("one"), seal("one"));
    assert_ne!(seal("one")["v"], seal("two")["v"]);
    let placing = place(&SafeguardSecret, None, texts([("plainText", "one"), ("note", "for bob")])).unwrap();
    assert_eq!(placing.extension, texts([("note", "for bob")]), "the text stays");
    let asked = Private::new(texts([("cypherText", "00"), ("v", "04"), ("x", "y")]));
    let said = given(|given| SafeguardSecret.redeem(&order, &asked, given)).err().unwrap();
    assert_eq!(said.to_string(), "extension.t: is missing");
    // Nothing of a redemption is for the fiduciary, and nothing sealed to it is part of an order.
    let asked = texts([
        ("cypherText", "00".repeat(16).as_str()),
        ("v", &"04".repeat(65)),
        ("t", &"00".repeat(12)),
        ("plainText", "x"),
    ]);
    let parted =
        given(|given| SafeguardSecret.redeem(&order, &Private::new(asked.clone()), given)).ok().unwrap();
    assert_eq!((parted.extension, parted.data.into_inner()), (Extension::new(), asked));
    for name in ["cypherText", "v", "t"] {
        let said = place(&SafeguardSecret, None, texts([("plainText", "one"), (name, "00")])).unwrap_err();
        assert!(said.to_string().contains(&format!("extension.{name}: is for the redemption")));
    }
}

#[test]
fn only_the_share_that_the_order_names_is_handed_on() {
    let placing = place(&BitcoinWallet, None, texts([("coin", "0")])).unwrap();
    let mut order = order(placing.extension, None);
    let nothing = Private::default();
    let parted = given(|given| BitcoinWallet.redeem(&order, &nothing, given)).ok().unwrap();
    assert!(parted.extension.is_empty());
    let handed = parted.data.get("share").unwrap().clone();
    let shown = OrderKey::from_secret(secret(&handed)).unwrap();
    assert_eq!(order.extension["share"], field::write(&shown.compressed()));
    // Another node's, or of another seed.
    let share = key(8);
    let proof = share::prove(&share, REFERENCE, &[1; 36], &[2; 36]).unwrap();
    order.extension.insert("share".into(), field::write(&share.compressed()));
    order.extension.insert("shareProof".into(), field::write(&proof));
    let said = given(|given| BitcoinWallet.redeem(&order, &nothing, given)).err().unwrap();
    assert!(said.to_string().contains("does not make the share"), "{said}");
}

#[test]
fn the_originals_wallets_come_out_of_the_hooks() {
    for vector in original("bitcoinwallet") {
        let released = OrderKey::from_secret(secret(text(&vector["fiduciarySecret"]))).unwrap();
        // The other half, of which the original says the sum only.
        let half = add_secrets(&secret(text(&vector["secret"])), &opposite(released.secret())).unwrap();
        let half = OrderKey::from_secret(half).unwrap();
        let mut order = order(texts([("coin", text(&vector["coin"]))]), None);
        order.coin = text(&vector["coin"]).parse().unwrap();
        let mut data = Extension::new();
        if vector["beneficiaryInOrder"] == true {
            order.beneficiary = Some(Party { cid: [3; 36], key: PublicPoint::of(&half) });
        } else {
            let proof = share::prove(&half, REFERENCE, &[1; 36], &[2; 36]).unwrap();
            order.extension.insert("share".into(), field::write(&half.compressed()));
            order.extension.insert("shareProof".into(), field::write(&proof));
            data.insert("share".into(), hex::encode(half.secret().expose()));
        }
        BitcoinWallet.accept(&order).unwrap();
        order.commitment = Some(point(text(&vector["fiduciaryCommitment"])));
        let answer = given(|given| BitcoinWallet.answer(&order, &Private::default(), given)).unwrap();
        let own = if data.is_empty() { &half } else { &key(3) };
        let made = finish(&BitcoinWallet, &order, (&released, own), (data, Extension::new())).unwrap();
        assert_eq!(hex::encode(made.key.unwrap().secret().expose()), text(&vector["secret"]));
        for (commitment, extension) in
            [(answer.commitment, &answer.extension), (made.commitment, &made.extension)]
        {
            assert_eq!(commitment, text(&vector["commitment"]));
            assert_eq!(*extension, texts([("address", text(&vector["address"]))]));
        }
    }
}

#[test]
fn a_half_that_is_not_the_orders_makes_no_wallet() {
    let mut order = order(texts([("coin", "0")]), Some(party(4).key));
    order.beneficiary = Some(party(3));
    let nothing = || (Extension::new(), Extension::new());
    assert!(finish(&BitcoinWallet, &order, (&key(4), &key(3)), nothing()).is_ok());
    // Another beneficiary's key, and a share although the order has none.
    assert!(finish(&BitcoinWallet, &order, (&key(4), &key(5)), nothing()).is_err());
    let share = texts([("share", &"05".repeat(32))]);
    let made = finish(&BitcoinWallet, &order, (&key(4), &key(3)), (share, Extension::new())).unwrap();
    assert_eq!(made.extension.len(), 1, "it is not asked for");
    // The redemption's beneficiary is the order's.
    let none = Extension::new();
    let named = |party| BitcoinWallet.permit(&order, &Redemption { beneficiary: party, extension: &none });
    assert!(named(party(3)).is_ok() && named(party(5)).is_err());
}

#[test]
fn what_is_no_wallet_is_refused_by_name() {
    let somebody = Some(party(3));
    for (beneficiary, extension, told) in [
        (None, texts([]), "extension.coin: is missing"),
        (None, texts([("coin", "2")]), "extension.coin: must be 0"),
        (None, texts([("coin", "0"), ("addressType", "p2sh")]), "extension.addressType: must be"),
        (None, texts([("coin", "0"), ("keyType", "beneficiary")]), "the order names none"),
        (somebody, texts([("coin", "0"), ("keyType", "mine")]), "extension.keyType: must be"),
    ] {
        let said = place(&BitcoinWallet, beneficiary, extension).unwrap_err().to_string();
        assert!(said.contains(told), "{said}");
    }
    let with = |beneficiary, more: Extension| {
        let mut extension = texts([("coin", "1")]);
        extension.extend(more);
        place(&BitcoinWallet, beneficiary, extension).unwrap()
    };
    for (beneficiary, key_type, shares) in
        [(None, "order", true), (somebody, "order", true), (somebody, "beneficiary", false)]
    {
        let placing = with(beneficiary, texts([("keyType", key_type)]));
        assert_eq!((placing.coin, placing.extension.contains_key("share")), (1, shares));
        let order = Order { coin: 1, beneficiary, ..order(placing.extension, None) };
        BitcoinWallet.accept(&order).unwrap();
        for name in order.extension.keys().filter(|name| *name != "addressType") {
            let mut less = Order { extension: order.extension.clone(), ..self::order(texts([]), None) };
            (less.coin, less.beneficiary) = (1, beneficiary);
            less.extension.remove(name);
            let stands = BitcoinWallet.accept(&less).is_ok();
            // Without its share it is the beneficiary's long-term key that is added.
            assert_eq!(stands, name == "share" && beneficiary.is_some(), "{name}");
        }
    }
}

#[test]
fn a_refusal_is_cut_where_a_character_ends() {
    let text = Refusal::new("ä".repeat(300)).to_string();
    assert_eq!(text.len(), 512);
    assert_eq!(Refusal::new(format!("x{}", "ä".repeat(300))).to_string().len(), 511);
}
