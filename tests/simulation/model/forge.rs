//! What a cheat makes of the messages there are: every forgery of each, to every honest node. She signs with her own keys;
//! what she says for others does not hold.

use std::sync::Arc;

use dta_events::order::{ClosedCode, DisputeCode, StepFacts};
use dta_protocol::Cid;
use dta_protocol::body::sign_commitment_proof;

use super::moves::custody;
use super::{Message, MessageId, Nodes, Says};
use crate::paper::{Envelope, Packet, order_key, person};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    /// Brings it in her own name.
    Brings,
    /// As if the newest step were hers.
    SignsAsHerself,
    /// A proof that does not hold.
    SpoilsTheProof,
    /// The same statement in another envelope.
    SignsTwice,
    /// Another statement in the same place.
    SaysItOtherwise,
    /// Another key for the same order.
    CommitsToAnotherKey,
    /// To her, instead.
    NamesHerself,
    /// A dispute instead of a receipt.
    Disputes,
    /// A sealed secret that does not open.
    SealsGarbage,
    /// The end, after whatever there is.
    Closes,
    /// A chain in which she signed the redemption for the principal.
    SignsTheRedemption,
}

const TRICKS: [Trick; 11] = [
    Trick::Brings,
    Trick::SignsAsHerself,
    Trick::SpoilsTheProof,
    Trick::SignsTwice,
    Trick::SaysItOtherwise,
    Trick::CommitsToAnotherKey,
    Trick::NamesHerself,
    Trick::Disputes,
    Trick::SealsGarbage,
    Trick::Closes,
    Trick::SignsTheRedemption,
];

impl Nodes {
    /// What the cheat, if there is one, makes of a message of others; nothing of what she forged herself.
    pub fn forged(&self, id: MessageId, message: &Message) -> Arc<Vec<MessageId>> {
        self.table.forged(id, || {
            let (Some(cheat), Some(packet), Some(_)) = (self.config.cheat, message.packet(), &message.about)
            else {
                return Vec::new();
            };
            let honest = (0..3).filter(|node| *node != cheat);
            let forge = |to: usize| {
                TRICKS.into_iter().filter_map(move |trick| {
                    let mut packet =
                        Packet { from: self.cast.node(cheat), to: self.cast.node(to), ..packet.clone() };
                    play(trick, self.cast.node(cheat), &mut packet)?;
                    let says = Says::Call(packet);
                    Some(self.table.keep_message(Message {
                        order: message.order,
                        from: cheat,
                        to,
                        about: None,
                        says,
                    }))
                })
            };
            honest.flat_map(forge).collect()
        })
    }
}

/// The packet with a trick in it; none where it makes no sense.
fn play(trick: Trick, own: Cid, packet: &mut Packet) -> Option<()> {
    let secrets = &mut packet.secrets;
    let last = packet.steps.last_mut()?;
    let statement = &mut last.statement;
    match trick {
        Trick::Brings => return Some(()),
        Trick::SignsAsHerself if statement.signer != own => statement.signer = own,
        Trick::SpoilsTheProof => statement.proof.as_mut()?[0] ^= 1,
        Trick::SignsTwice if statement.signer == own => last.salt += 100,
        Trick::SaysItOtherwise if statement.signer == own => statement.issued_at_ms += 1,
        Trick::CommitsToAnotherKey => {
            let StepFacts::Committed { commitment } = &mut statement.facts else { return None };
            let key = order_key(&custody(&person("another order")))?;
            *commitment = key.commitment();
            let proof = sign_commitment_proof(&key, &statement.previous?, &statement.signer);
            statement.proof = Some(proof.to_vec());
        }
        Trick::NamesHerself => {
            match &mut statement.facts {
                StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. }
                    if *beneficiary != own =>
                {
                    *beneficiary = own;
                }
                StepFacts::Placed { parties, .. } if parties.beneficiary != Some(own) => {
                    parties.beneficiary = Some(own);
                }
                _ => return None,
            }
            if statement.readers.len() > 2 {
                statement.readers.truncate(2);
                if !statement.readers.contains(&own) {
                    statement.readers.push(own);
                }
            }
        }
        Trick::Disputes => {
            let StepFacts::Received = statement.facts else { return None };
            (statement.facts, statement.proof) =
                (StepFacts::Disputed { code: DisputeCode::WrongSecret }, None);
        }
        Trick::SealsGarbage => {
            let (StepFacts::Released { secret, .. }, Some(sealed)) =
                (&mut statement.facts, secrets.last_mut())
            else {
                return None;
            };
            sealed.opens = false;
            *secret = sealed.cid();
        }
        Trick::Closes if packet.steps.iter().any(|step| step.statement.signer == own) => {
            let end = closed(own, packet.steps.last()?);
            packet.steps.push(end);
        }
        Trick::SignsTheRedemption => {
            let [.., redemption, released] = packet.steps.as_mut_slice() else { return None };
            if released.statement.signer != own {
                return None;
            }
            (redemption.signed_by, redemption.salt) = (own, redemption.salt + 100);
            released.statement.previous = Some(redemption.cid());
        }
        _ => return None,
    }
    packet.steps.last_mut()?.signed_by = own;
    Some(())
}

fn closed(own: Cid, last: &Envelope) -> Envelope {
    let mut end = last.clone();
    let statement = &mut end.statement;
    statement.facts = StepFacts::Closed { code: ClosedCode::Cancelled };
    (statement.signer, statement.previous, statement.proof) = (own, Some(last.cid()), None);
    statement.keys.clear();
    end
}
