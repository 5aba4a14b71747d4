//! What the node's plugin is asked in the course of an order, and told of it.

use std::sync::Arc;

use dta_crypto::OrderKey;
use dta_events::order::{Command, Event, Facts, Order, Party, Rejection, StepFacts, Work};
use dta_plugins::{
    Answer, Ask, Extension, Final, Given, Order as Told, Party as Person, Placing, Plugin, Private,
    PublicPoint, Redeeming, Redemption, Refusal, Released, milagro,
};
use dta_protocol::{Cid, Kind};

use super::believe::Believer;
use super::course::{Cause, Course};
use super::error::OrderError;
use super::reopen::{self, inconsistent};
use crate::actors::keyring::Known;
use crate::actors::plugged::Plugged;
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;

/// What a key of an order is derived for: references are unique for each principal.
fn about(principal: &Cid, reference: &str) -> Vec<u8> {
    [&principal.to_bytes()[..], reference.as_bytes()].concat()
}

fn person(known: &Known) -> Result<Person, Unavailable> {
    let key = PublicPoint::parse(&known.document.public().secp256k1);
    let key = key.map_err(|error| Unavailable::Inconsistent(format!("{}: {error}", known.cid())))?;
    Ok(Person { cid: known.cid().to_bytes(), key })
}

async fn party(services: &Services, cid: &Cid) -> Result<Person, OrderError> {
    let known = services.known(cid).await?;
    let known = known.ok_or_else(|| inconsistent(format!("identity {cid}: is not in the log")))?;
    Ok(person(&known)?)
}

/// The order as it stands, with what its bodies say.
async fn told(services: &Services, order: &Order) -> Result<Told, OrderError> {
    let who = |party| order.party(party).ok_or(Rejection::UnknownOrder);
    let reopen::Bodies { placed, committed } = reopen::bodies(services, order).await?;
    let commitment = order.commitment().map(|commitment| PublicPoint::parse(&commitment));
    Ok(Told {
        reference: order.reference.clone(),
        principal: party(services, &who(Party::Principal)?).await?,
        fiduciary: party(services, &placed.fiduciary).await?,
        beneficiary: match placed.beneficiary {
            Some(named) => Some(party(services, &named).await?),
            None => None,
        },
        coin: placed.coin,
        extension: placed.extension,
        commitment: commitment.transpose().map_err(inconsistent)?,
        committed: committed.map(|committed| committed.extension).unwrap_or_default(),
    })
}

/// What the fiduciary's plugin adds to the step of this kind.
pub(super) async fn adds(services: &Services, order: &Order, kind: Kind) -> Result<Extension, OrderError> {
    let name = plugin_of(order);
    if !Plugged::is_active(&name) {
        return Ok(Extension::new());
    }
    let told = told(services, order).await?;
    let about = order.party(Party::Principal).map(|principal| about(&principal, &order.reference));
    let about = about.ok_or(Rejection::UnknownOrder)?;
    let added = match kind {
        Kind::Committed => {
            services
                .plugin
                .run(&name, "commit", &about, move |plugin, given| plugin.commit(&told, given))
                .await?
        }
        _ => {
            services
                .plugin
                .run(&name, "release", &about, move |plugin, given| plugin.release(&told, given))
                .await?
        }
    };
    added.map_err(|refusal| {
        tracing::error!(plugin = name, order = order.reference, %refusal, "a plugin holds up an order");
        refused(&name, &refusal).into()
    })
}

fn refused(plugin: &str, refusal: &Refusal) -> Rejection {
    Rejection::PluginRefused { plugin: plugin.to_owned(), why: refusal.to_string() }
}

/// The plugin that an order was placed with: it goes on with that, whatever new ones have.
fn plugin_of(order: &Order) -> String {
    let first = order.steps.first().or(order.pending.as_ref()).map(|first| &first.step.facts);
    match first {
        Some(StepFacts::Placed { plugin, .. }) => plugin.clone(),
        _ => milagro::NAME.to_owned(),
    }
}

