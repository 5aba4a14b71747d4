//! The plugin `bitcoinwallet`: a Bitcoin key of two halves. The fiduciary's commitment is one; the other is the beneficiary's long-term
//! key, or a share that the principal makes for this order. The final secret, their sum, exists at the beneficiary alone.
//!
//! As in the original: `extension.coin` is "0" (main net) or "1" (test net); `commitment` is the final public key, compressed, and
//! `extension.address` its address; an order that names no beneficiary takes the principal's share. Ours: `extension.addressType`
//! (`p2pkh`, the original's; `p2wpkh`; `p2tr`), and `extension.keyType` `order`, which takes a share although a beneficiary is named.
//!
//! Nobody can choose the sum. The commitment has its proof; the share's public half stands in `order/placed` with a proof of
//! its own ([`crate::share`]), before there is a commitment; the beneficiary's key is proved in its identity document.

use dta_crypto::{OrderKey, Secret, hkdf};

use crate::bitcoin::{AddressType, Network, address};
use crate::field;
use crate::keys::{PublicPoint, add_points, add_secrets};
use crate::plugin::{
    Answer, Ask, Extension, Final, Given, Order, Party, Placing, Plugin, Private, Redeeming, Redemption,
    Refusal, Released,
};
use crate::share;

/// The plugin.
pub struct BitcoinWallet;

const COIN: &str = "coin";
const ADDRESS_TYPE: &str = "addressType";
const KEY_TYPE: &str = "keyType";
const SHARE: &str = "share";
const SHARE_PROOF: &str = "shareProof";
const ADDRESS: &str = "address";

/// Whose key the other half is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyType {
    /// The beneficiary's long-term one.
    Beneficiary,
    /// One made for the order.
    Order,
}

impl Plugin for BitcoinWallet {
    fn name(&self) -> &'static str {
        "bitcoinwallet"
    }

    fn about(&self) -> &'static str {
        "a Bitcoin key of two halves, whole at the beneficiary alone; p2pkh, p2wpkh and p2tr addresses"
    }

    fn place(&self, ask: &Ask<'_>, given: &mut Given<'_>) -> Result<Placing, Refusal> {
        let asked = ask.extension;
        let coin = coin(asked)?;
        let kind = address_type(asked)?;
        let key_type = match (asked.get(KEY_TYPE).map(String::as_str), ask.beneficiary) {
            (None, Some(_)) => KeyType::Beneficiary,
            (None, None) | (Some("order"), _) => KeyType::Order,
            (Some("beneficiary"), Some(_)) => KeyType::Beneficiary,
            (Some("beneficiary"), None) => {
                return Err(Refusal::new("extension.keyType: beneficiary, and the order names none"));
            }
            (Some(_), _) => return Err(Refusal::new("extension.keyType: must be beneficiary or order")),
        };
        let mut extension = Extension::new();
        extension.insert(COIN.to_owned(), coin.to_string());
        extension.insert(ADDRESS_TYPE.to_owned(), kind.as_str().to_owned());
        if key_type == KeyType::Order {
            let share = share_of(given.key)?;
            let proof = share::prove(&share, ask.reference, &ask.principal.cid, &ask.fiduciary.cid)
                .map_err(|error| Refusal::new(error.to_string()))?;
            extension.insert(SHARE.to_owned(), field::write(&share.compressed()));
            extension.insert(SHARE_PROOF.to_owned(), field::write(&proof));
        }
        Ok(Placing { coin, extension })
    }

    fn accept(&self, order: &Order) -> Result<(), Refusal> {
        if coin(&order.extension)? != order.coin {
            return Err(Refusal::new("extension.coin: is not the order's coin"));
        }
        address_type(&order.extension)?;
        other_half(order).map(drop)
    }

    fn answer(&self, order: &Order, _: &Private, _: &mut Given<'_>) -> Result<Answer, Refusal> {
        let key = final_point(order)?;
        Ok(Answer { commitment: field::write(&key.compressed()), extension: addressed(order, &key)? })
    }

    fn redeem(&self, order: &Order, _: &Private, given: &mut Given<'_>) -> Result<Redeeming, Refusal> {
        let mut data = Extension::new();
        if order.extension.contains_key(SHARE) {
            let share = share_of(given.key)?;
            // Another one would be sealed for good, and make no wallet.
            if PublicPoint::of(&share) != other_half(order)? {
                return Err(Refusal::new(
                    "extension.share: this node does not make the share that the order names",
                ));
            }
            data.insert(SHARE.to_owned(), hex::encode(share.secret().expose()));
        }
        Ok(Redeeming { extension: Extension::new(), data: Private::new(data) })
    }

    fn permit(&self, order: &Order, redemption: &Redemption<'_>) -> Result<(), Refusal> {
        let named = order.beneficiary.is_none_or(|named| named.cid == redemption.beneficiary.cid);
        if named { Ok(()) } else { Err(Refusal::new("beneficiary: is not the one that the order names")) }
    }

    fn finish(&self, order: &Order, released: &Released<'_>) -> Result<Final, Refusal> {
        let share;
        let half = match order.extension.contains_key(SHARE) {
            true => {
                share = share_in(released.data)?;
                &share
            }
            false => released.own,
        };
        // The order fixed it before there was a commitment: another one would be another address.
        if PublicPoint::of(half) != other_half(order)? {
            return Err(Refusal::new(
                "extension.share: what came for the beneficiary is not the share that the order names",
            ));
        }
        let sum = add_secrets(released.key.secret(), half.secret())
            .map_err(|error| Refusal::new(error.to_string()))?;
        let key = OrderKey::from_secret(sum).map_err(|error| Refusal::new(error.to_string()))?;
        let point = PublicPoint::of(&key);
        let extension = Private::new(addressed(order, &point)?);
        Ok(Final { key: Some(key), commitment: field::write(&point.compressed()), extension })
    }
}

