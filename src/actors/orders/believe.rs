//! From a step as it came to one that the rules can judge: its signature verified, its body opened, and whoever else can
//! open that found to be exactly those whom its kind prescribes.

use std::collections::BTreeMap;
use std::sync::Arc;

use dta_crypto::{ContentKey, SecretBytes};
use dta_events::order::{Order, Parties, Party, ReceivedStep, Rejection, Step, StepFacts, rule, said};
use dta_proof::Origin;
use dta_protocol::body::{self, Plaintext};
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Body, Cid, Descriptor, Envelope, Extension, Identity, Kind, Role, Statement};

use super::arrival::Arrival;
use super::error::OrderError;
use super::reopen;
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::log::{Block, BlockClass, StoredBlock};
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;
use crate::contain::contain;

/// Reads the steps of one arrival.
pub(super) struct Believer<'a> {
    services: &'a Services,
    arrival: &'a Arrival,
    /// Whom the steps name and this node did not know: their documents came along.
    pub(super) strangers: Vec<Arc<Known>>,
    /// Content keys that a redemption disclosed.
    disclosed: BTreeMap<Cid, ContentKey>,
}

/// A step to judge, and the blocks to keep if it is accepted.
pub(super) struct Believed {
    pub(super) step: ReceivedStep,
    pub(super) blocks: Vec<Block>,
    /// What it says to the fiduciary's plugin, if it is an order or a redemption.
    pub(super) extension: Option<Extension>,
    /// The signed note of the log that holds it.
    pub(super) note: Option<String>,
    /// Notes of others' logs that its signer had seen.
    pub(super) seen: Vec<String>,
}

impl<'a> Believer<'a> {
    pub(super) fn new(services: &'a Services, arrival: &'a Arrival) -> Self {
        Self { services, arrival, strangers: Vec::new(), disclosed: BTreeMap::new() }
    }

    /// Someone known here, or whose document came along.
    pub(super) async fn person(&mut self, cid: &Cid) -> Result<Option<Arc<Known>>, Unavailable> {
        if let Some(known) = self.services.known(cid).await? {
            return Ok(Some(known));
        }
        if let Some(stranger) = self.strangers.iter().find(|stranger| stranger.cid() == *cid) {
            return Ok(Some(stranger.clone()));
        }
        let came = if *cid == self.arrival.from.cid() {
            Some(Arc::new(Known { document: self.arrival.from.clone(), keys: None }))
        } else if let Some(block) = self.arrival.blocks.get(cid).cloned() {
            let read = move || contain(|| Identity::decode(&block).ok()).ok().flatten();
            let document = self.services.crypto.run(Priority::Interactive, read).await?;
            document.map(|document| Arc::new(Known { document, keys: None }))
        } else {
            None
        };
        self.strangers.extend(came.clone());
        Ok(came)
    }

    /// Whether the caller answers for a party: it is that identity, or the one that this names as the holder of its log.
    pub(super) async fn caller_is(&mut self, party: &Cid) -> Result<bool, Unavailable> {
        let caller = self.arrival.from.cid();
        Ok(self.person(party).await?.is_some_and(|person| person.document.lives_with(&caller)))
    }

    /// The keys that the arrival's redemption discloses to its beneficiary, which reads what came before with them; and whom
    /// it names.
    pub(super) async fn disclose(&mut self) -> Result<Option<Cid>, OrderError> {
        let redemption = self
            .arrival
            .steps
            .iter()
            .find(|envelope| envelope.statement().kind == Kind::RedemptionRequested)
            .filter(|_| {
                self.arrival.steps.first().is_some_and(|first| first.statement().kind == Kind::Placed)
            });
        let Some(envelope) = redemption else { return Ok(None) };
        let statement = envelope.statement().clone();
        let (_, plaintext) = self.open(&statement, Role::Parties).await?;
        let redemption = contain(|| body::RedemptionRequested::decode(plaintext.expose()));
        let Ok(Ok(redemption)) = redemption else { return Err(Rejection::CannotOpen.into()) };
        self.disclosed = redemption.keys;
        Ok(Some(redemption.beneficiary))
    }

