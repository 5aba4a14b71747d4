//! What a plugin is: hooks that follow an order's life. They are synchronous and pure; what they need from outside is given to them.
//!
//! | at | hook | to |
//! |---|---|---|
//! | principal | [`Plugin::place`] | validate what a client asks for, and say what goes into the order |
//! | fiduciary | [`Plugin::accept`] | validate an order |
//! | fiduciary | [`Plugin::commit`] | add to the commitment |
//! | principal | [`Plugin::answer`] | answer the client with the commitment |
//! | principal | [`Plugin::redeem`] | validate what a client asks for, and part it: for the fiduciary, for the beneficiary alone |
//! | fiduciary | [`Plugin::permit`] | validate a redemption |
//! | fiduciary | [`Plugin::release`] | add to the release |
//! | beneficiary | [`Plugin::finish`] | make the final secret |
//! | any | [`Plugin::serve`] | answer a call to a route of its own |
//!
//! No hook sees a seed, and only `finish` sees a released secret.

use std::collections::BTreeMap;
use std::ops::Deref;

use dta_crypto::{CID_BYTES, Entropy, OrderKey, Secret};
use thiserror::Error;
use zeroize::Zeroize;

use crate::field::FieldError;
use crate::keys::PublicPoint;

/// Texts by their names: at most 64 entries, and 16,384 bytes over all of them.
pub type Extension = BTreeMap<String, String>;

/// Texts that are somebody's secret: no Debug, no Clone; the values are wiped when it is dropped.
#[derive(Default)]
pub struct Private(Extension);

impl Private {
    /// Takes it over.
    pub fn new(extension: Extension) -> Self {
        Self(extension)
    }

    /// Gives it up, to be sealed.
    pub fn into_inner(mut self) -> Extension {
        std::mem::take(&mut self.0)
    }
}

impl Deref for Private {
    type Target = Extension;

    fn deref(&self) -> &Extension {
        &self.0
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.0.values_mut().for_each(Zeroize::zeroize);
    }
}

/// Why a plugin says no: for the caller to read, and recorded in the log. It must not hold what is private.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refusal(String);

impl Refusal {
    /// A text that names field and limit; cut after 512 bytes.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        let end = (0..=512.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        Self(text)
    }

    /// A field of `extension` that is missing.
    pub fn missing(field: &str) -> Self {
        Self::new(format!("extension.{field}: is missing"))
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::new(format!("extension.{error}"))
    }
}

/// Somebody with a long-term key on secp256k1: a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// The CID of its identity document, in its binary form.
    pub cid: [u8; CID_BYTES],
    /// The key that stands in it.
    pub key: PublicPoint,
}

/// An order, as far as its parties know it.
pub struct Order {
    /// Its reference: a UUIDv7, 36 characters.
    pub reference: String,
    /// Who orders.
    pub principal: Party,
    /// Who keeps the key.
    pub fiduciary: Party,
    /// Who receives; none if only the redemption names it.
    pub beneficiary: Option<Party>,
    /// 0 or 1.
    pub coin: u8,
    /// What the principal's plugin put into it; principal and fiduciary read it, and from the redemption on the beneficiary.
    pub extension: Extension,
    /// The fiduciary's public key for it, once there is one. It was proved that the fiduciary has the secret half.
    pub commitment: Option<PublicPoint>,
    /// What the fiduciary's plugin added to that.
    pub committed: Extension,
}

/// What a hook needs from outside.
pub struct Given<'a> {
    /// The node's own long-term public key on secp256k1.
    pub node: PublicPoint,
    /// 32 bytes that only this node can derive, for this order and this plugin alone; the same each time. For a call to a route:
    /// for the plugin.
    pub key: &'a Secret<32>,
    /// Fresh randomness.
    pub entropy: &'a mut dyn Entropy,
}

/// What goes into an order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Placing {
    /// 0 or 1.
    pub coin: u8,
    /// For the fiduciary, and later for the beneficiary.
    pub extension: Extension,
}

/// What a client is answered that placed an order.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The public key, in hex.
    pub commitment: String,
    /// What else.
    pub extension: Extension,
}

/// What goes into a redemption.
#[derive(Default)]
pub struct Redeeming {
    /// For the fiduciary; the beneficiary reads it too.
    pub extension: Extension,
    /// For the beneficiary alone.
    pub data: Private,
}

/// What reached the beneficiary.
pub struct Released<'a> {
    /// The secret of the commitment.
    pub key: &'a OrderKey,
    /// What the principal sealed to the beneficiary alone.
    pub data: &'a Private,
    /// What the fiduciary's plugin added to the release.
    pub extension: &'a Extension,
    /// What the client that now asks for the secret says.
    pub asked: &'a Private,
    /// The beneficiary's own long-term key.
    pub own: &'a OrderKey,
}

