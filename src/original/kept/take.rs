//! Takes over what was read of a home of the original: adds what is not there, and learns of what is; writes nothing over.

use std::collections::BTreeMap;

use super::file::{Check, KeptIdentity, KeptOrder, Sealed};
use super::{Kept, KeptError};
use crate::{Answer, Checked, Identity, Order, check};
use dta_crypto::{Entropy, OrderKey};

/// What was read, with the keys that its seeds give, compared with what clients have.
pub struct Judged {
    identities: Vec<(Identity, OrderKey)>,
    orders: Vec<JudgedOrder>,
    /// References of orders whose seed is not here: their fiduciary was another node.
    pub elsewhere: Vec<String>,
    /// References of answers about orders that are not here.
    pub unknown: Vec<String>,
}

struct JudgedOrder {
    order: Order,
    key: OrderKey,
    answer: Option<Answer>,
    checked: Check,
    addend: Option<String>,
}

/// What was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Identities that were not there.
    pub identities: usize,
    /// Orders that were not there.
    pub orders: usize,
    /// Orders that were there and of which more is known now.
    pub learnt: usize,
    /// Identities and orders of which nothing changed.
    pub known: usize,
}

/// Derives every key, a millisecond each, and compares what clients have. `told` hears how far it is, of how many.
pub fn judge(
    identities: Vec<Identity>,
    orders: Vec<Order>,
    mut answers: BTreeMap<String, Answer>,
    told: &mut dyn FnMut(u64, u64),
) -> Judged {
    let all = orders.len() as u64;
    let (identities, keys): (Vec<_>, Vec<_>) =
        identities.into_iter().filter_map(|identity| identity.ec_key().map(|key| (identity, key))).unzip();
    let mut judged = Vec::new();
    let mut elsewhere = Vec::new();
    for (at, order) in (0_u64..).zip(orders) {
        told(at, all);
        let answer = answers.remove(&order.reference);
        let Some(key) = order.key() else {
            elsewhere.push(order.reference);
            continue;
        };
        let mut addend = None;
        let checked = match check(&key, answer.as_ref().map(|answer| &answer.commitment[..]), &keys) {
            Checked::Unchecked => Check::Unchecked,
            Checked::Matches => Check::Matches,
            Checked::Sum { identity } => {
                addend = identities.get(identity).map(|identity| identity.cid.clone());
                Check::Sum
            }
            Checked::OtherAddend => Check::OtherAddend,
            Checked::Differs => Check::Differs,
        };
        judged.push(JudgedOrder { order, key, answer, checked, addend });
    }
    let identities = identities.into_iter().zip(keys).collect();
    Judged { identities, orders: judged, elsewhere, unknown: answers.into_keys().collect() }
}

impl Judged {
    /// The identities: CID, name, whether it is the node's, compressed EC public key in hex.
    pub fn identities(&self) -> impl Iterator<Item = (&str, &str, bool, String)> {
        self.identities.iter().map(|(identity, key)| {
            (identity.cid.as_str(), identity.name.as_str(), identity.of_node, hex::encode(key.compressed()))
        })
    }

    /// How many orders have their seed here.
    pub fn orders(&self) -> usize {
        self.orders.len()
    }

    /// The references of orders of which this came out.
    pub fn checked(&self, as_this: Check) -> impl Iterator<Item = &str> {
        let these = self.orders.iter().filter(move |judged| judged.checked == as_this);
        these.map(|judged| judged.order.reference.as_str())
    }
}

impl Kept {
    /// Adds what was read; After an error nothing of it is to be stored.
    ///
    /// # Errors
    /// [`KeptError::Conflict`] if an entry is there with another key or another commitment; an entry that is there does not open.
    pub fn take(&mut self, judged: &Judged, entropy: &mut dyn Entropy) -> Result<Taken, KeptError> {
        let mut taken = Taken::default();
        for (identity, key) in &judged.identities {
            self.take_identity(identity, key, &mut taken, entropy)?;
        }
        let there: BTreeMap<String, usize> =
            self.kept.orders.iter().enumerate().map(|(at, order)| (order.reference.clone(), at)).collect();
        for judged in &judged.orders {
            match there.get(&judged.order.reference).copied() {
                None => self.add(judged, &mut taken, entropy),
                Some(at) => self.learn(judged, at, &mut taken, entropy)?,
            }
        }
        self.kept.orders.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(taken)
    }