    /// Believes a step of an order, as those before it left that.
    pub(super) async fn believe(
        &mut self,
        order: &Order,
        envelope: &Envelope,
    ) -> Result<Believed, OrderError> {
        let statement = envelope.statement().clone();
        let kind = statement.kind;
        let signer_role = rule(kind).map(|rule| rule.signer).ok_or(Rejection::UnknownOrder)?;
        let signer = statement.signer.ok_or(Rejection::SignatureInvalid)?;
        let known = self.needed(signer_role, signer).await?;
        let verified = self.services.verifier.verify(&self.services.crypto, envelope.clone(), known);
        verified.await.map_err(Unavailable::from)?.map_err(|_| Rejection::SignatureInvalid)?;

        let (content_key, plaintext) = self.open(&statement, Role::Parties).await?;
        let said =
            contain(|| said(&statement, plaintext.expose())).ok().flatten().ok_or(Rejection::CannotOpen)?;
        if kind == Kind::RedemptionRequested && self.disclosed.is_empty() {
            self.check_keys(order, &plaintext).await?;
        }
        let seen = contain(|| body::seen_in(plaintext.expose())).unwrap_or_default();
        let extension = contain(|| extension_in(kind, &plaintext)).ok().flatten();
        drop(plaintext);
        let note = match &statement.body {
            Body::Order { note } => note.clone(),
            _ => None,
        };
        let log = self.needed(signer_role, signer).await?.document.node();
        let its_own = |note: &String| contain(|| Origin::claimed(note).map(|origin| origin.identity));
        if note.as_ref().is_some_and(|note| !matches!(its_own(note), Ok(Ok(owner)) if owner == log)) {
            return Err(Rejection::NoteInvalid.into());
        }
        // Who is to receive the secret reads nothing of the order yet, and is learned with it all the same.
        if let StepFacts::Placed { parties: Parties { beneficiary: Some(named), .. }, .. } = &said.facts {
            self.person(named).await?;
        }
        self.check_readers(order, &statement, &said.facts, content_key).await?;
        let mut blocks = self.blocks_of(envelope)?;
        blocks.extend(self.held_of(&said.facts).await?);
        let step = Step {
            cid: envelope.cid(),
            statement: envelope.statement_hash(),
            signer,
            previous: statement.previous,
            issued_at_ms: statement.issued_at_ms,
            sealed: statement.sealed.iter().map(|descriptor| descriptor.cid).collect(),
            facts: said.facts,
        };
        let step = ReceivedStep {
            reference: statement.subject,
            step,
            reserved_policy_is_empty: said.reserved_policy_is_empty,
            proof: said.proof,
        };
        Ok(Believed { step, blocks, extension, note, seen })
    }

    /// The keys that a redemption discloses must open the order's first two bodies, else its beneficiary could not read the
    /// order, and so not take the release. What is sealed to the beneficiary alone, nobody else can judge: if it is
    /// nothing, the beneficiary has the secret all the same.
    async fn check_keys(&self, order: &Order, plaintext: &SecretBytes) -> Result<(), OrderError> {
        let redemption = contain(|| body::RedemptionRequested::decode(plaintext.expose()));
        let Ok(Ok(redemption)) = redemption else { return Err(Rejection::CannotOpen.into()) };
        for kind in [Kind::Placed, Kind::Committed] {
            // Before the commitment the rules refuse it, whatever it discloses.
            let Some(accepted) = order.step(kind) else { return Ok(()) };
            let (envelope, descriptor) = reopen::envelope(self.services, &accepted.step)?;
            let block = reopen::read(self.services, &descriptor.cid)?;
            let key = redemption.keys.get(&descriptor.cid).ok_or(Rejection::KeysInvalid)?;
            let request =
                SealRequest::of(envelope.statement(), Role::Parties).map_err(reopen::inconsistent)?;
            sealed::open_with_key(key, &request, &descriptor, &block).map_err(|_| Rejection::KeysInvalid)?;
        }
        Ok(())
    }

    async fn needed(&mut self, party: Party, cid: Cid) -> Result<Arc<Known>, OrderError> {
        let person = self.person(&cid).await?;
        Ok(person.ok_or(Rejection::UnknownIdentity { party, cid })?)
    }

    /// Opens a body with a disclosed key if there is one, else with the keys of the identity it came for.
    async fn open(&self, statement: &Statement, role: Role) -> Result<(ContentKey, SecretBytes), OrderError> {
        let descriptor = statement.sealed_for(role).cloned().ok_or(Rejection::CannotOpen)?;
        let block = self.arrival.blocks.get(&descriptor.cid).cloned();
        let block = block.ok_or(Rejection::BlockMissing(descriptor.cid))?;
        let own = self.services.party(&self.arrival.to).await?;
        let disclosed = self.disclosed.get(&descriptor.cid).map(|key| ContentKey::from_bytes(*key.expose()));
        let statement = statement.clone();
        let open = move || {
            contain(|| {
                let request = SealRequest::of(&statement, role).ok()?;
                match disclosed {
                    Some(key) => {
                        let plaintext = sealed::open_with_key(&key, &request, &descriptor, &block).ok()?;
                        Some((key, plaintext))
                    }
                    None => sealed::open(own.keys.as_ref()?, &own.cid(), &request, &descriptor, &block).ok(),
                }
            })
            .ok()
            .flatten()
        };
        let opened = self.services.crypto.run(Priority::Interactive, open);
        Ok(opened.await.map_err(Unavailable::from)?.ok_or(Rejection::CannotOpen)?)
    }