impl Course<'_> {
    fn about(&self) -> Result<Vec<u8>, OrderError> {
        let order = self.order()?;
        let principal = order.party(Party::Principal).ok_or(Rejection::UnknownOrder)?;
        Ok(about(&principal, &order.reference))
    }

    /// A refusal is recorded as one of the command.
    async fn agreed<T>(
        &mut self,
        command: &Command,
        plugin: &str,
        said: Result<T, Refusal>,
    ) -> Result<T, OrderError> {
        match said {
            Ok(value) => Ok(value),
            Err(refusal) => {
                let rejection = refused(plugin, &refusal);
                let now_ms = self.services.clock.wall_ms();
                self.refuse(command, now_ms, rejection.clone(), Cause::Asked).await?;
                Err(rejection.into())
            }
        }
    }

    /// What goes into a new order.
    pub(super) async fn placing(
        &mut self,
        reference: &str,
        (fiduciary, beneficiary): (Cid, Option<Cid>),
        asked: Arc<Private>,
        command: impl Fn(u8) -> Command,
    ) -> Result<Placing, OrderError> {
        let services = self.services;
        let name = services.plugin.name();
        if !Plugged::is_active(name) {
            return Ok(Placing { coin: 0, extension: (**asked).clone() });
        }
        // As the rules would; they are not asked once more, since somebody may be learned meanwhile.
        let Some(known) = services.known(&fiduciary).await? else {
            return self.stranger(&command(0), Party::Fiduciary, fiduciary).await;
        };
        let receives = match beneficiary {
            None => None,
            Some(named) => match services.known(&named).await? {
                Some(known) => Some(person(&known)?),
                None => return self.stranger(&command(0), Party::Beneficiary, named).await,
            },
        };
        let (principal, keeps) = (party(services, &services.node).await?, person(&known)?);
        let reference = reference.to_owned();
        let about = about(&services.node, &reference);
        let place = {
            let reference = reference.clone();
            move |plugin: &dyn Plugin, given: &mut Given<'_>| {
                let (reference, extension) = (&reference, &*asked);
                let ask = Ask { reference, principal, fiduciary: keeps, beneficiary: receives, extension };
                plugin.place(&ask, given)
            }
        };
        let said = services.plugin.run(name, "place", &about, place).await?;
        let placing = self.agreed(&command(0), name, said).await?;
        if known.keys.is_none() {
            return Ok(placing);
        }
        let order = Told {
            reference,
            principal,
            fiduciary: keeps,
            beneficiary: receives,
            coin: placing.coin,
            extension: placing.extension.clone(),
            commitment: None,
            committed: Extension::new(),
        };
        let said =
            services.plugin.run(name, "accept", &about, move |plugin, _| plugin.accept(&order)).await?;
        self.agreed(&command(placing.coin), name, said).await?;
        Ok(placing)
    }

    async fn stranger<T>(&mut self, command: &Command, party: Party, cid: Cid) -> Result<T, OrderError> {
        let rejection = Rejection::UnknownIdentity { party, cid };
        let now_ms = self.services.clock.wall_ms();
        self.refuse(command, now_ms, rejection.clone(), Cause::Asked).await?;
        Err(rejection.into())
    }

    /// The client's answer to a placed order; none without a plugin that has one of its own.
    pub(super) async fn answer(&self, asked: Arc<Private>) -> Result<Option<Answer>, OrderError> {
        let services = self.services;
        let name = plugin_of(self.order()?);
        if !Plugged::is_active(&name) {
            return Ok(None);
        }
        let told = told(services, self.order()?).await?;
        let answer = move |plugin: &dyn Plugin, given: &mut Given<'_>| plugin.answer(&told, &asked, given);
        let said = services.plugin.run(&name, "answer", &self.about()?, answer).await?;
        said.map(Some).map_err(|refusal| refused(&name, &refusal).into())
    }

    /// What goes into a redemption.
    pub(super) async fn redeeming(
        &mut self,
        command: &Command,
        beneficiary: Cid,
        asked: Arc<Private>,
    ) -> Result<Redeeming, OrderError> {
        let services = self.services;
        let name = plugin_of(self.order()?);
        if !Plugged::is_active(&name) {
            return Ok(Redeeming { extension: (**asked).clone(), data: Private::default() });
        }
        let facts = self.gather(command).await?;
        match self.order()?.prepare(command, &facts) {
            Ok(Work::Sign(_)) => {}
            // It is answered as before.
            Ok(_) => return Ok(Redeeming::default()),
            // At once: a moment later the rules may say otherwise, and the plugin would not have been asked.
            Err(rejection) => {
                self.refuse(command, facts.now_ms, rejection.clone(), Cause::Asked).await?;
                return Err(rejection.into());
            }
        }
        let order = Arc::new(told(services, self.order()?).await?);
        let about = self.about()?;
        let redeem = {
            let order = order.clone();
            move |plugin: &dyn Plugin, given: &mut Given<'_>| plugin.redeem(&order, &asked, given)
        };
        let said = services.plugin.run(&name, "redeem", &about, redeem).await?;
        let redeeming = self.agreed(command, &name, said).await?;
        if self.order()?.hosts(Party::Fiduciary) {
            let (receives, extension) = (party(services, &beneficiary).await?, redeeming.extension.clone());
            self.permit(command, order, receives, extension).await?;
        }
        Ok(redeeming)
    }

    async fn permit(
        &mut self,
        command: &Command,
        order: Arc<Told>,
        beneficiary: Person,
        extension: Extension,
    ) -> Result<(), OrderError> {
        let permit = move |plugin: &dyn Plugin, _: &mut Given<'_>| {
            plugin.permit(&order, &Redemption { beneficiary, extension: &extension })
        };
        let name = plugin_of(self.order()?);
        let said = self.services.plugin.run(&name, "permit", &self.about()?, permit).await?;
        self.agreed(command, &name, said).await
    }

    /// Steps of another node, which the rules take: an order and a redemption are the fiduciary's plugin's to judge.
    pub(super) async fn judged(
        &mut self,
        (command, facts): (&Command, &Facts),
        believer: &mut Believer<'_>,
        extensions: &[(Cid, Extension)],
    ) -> Result<(), OrderError> {
        let services = self.services;
        let Command::Accept(steps) = command else { return Ok(()) };
        // What is evidence of an equivocation is kept as that, whatever a plugin would say.
        let decided = self.order()?.decide(command, facts, None).unwrap_or_default();
        let joins = |cid: Cid| {
            decided
                .iter()
                .any(|event| matches!(event, Event::StepAppended(appended) if appended.step.cid == cid))
        };
        for received in steps.iter().filter(|received| joins(received.step.cid)) {
            let name = match &received.step.facts {
                StepFacts::Placed { plugin, .. } => plugin.clone(),
                StepFacts::RedemptionRequested { .. } => plugin_of(self.order()?),
                _ => continue,
            };
            if !Plugged::is_active(&name) {
                continue;
            }
            let said = |(cid, _): &&(Cid, Extension)| *cid == received.step.cid;
            let (_, extension) = extensions.iter().find(said).ok_or(Rejection::CannotOpen)?;
            match &received.step.facts {
                StepFacts::Placed { parties, coin, .. } if self.keeps(&parties.fiduciary).await? => {
                    let mut who = async |cid: &Cid| -> Result<Person, OrderError> {
                        let known = believer.person(cid).await?;
                        let unknown = || inconsistent(format!("identity {cid}: did not come along"));
                        Ok(person(&*known.ok_or_else(unknown)?)?)
                    };
                    let order = Told {
                        reference: received.reference.clone(),
                        principal: who(&parties.principal).await?,
                        fiduciary: who(&parties.fiduciary).await?,
                        beneficiary: match &parties.beneficiary {
                            Some(named) => Some(who(named).await?),
                            None => None,
                        },
                        coin: *coin,
                        extension: extension.clone(),
                        commitment: None,
                        committed: Extension::new(),
                    };
                    let about = about(&parties.principal, &received.reference);
                    let accept = move |plugin: &dyn Plugin, _: &mut Given<'_>| plugin.accept(&order);
                    let said = services.plugin.run(&name, "accept", &about, accept).await?;
                    self.agreed(command, &name, said).await?;
                }
                StepFacts::RedemptionRequested { beneficiary } if self.order()?.hosts(Party::Fiduciary) => {
                    let known = believer.person(beneficiary).await?;
                    let unknown = || inconsistent(format!("identity {beneficiary}: did not come along"));
                    let receives = person(&*known.ok_or_else(unknown)?)?;
                    let order = Arc::new(told(services, self.order()?).await?);
                    self.permit(command, order, receives, extension.clone()).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn keeps(&self, fiduciary: &Cid) -> Result<bool, Unavailable> {
        Ok(self.services.known(fiduciary).await?.is_some_and(|known| known.keys.is_some()))
    }

    /// What the beneficiary's client is answered; none without a plugin that has an answer of its own.
    pub(super) async fn final_secret(
        &self,
        key: Arc<OrderKey>,
        extension: Extension,
        asked: Arc<Private>,
    ) -> Result<Option<Final>, OrderError> {
        let services = self.services;
        let order = self.order()?;
        let name = plugin_of(order);
        if !Plugged::is_active(&name) {
            return Ok(None);
        }
        let told = told(services, order).await?;
        let data = Private::new(reopen::data(services, order).await?);
        let beneficiary = order.party(Party::Beneficiary).ok_or(Rejection::UnknownOrder)?;
        let own = services.party(&beneficiary).await?;
        let gone = format!("the keys of {beneficiary} are not on this node");
        let finish = move |plugin: &dyn Plugin, _: &mut Given<'_>| {
            let own = own.keys.as_ref()?.secp256k1();
            let released = Released { key: &key, data: &data, extension: &extension, asked: &asked, own };
            Some(plugin.finish(&told, &released))
        };
        let said = services.plugin.run(&name, "finish", &self.about()?, finish).await?;
        let said = said.ok_or_else(|| inconsistent(gone))?;
        said.map(Some).map_err(|refusal| refused(&name, &refusal).into())
    }
}
