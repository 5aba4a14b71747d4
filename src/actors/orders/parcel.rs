//! What goes to another node: steps of an order with their bodies, the identities it may not know, and for its beneficiary
//! the sealed secret.

use std::collections::BTreeSet;

use dta_events::order::{Accepted, Command, Delivery, Order, Party};
use dta_protocol::{CarError, Cid, car};

use super::course::{Cause, Course};
use super::error::OrderError;
use super::message::Stands;
use super::reopen::{inconsistent, read};
use super::work::Unsealed;
use crate::actors::services::Services;

/// A delivery that is ready to go.
pub struct Parcel {
    /// What it is.
    pub delivery: Delivery,
    /// The identity it is addressed to.
    pub to: Cid,
    /// The identity hosted here that reads the answer.
    pub reader: Cid,
    /// The newest step.
    pub root: Cid,
    /// All steps, and what they need.
    pub blocks: Vec<(Cid, Vec<u8>)>,
}

impl Parcel {
    /// A CAR of it, or of it under another root.
    ///
    /// # Errors
    /// More than a CAR between nodes may hold.
    pub fn car(&self, root: Option<(Cid, &[u8])>) -> Result<Vec<u8>, CarError> {
        let blocks = self.blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
        car::encode(root.map_or(self.root, |(cid, _)| cid), root.into_iter().chain(blocks))
    }
}

impl Course<'_> {
    /// What came of a delivery. That it ended otherwise meanwhile is no event.
    pub(super) async fn settle(&mut self, command: &Command) -> Result<Stands, OrderError> {
        match self.run(command, Unsealed::default(), Cause::Due).await {
            Ok(()) | Err(OrderError::Rejected(_)) => {}
            Err(error) => return Err(error),
        }
        self.follow().await?;
        self.stands()
    }

    /// The first delivery to be made now, or the one to this party whether it was given up or not.
    pub(super) async fn pack(&mut self, wanted: Option<Party>) -> Result<Option<Parcel>, OrderError> {
        let order = self.order()?;
        let Some(delivery) = order.next_delivery(wanted) else { return Ok(None) };
        let missing = |what| inconsistent(format!("a delivery without {what}"));
        let to = order.party(delivery.to).ok_or_else(|| missing("its party"))?;
        let reader = order.reader().ok_or_else(|| missing("a party here"))?;
        let steps = order.carried(delivery.to);
        let mut people = vec![self.services.node];
        people.extend(order.introduced(delivery.to));
        let addressee = self.services.party(&to).await?.document.node();
        let (root, blocks) = blocks(self.services, order, &steps, &addressee, &people).await?;
        Ok(Some(Parcel { delivery, to, reader, root, blocks }))
    }
}

/// Steps, oldest first, for the node that signs its calls as `node`, with the documents of these people.
pub(super) async fn blocks(
    services: &Services,
    order: &Order,
    steps: &[Accepted],
    node: &Cid,
    people: &[Cid],
) -> Result<(Cid, Vec<(Cid, Vec<u8>)>), OrderError> {
    let root = steps.last().ok_or_else(|| inconsistent("nothing to send"))?.step.cid;
    let mut blocks: Vec<(Cid, Vec<u8>)> = Vec::new();
    for accepted in steps.iter().rev() {
        let step = &accepted.step;
        blocks.push((step.cid, read(services, &step.cid)?));
        for body in &step.sealed {
            blocks.push((*body, read(services, body)?));
        }
        // The sealed secret is its beneficiary's alone.
        if let Some((beneficiary, secret)) = order.sealed_with(step)
            && services.party(&beneficiary).await?.document.lives_with(node)
        {
            blocks.push((secret, read(services, &secret)?));
        }
    }
    for person in people.iter().collect::<BTreeSet<_>>() {
        if let Some(block) = services.log.published_block(&person.to_bytes())? {
            blocks.push((*person, block.bytes().to_vec()));
        }
    }
    Ok((root, blocks))
}