    async fn check_readers(
        &mut self,
        order: &Order,
        statement: &Statement,
        facts: &StepFacts,
        key: ContentKey,
    ) -> Result<(), OrderError> {
        // Whose the step is is judged by the rules; here, who reads it.
        let order = match facts {
            StepFacts::Placed { parties, .. } => Order { parties: Some(parties.clone()), ..Order::default() },
            _ => order.seen_from(statement.previous.as_ref()),
        };
        let named = match facts {
            StepFacts::RedemptionRequested { beneficiary } => Some(*beneficiary),
            _ => None,
        };
        let role = |cid: &Cid| match &order.parties {
            Some(parties) if parties.principal == *cid => Party::Principal,
            Some(parties) if parties.fiduciary == *cid => Party::Fiduciary,
            _ => Party::Beneficiary,
        };
        let readers = order.readers(statement.kind, named);
        if readers.is_empty() {
            return Err(Rejection::UnknownOrder.into());
        }
        let readers = readers.into_iter().map(|cid| (role(&cid), cid)).collect();
        self.check_recipients(statement, Role::Parties, key, readers).await
    }

    async fn check_recipients(
        &mut self,
        statement: &Statement,
        role: Role,
        key: ContentKey,
        prescribed: Vec<(Party, Cid)>,
    ) -> Result<(), OrderError> {
        let descriptor = statement.sealed_for(role).cloned().ok_or(Rejection::CannotOpen)?;
        let signer = statement.signer.ok_or(Rejection::SignatureInvalid)?;
        let mut people = Vec::with_capacity(prescribed.len());
        for (party, cid) in prescribed {
            people.push(self.needed(party, cid).await?);
        }
        let check = move || {
            let people: Vec<_> =
                people.iter().map(|known| (known.cid(), known.document.verifying())).collect();
            sealed::check_recipients(&key, &signer, &people, &descriptor).is_ok()
        };
        let exactly = self.services.crypto.run(Priority::Interactive, check);
        if exactly.await.map_err(Unavailable::from)? {
            Ok(())
        } else {
            Err(Rejection::OtherRecipients.into())
        }
    }

    /// The envelope and its bodies, to be published as their signer would.
    fn blocks_of(&self, envelope: &Envelope) -> Result<Vec<Block>, OrderError> {
        let mut blocks = vec![block(envelope.cid(), BlockClass::Published, envelope.block())];
        for Descriptor { cid, .. } in &envelope.statement().sealed {
            let body = self.arrival.blocks.get(cid).ok_or(Rejection::BlockMissing(*cid))?;
            // What is held here would be published by it.
            if matches!(self.services.log.block(&cid.to_bytes())?, Some(StoredBlock::Held(_))) {
                return Err(Rejection::SecretTaken.into());
            }
            blocks.push(block(*cid, BlockClass::Published, body));
        }
        Ok(blocks)
    }

    /// The sealed secret of a release, to be held, where its beneficiary is: without it nobody could say what it is.
    async fn held_of(&self, facts: &StepFacts) -> Result<Option<Block>, OrderError> {
        let StepFacts::Released { beneficiary, secret } = facts else { return Ok(None) };
        if self.services.known(beneficiary).await?.is_none_or(|known| known.keys.is_none()) {
            return Ok(None);
        }
        // A block that is published, or is to be with these steps, is no secret, and could not be dropped as one.
        let bodies = self.arrival.steps.iter().flat_map(|step| &step.statement().sealed);
        let is_published = self.services.log.published_block(&secret.to_bytes())?.is_some();
        if is_published || bodies.into_iter().any(|body| body.cid == *secret) {
            return Err(Rejection::CannotOpen.into());
        }
        let sealed = self.arrival.blocks.get(secret).ok_or(Rejection::BlockMissing(*secret))?;
        Ok(Some(block(*secret, BlockClass::Held, sealed)))
    }
}

fn extension_in(kind: Kind, plaintext: &SecretBytes) -> Option<Extension> {
    match kind {
        Kind::Placed => body::Placed::decode(plaintext.expose()).ok().map(|placed| placed.extension),
        Kind::RedemptionRequested => {
            body::RedemptionRequested::decode(plaintext.expose()).ok().map(|request| request.extension)
        }
        _ => None,
    }
}

fn block(cid: Cid, class: BlockClass, bytes: &[u8]) -> Block {
    Block { cid: cid.to_bytes(), class, bytes: bytes.to_vec() }
}
