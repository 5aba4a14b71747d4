//! For tests: an order as a node has it, put into its log step by step without being judged.

use std::collections::HashMap;

use dta_crypto::ContentKey;
use dta_events::ids::order_aggregate;
use dta_events::order::{Command, Event, Hosts, Origin, Step, StepAppended, StepFacts, said};
use dta_events::record::Effect;
use dta_events::replay_order;
use dta_protocol::sealed::{SealRequest, open_with_key};
use dta_protocol::{Cid, Envelope, Role};

use crate::actors::log::{Block, BlockClass};
use crate::actors::services::{Caller, Services};

/// Appends a step with its blocks, as issued here if its signer lives here and as received if not.
pub async fn put(
    services: &Services,
    envelope: &Envelope,
    blocks: &HashMap<Cid, Vec<u8>>,
    key: &ContentKey,
    pending: bool,
) {
    let statement = envelope.statement();
    let signer = statement.signer.unwrap();
    let descriptor = statement.sealed_for(Role::Parties).unwrap();
    let request = SealRequest::of(statement, Role::Parties).unwrap();
    let plaintext = open_with_key(key, &request, descriptor, &blocks[&descriptor.cid]).unwrap();
    let facts = said(statement, plaintext.expose()).unwrap().facts;
    let aggregate = match statement.previous {
        None => order_aggregate(&signer, &statement.subject),
        Some(previous) => services.log.envelope(&previous.to_bytes()).unwrap().unwrap(),
    };
    let records = services.log.load(&aggregate).unwrap();
    let order = replay_order(&records).unwrap();
    let parties = match &facts {
        StepFacts::Placed { parties, .. } => parties.clone(),
        _ => order.parties.unwrap(),
    };
    let beneficiary = match &facts {
        StepFacts::RedemptionRequested { beneficiary } | StepFacts::Released { beneficiary, .. } => {
            Some(*beneficiary)
        }
        _ => parties.beneficiary,
    };
    let here = async |cid: Cid| services.known(&cid).await.unwrap().is_some_and(|known| known.keys.is_some());
    let hosts = Hosts {
        principal: here(parties.principal).await,
        fiduciary: here(parties.fiduciary).await,
        beneficiary: match beneficiary {
            Some(beneficiary) => here(beneficiary).await,
            None => false,
        },
    };
    let block = |cid: Cid, class, bytes: &[u8]| Block { cid: cid.to_bytes(), class, bytes: bytes.to_vec() };
    let mut kept = vec![block(envelope.cid(), BlockClass::Published, envelope.block())];
    let sealed: Vec<Cid> = statement.sealed.iter().map(|descriptor| descriptor.cid).collect();
    kept.extend(sealed.iter().map(|cid| block(*cid, BlockClass::Published, &blocks[cid])));
    if let StepFacts::Released { secret, .. } = &facts
        && (hosts.fiduciary || hosts.beneficiary)
    {
        kept.push(block(*secret, BlockClass::Held, &blocks[secret]));
    }
    let step = Step {
        cid: envelope.cid(),
        statement: envelope.statement_hash(),
        signer,
        previous: statement.previous,
        issued_at_ms: statement.issued_at_ms,
        sealed,
        facts,
    };
    let at_ms = statement.issued_at_ms;
    let origin = if here(signer).await { Origin::Issued } else { Origin::Received };
    let reference = statement.subject.clone();
    let event = Event::StepAppended(StepAppended { reference, step, origin, pending, hosts, at_ms });
    let caller = Caller { by: "local".into(), trace_id: [0; 16], request: None };
    let command = Command::Accept(Vec::new()).to_stored().unwrap();
    let effect = Effect::Events(vec![event.to_stored().unwrap()]);
    let mut append = services.append(&caller, aggregate, records.len() as u64, at_ms, command, effect);
    append.blocks = kept;
    services.writer.append(append).await.unwrap();
}