/// The end: what a client is answered that asked for the secret.
pub struct Final {
    /// The key whose secret half is answered; none: the released one.
    pub key: Option<OrderKey>,
    /// The public key, in hex.
    pub commitment: String,
    /// What else.
    pub extension: Private,
}

/// A call to a route of the plugin's own.
pub struct Call {
    /// `GET` or `POST`.
    pub method: String,
    /// What follows `/v1/ext/<name>/`.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// The body, at most 64 KiB.
    pub body: Vec<u8>,
}

/// Its answer.
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// A service plugin. Every hook has a default: that of the plugin `milagro`, which adds nothing.
///
/// A hook that panics fails the command that called it and no other; one that takes too long is told in the log by the plugin's
/// name, and its command is answered without it.
pub trait Plugin: Send + Sync {
    /// Its name, in settings and in orders: 1 to 32 of `a-z`, `0-9` and `-`.
    fn name(&self) -> &'static str;

    /// One line for people.
    fn about(&self) -> &'static str;

    /// At the principal: validates what a client asks for, and says what goes into the order. `beneficiary` is the one it names.
    ///
    /// # Errors
    /// What the client must change.
    fn place(&self, ask: &Ask<'_>, given: &mut Given<'_>) -> Result<Placing, Refusal> {
        _ = given;
        Ok(Placing { coin: 0, extension: (**ask.extension).clone() })
    }

    /// At the fiduciary: validates an order before a key is made for it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn accept(&self, order: &Order) -> Result<(), Refusal> {
        _ = order;
        Ok(())
    }

    /// At the fiduciary: adds to the commitment.
    ///
    /// # Errors
    /// The order then waits, and its operator is told.
    fn commit(&self, order: &Order, given: &mut Given<'_>) -> Result<Extension, Refusal> {
        _ = (order, given);
        Ok(Extension::new())
    }

    /// At the principal: the client's answer once there is a commitment. `asked` is what the client sent, again with each repetition of
    /// its request: the answer must be the same each time, so randomness comes from [`Given::key`].
    ///
    /// # Errors
    /// Why there is none.
    fn answer(&self, order: &Order, asked: &Private, given: &mut Given<'_>) -> Result<Answer, Refusal> {
        _ = (asked, given);
        let commitment = order.commitment.ok_or_else(|| Refusal::new("commitment: there is none yet"))?;
        Ok(Answer { commitment: hex::encode(commitment.uncompressed()), extension: order.committed.clone() })
    }

    /// At the principal: validates what a client asks for, and parts it.
    ///
    /// # Errors
    /// What the client must change.
    fn redeem(&self, order: &Order, asked: &Private, given: &mut Given<'_>) -> Result<Redeeming, Refusal> {
        _ = (order, given);
        Ok(Redeeming { extension: (**asked).clone(), data: Private::default() })
    }

    /// At the fiduciary: validates a redemption before anything is released.
    ///
    /// # Errors
    /// What is wrong with it.
    fn permit(&self, order: &Order, redemption: &Redemption<'_>) -> Result<(), Refusal> {
        _ = (order, redemption);
        Ok(())
    }

    /// At the fiduciary: adds to the release.
    ///
    /// # Errors
    /// The release then waits, and its operator is told.
    fn release(&self, order: &Order, given: &mut Given<'_>) -> Result<Extension, Refusal> {
        _ = (order, given);
        Ok(Extension::new())
    }

    /// At the beneficiary: makes the final secret of the released one.
    ///
    /// # Errors
    /// What is wrong with what came. The released secret is then not answered.
    fn finish(&self, order: &Order, released: &Released<'_>) -> Result<Final, Refusal> {
        _ = order;
        Ok(Final {
            key: None,
            commitment: hex::encode(released.key.commitment()),
            extension: Private::new(released.extension.clone()),
        })
    }

    /// Answers a call to `/v1/ext/<its name>/…`; none: there is no such route.
    fn serve(&self, call: &Call, given: &mut Given<'_>) -> Option<Reply> {
        _ = (call, given);
        None
    }
}

/// What a client asks for that places an order.
pub struct Ask<'a> {
    /// The order's reference.
    pub reference: &'a str,
    /// Who orders.
    pub principal: Party,
    /// Who is to keep the key.
    pub fiduciary: Party,
    /// Who is to receive, if it is named.
    pub beneficiary: Option<Party>,
    /// What the client says.
    pub extension: &'a Private,
}

/// A redemption, as its fiduciary reads it.
pub struct Redemption<'a> {
    /// Who is to receive.
    pub beneficiary: Party,
    /// What the principal's plugin put into it.
    pub extension: &'a Extension,
}