    fn take_identity(
        &mut self,
        identity: &Identity,
        key: &OrderKey,
        taken: &mut Taken,
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeptError> {
        let ec_public_key = hex::encode(key.compressed());
        let Identity { cid, name, of_node, seed } = identity;
        if let Some(there) = self.kept.identities.iter().find(|there| there.cid == *cid) {
            if there.ec_public_key != ec_public_key {
                return Err(KeptError::Conflict { what: format!("identity {cid}"), other: "another key" });
            }
            self.key_of(there)?;
            taken.known += 1;
            return Ok(());
        }
        // There is one EC key of the node; a second home's is no less kept.
        let of_node = *of_node && !self.kept.identities.iter().any(|there| there.of_node);
        let mut kept = KeptIdentity {
            cid: cid.clone(),
            name: name.clone(),
            of_node,
            ec_public_key,
            seed: Sealed::default(),
        };
        kept.seed = Sealed::seal(&self.key, &kept.associated_data(), seed.expose(), entropy);
        self.kept.identities.push(kept);
        taken.identities += 1;
        Ok(())
    }

    fn add(&mut self, judged: &JudgedOrder, taken: &mut Taken, entropy: &mut dyn Entropy) {
        let JudgedOrder { order, key, answer, checked, addend } = judged;
        let Some(seed) = &order.seed else { return };
        let mut kept = KeptOrder {
            reference: order.reference.clone(),
            commitment: hex::encode(key.commitment()),
            checked: *checked,
            promised: answer.as_ref().map(|answer| hex::encode(&answer.commitment)),
            addend: addend.clone(),
            document: order.document.clone(),
            changed: order.changed.clone(),
            beneficiary: answer.as_ref().and_then(|answer| answer.beneficiary.clone()),
            coin: answer.as_ref().and_then(|answer| answer.coin.clone()),
            seed: Sealed::default(),
        };
        kept.seed = Sealed::seal(&self.key, &kept.associated_data(), seed.expose(), entropy);
        self.kept.orders.push(kept);
        taken.orders += 1;
    }

    /// An order that is there: it must have the same key, and what was not known of it is added.
    fn learn(
        &mut self,
        judged: &JudgedOrder,
        at: usize,
        taken: &mut Taken,
        entropy: &mut dyn Entropy,
    ) -> Result<(), KeptError> {
        let JudgedOrder { order, key, answer, checked, addend } = judged;
        let Some(there) = self.kept.orders.get(at) else { return Ok(()) };
        let conflict = |other| KeptError::Conflict { what: format!("order {}", order.reference), other };
        if there.commitment != hex::encode(key.commitment()) {
            return Err(conflict("another seed"));
        }
        let seed = self.seed_of(there)?;
        let mut kept = there.clone();
        if let Some(answer) = answer {
            let promised = hex::encode(&answer.commitment);
            match &kept.promised {
                Some(before) if *before != promised => {
                    return Err(conflict("another commitment from its client"));
                }
                // What matched once does so still; a sum may be found now whose addend was not here then.
                Some(_) if kept.checked != Check::OtherAddend => (),
                _ => {
                    kept.promised = Some(promised);
                    kept.checked = *checked;
                    kept.addend.clone_from(addend);
                }
            }
            fill(&mut kept.beneficiary, answer.beneficiary.as_ref());
            fill(&mut kept.coin, answer.coin.as_ref());
        }
        fill(&mut kept.document, order.document.as_ref());
        fill(&mut kept.changed, order.changed.as_ref());
        if kept.associated_data() == there.associated_data() {
            taken.known += 1;
            return Ok(());
        }
        kept.seed = Sealed::seal(&self.key, &kept.associated_data(), seed.expose(), entropy);
        if let Some(there) = self.kept.orders.get_mut(at) {
            *there = kept;
        }
        taken.learnt += 1;
        Ok(())
    }
}

fn fill(there: &mut Option<String>, found: Option<&String>) {
    if there.is_none() {
        *there = found.cloned();
    }
}
