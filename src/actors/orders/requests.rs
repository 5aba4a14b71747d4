//! What clients ask of an order, and what they are answered: to place it, to redeem it.

use std::sync::Arc;

use dta_crypto::OrderKey;
use dta_events::order::{Command, DisputeCode, HeldSecret, Parties, Party, Rejection, Stage, Verdict};
use dta_plugins::{Answer, Final, Placing, Private, Redeeming};
use dta_protocol::{Cid, Extension};

use super::course::{Cause, Course};
use super::error::OrderError;
use super::message::{Named, Place, Placed, Redeem, Redeemed, Stands};
use super::reopen::{self, Opened};
use super::work::Unsealed;
use crate::actors::unavailable::Unavailable;

impl Course<'_> {
    /// Places an order; if the fiduciary is hosted here, its key pair is made too.
    pub(super) async fn place(&mut self, reference: String, place: Place) -> Result<Placed, OrderError> {
        let Place { fiduciary, beneficiary, terms, extension: asked } = place;
        let parties = Parties { principal: self.services.node, fiduciary, beneficiary };
        let plugin = self.services.plugin.name();
        let command = |coin| Command::Place {
            reference: reference.clone(),
            parties: parties.clone(),
            plugin: plugin.to_owned(),
            coin,
            terms: terms.clone(),
        };
        self.custody_is_ready(&fiduciary).await?;
        self.asked = asked.clone();
        let Placing { coin, extension } =
            self.placing(&reference, (fiduciary, beneficiary), asked, command).await?;
        self.run(&command(coin), Unsealed { extension, data: Extension::new() }, Cause::Asked).await?;
        self.placed().await
    }

    /// The answer to a request to place that was made before, and says so again.
    pub(super) async fn placed_before(&mut self, asked: Arc<Private>) -> Result<Placed, OrderError> {
        self.asked = asked;
        self.placed().await
    }

    /// The answer to a request to place, made now or before; finishes what it began.
    pub(super) async fn placed(&mut self) -> Result<Placed, OrderError> {
        match self.follow().await {
            // The order stands and stays due: it is finished when custody or the log is back.
            Err(OrderError::Unavailable(why)) if why.is_temporary() => {
                tracing::warn!(%why, "an order waits for its key pair");
            }
            other => other?,
        }
        self.of_all_so_far()?;
        let order = self.order()?;
        if let Some(code) = &order.refused {
            return Err(Rejection::Refused(code.clone()).into());
        }
        let named = Named { aggregate: self.id, placed: order.placed() };
        let first = order.steps.first().or(order.pending.as_ref()).ok_or(Rejection::UnknownOrder)?;
        let (reference, created_at_ms) = (order.reference.clone(), first.step.issued_at_ms);
        let commitment = order.commitment();
        let answer = match commitment {
            Some(_) => self.answer(self.asked.clone()).await?,
            None => None,
        };
        let (commitment, extension) = match (answer, self.extension.take(), commitment) {
            (Some(Answer { commitment, extension }), ..) => (Some(commitment), extension),
            (None, Some(extension), _) => (commitment.map(hex::encode), extension),
            (None, None, Some(commitment)) => {
                let committed = reopen::committed(self.services, self.order()?, Party::Principal).await?;
                (Some(hex::encode(commitment)), committed.extension)
            }
            (None, None, None) => (None, Extension::new()),
        };
        Ok(Placed { order: named, reference, commitment, created_at_ms, extension, sequence: self.sequence })
    }

    /// Asks for the release. What follows of itself (release, receipt) follows here if those parties are hosted here.
    pub(super) async fn redeem(&mut self, redeem: Redeem) -> Result<Redeemed, OrderError> {
        let beneficiary = match redeem.beneficiary.or(self.order()?.party(Party::Beneficiary)) {
            Some(beneficiary) => beneficiary,
            None if self.order()?.placed().is_none() => return Err(Rejection::UnknownOrder.into()),
            None => {
                let text =
                    "beneficiaryIDDocumentCID: must name a beneficiary, in the order or in the redemption";
                return Err(OrderError::Invalid(text.into()));
            }
        };
        self.is_named(redeem.order.placed)?;
        self.asked = redeem.extension.clone();
        // The principal is elsewhere and has asked already: its beneficiary fetches what was released.
        if self.order()?.hosts(Party::Beneficiary) && !self.order()?.hosts(Party::Principal) {
            if let Some(named) = self.order()?.party(Party::Beneficiary).filter(|named| *named != beneficiary)
            {
                return Err(Rejection::BeneficiaryMismatch(named).into());
            }
            self.follow().await?;
            return self.redeemed().await;
        }
        let command = Command::RequestRedemption { beneficiary };
        let Redeeming { extension, data } = self.redeeming(&command, beneficiary, redeem.extension).await?;
        self.run(&command, Unsealed { extension, data: data.into_inner() }, Cause::Asked).await?;
        self.follow().await?;
        self.redeemed().await
    }

    /// The answer to a redemption that was asked for before; nothing is asked for anew.
    pub(super) async fn redeemed_before(&mut self, asked: Arc<Private>) -> Result<Redeemed, OrderError> {
        self.asked = asked;
        self.follow().await?;
        self.of_all_so_far()?;
        let redeemed = self.redeemed().await;
        match (redeemed, self.sequence) {
            // What forbids it is in the log.
            (Err(OrderError::Rejected(rejection)), Some(sequence)) => {
                Err(OrderError::Recorded { rejection, sequence })
            }
            (redeemed, _) => redeemed,
        }
    }

    async fn redeemed(&mut self) -> Result<Redeemed, OrderError> {
        let facts = self.gather(&Command::Release).await?;
        let (key, extension) = (self.key.take(), self.extension.take());
        let order = self.order()?;
        let released = matches!(order.stage, Stage::Released | Stage::Received);
        match (released, key, order.secret) {
            // The secret is its beneficiary's alone: whoever asks here gets it only if that is hosted here.
            (true, ..) if !order.hosts(Party::Beneficiary) => self.without_secret(released),
            (true, None, _) if order.custody_lost => Err(Rejection::CustodyLost.into()),
            (true, Some(key), _) => self.with_secret(key, extension.unwrap_or_default()).await,
            (true, None, Some(HeldSecret { ended: true, until_ms, .. })) => {
                Err(Rejection::RetentionEnded { until_ms: until_ms.unwrap_or_default() }.into())
            }
            (true, None, _) => match reopen::secret(self.services, order).await? {
                Opened::Genuine(key, extension) => self.with_secret(key, extension).await,
                Opened::Disputed(_) => Err(self.order()?.barred("redeem").into()),
            },
            // The fiduciary, elsewhere, has not answered yet.
            (false, ..) if order.pending.is_some() => self.without_secret(released),
            // It closed the order instead, or turned the redemption down.
            (false, ..) if !order.hosts(Party::Fiduciary) => Err(order.barred("redeem").into()),
            // A rule holds the fiduciary back, or the order ended another way.
            (false, ..) => match order.prepare(&Command::Release, &facts) {
                Err(rejection) => Err(rejection.into()),
                Ok(_) => Err(order.barred("redeem").into()),
            },
        }
    }

    fn without_secret(&self, released: bool) -> Result<Redeemed, OrderError> {
        let order = self.order()?;
        Ok(Redeemed {
            reference: order.reference.clone(),
            commitment: hex::encode(order.commitment().ok_or(Rejection::UnknownOrder)?),
            secret: None,
            extension: Private::default(),
            released,
            sequence: self.sequence,
        })
    }

    /// What the plugin makes of the released secret; without one, that itself.
    async fn with_secret(&self, key: Arc<OrderKey>, extension: Extension) -> Result<Redeemed, OrderError> {
        let made = self.final_secret(key.clone(), extension.clone(), self.asked.clone()).await?;
        let mut redeemed = self.without_secret(true)?;
        match made {
            Some(Final { key: made, commitment, extension }) => {
                redeemed.secret = Some(made.map_or(key, Arc::new));
                (redeemed.commitment, redeemed.extension) = (commitment, extension);
            }
            None => (redeemed.secret, redeemed.extension) = (Some(key), Private::new(extension)),
        }
        Ok(redeemed)
    }

    /// The principal wants the order closed before release.
    pub(super) async fn cancel(&mut self, placed: Option<Cid>, detail: String) -> Result<Stands, OrderError> {
        self.is_named(placed)?;
        self.run(&Command::RequestCancellation { detail }, Unsealed::default(), Cause::Asked).await?;
        self.follow().await?;
        self.stands()
    }

    /// The beneficiary has what was released looked at once more: what is the secret of the commitment is not disputed.
    pub(super) async fn dispute(&mut self, placed: Option<Cid>) -> Result<Stands, OrderError> {
        self.is_named(placed)?;
        let order = self.order()?;
        let waits = order.stage == Stage::Released && order.hosts(Party::Beneficiary);
        let verdict = if waits { self.verdict().await? } else { Verdict::Disputed(DisputeCode::CannotOpen) };
        let command = Command::Acknowledge(verdict);
        if verdict == Verdict::Genuine {
            let now_ms = self.services.clock.wall_ms();
            self.refuse(&command, now_ms, Rejection::NothingToDispute, Cause::Asked).await?;
        }
        // Of an order that is not released the rules say why it cannot be.
        self.run(&command, Unsealed::default(), Cause::Asked).await?;
        self.stands()
    }

    /// Deliveries that were given up are tried again, and what is due is done.
    pub(super) async fn retry(&mut self, placed: Option<Cid>) -> Result<Stands, OrderError> {
        self.is_named(placed)?;
        self.run(&Command::Resume, Unsealed::default(), Cause::Asked).await?;
        self.follow().await?;
        self.stands()
    }

    /// Does what is due.
    pub(super) async fn attend(&mut self) -> Result<Stands, OrderError> {
        self.follow().await?;
        self.of_all_so_far()?;
        self.stands()
    }

    /// How the order stands.
    pub(super) fn stands(&self) -> Result<Stands, OrderError> {
        Ok(Stands { order: self.order()?.clone(), sequence: self.sequence })
    }

    /// What was named by a CID must be the order of that CID.
    pub(super) fn is_named(&self, placed: Option<Cid>) -> Result<(), OrderError> {
        match placed {
            Some(named) if self.order()?.placed() != Some(named) => Err(Rejection::UnknownOrder.into()),
            _ => Ok(()),
        }
    }

    /// No order is taken while a copy of the seed store is away: its seed could not be kept as promised.
    async fn custody_is_ready(&self, fiduciary: &Cid) -> Result<(), OrderError> {
        let hosted = self.services.known(fiduciary).await?.is_some_and(|known| known.keys.is_some());
        if hosted && let Err(why) = self.services.seeds.ready().await {
            tracing::warn!(%why, "custody takes no order");
            return Err(Unavailable::Custody(why).into());
        }
        Ok(())
    }
}