/// The final public key.
fn final_point(order: &Order) -> Result<PublicPoint, Refusal> {
    let commitment = order.commitment.ok_or_else(|| Refusal::new("commitment: there is none yet"))?;
    add_points(&commitment, &other_half(order)?).map_err(|error| Refusal::new(error.to_string()))
}

/// The half that is not the fiduciary's; that the principal has it is checked.
fn other_half(order: &Order) -> Result<PublicPoint, Refusal> {
    let Some(text) = order.extension.get(SHARE) else {
        let Some(Party { key, .. }) = order.beneficiary else {
            return Err(Refusal::new(
                "extension.share: is missing, and the order names no beneficiary: no key would be added",
            ));
        };
        return Ok(key);
    };
    let share = PublicPoint::from_field(SHARE, text)?;
    let proof = order.extension.get(SHARE_PROOF).ok_or_else(|| Refusal::missing(SHARE_PROOF))?;
    let proof: [u8; share::PROOF_BYTES] = field::read(SHARE_PROOF, proof)?;
    share::verify(&share, &proof, &order.reference, &order.principal.cid, &order.fiduciary.cid)
        .map_err(|error| Refusal::new(format!("extension.{SHARE_PROOF}: {error}")))?;
    Ok(share)
}

fn addressed(order: &Order, key: &PublicPoint) -> Result<Extension, Refusal> {
    let network = if order.coin == 0 { Network::Main } else { Network::Test };
    let kind = address_type(&order.extension)?;
    Ok([(ADDRESS.to_owned(), address(key, network, kind))].into())
}

/// The share of the order: from what only the principal's node can derive for it.
fn share_of(key: &Secret<32>) -> Result<OrderKey, Refusal> {
    // One in 2^128 is no scalar.
    OrderKey::from_secret(hkdf(key.expose(), &[b"share"])).map_err(|error| Refusal::new(error.to_string()))
}

/// The share as it reaches the beneficiary.
fn share_in(data: &Private) -> Result<OrderKey, Refusal> {
    let text = data.get(SHARE).ok_or_else(|| Refusal::missing(SHARE))?;
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, &mut *bytes)
        .map_err(|_| Refusal::new("extension.share: must be 64 hex digits"))?;
    OrderKey::from_secret(Secret::build(|secret| secret.copy_from_slice(&*bytes)))
        .map_err(|error| Refusal::new(format!("extension.share: {error}")))
}

fn coin(extension: &Extension) -> Result<u8, Refusal> {
    match extension.get(COIN).map(String::as_str) {
        Some("0") => Ok(0),
        Some("1") => Ok(1),
        Some(_) => Err(Refusal::new("extension.coin: must be 0 (main net) or 1 (test net)")),
        None => Err(Refusal::missing(COIN)),
    }
}

fn address_type(extension: &Extension) -> Result<AddressType, Refusal> {
    match extension.get(ADDRESS_TYPE) {
        None => Ok(AddressType::P2pkhUncompressed),
        Some(name) => AddressType::named(name)
            .ok_or_else(|| Refusal::new("extension.addressType: must be p2pkh, p2wpkh or p2tr")),
    }
}
