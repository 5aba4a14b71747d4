//! What happened to an order, refusals included: `GET /v1/order/{reference}/history`.

use actix_web::{HttpRequest, HttpResponse, web};
use dta_events::ids::order_aggregate;
use dta_events::order::Party;
use dta_projections::{Entry, HistoryRow};
use serde::Serialize;

use super::App;
use super::error::ApiError;
use super::orders::order_named;
use super::paging::after_of;
use crate::actors::views::PAGE_ROWS_MAX;
use crate::time::rfc3339;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    order_reference: String,
    /// Oldest first, at most 1,000.
    history: Vec<Happened>,
    /// Where the next call goes on (`after`), if there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Happened {
    sequence: u64,
    time: String,
    time_ms: u64,
    actor: String,
    command: String,
    #[serde(flatten)]
    what: What,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum What {
    Step {
        step: String,
        cid: String,
        signer: String,
    },
    Refused {
        refused: Refused,
    },
    Equivocation {
        equivocation: Pair,
    },
    Delivery {
        delivery: Delivery,
    },
    #[serde(rename_all = "camelCase")]
    DeliveriesResumed {
        deliveries_resumed: bool,
    },
    #[serde(rename_all = "camelCase")]
    CustodyLost {
        custody_lost: bool,
    },
    #[serde(rename_all = "camelCase")]
    CustodyFound {
        custody_found: bool,
    },
    Held {
        held: bool,
    },
    #[serde(rename_all = "camelCase")]
    ShredOrdered {
        /// From when on.
        shred_ordered: String,
    },
    Shredded {
        shredded: bool,
    },
    #[serde(rename_all = "camelCase")]
    RetentionEnded {
        retention_ended: String,
    },
}

#[derive(Serialize)]
struct Refused {
    code: String,
    details: String,
}

/// How bringing a step to a party on another node ended.
#[derive(Serialize)]
struct Delivery {
    to: &'static str,
    step: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

#[derive(Serialize)]
struct Pair {
    first: String,
    second: String,
}

impl From<HistoryRow> for Happened {
    fn from(row: HistoryRow) -> Self {
        let what = match row.entry {
            Entry::Step { kind, cid, signer, .. } => {
                What::Step { step: kind, cid: cid.to_string(), signer: signer.to_string() }
            }
            Entry::Refused { code, details } => What::Refused { refused: Refused { code, details } },
            Entry::Equivocation { first, second } => What::Equivocation {
                equivocation: Pair { first: first.to_string(), second: second.to_string() },
            },
            Entry::DeliveryEnded { to, step, outcome } => What::Delivery {
                delivery: Delivery {
                    to: to.as_str(),
                    step: step.to_string(),
                    outcome: outcome.as_str(),
                    code: outcome.code().map(str::to_owned),
                },
            },
            Entry::DeliveriesResumed => What::DeliveriesResumed { deliveries_resumed: true },
            Entry::CustodyLost => What::CustodyLost { custody_lost: true },
            Entry::CustodyFound => What::CustodyFound { custody_found: true },
            Entry::Held => What::Held { held: true },
            Entry::ShredOrdered { due_ms } => What::ShredOrdered { shred_ordered: rfc3339(due_ms) },
            Entry::Shredded => What::Shredded { shredded: true },
            Entry::RetentionEnded { secret } => What::RetentionEnded { retention_ended: secret.to_string() },
        };
        Self {
            sequence: row.sequence,
            time: rfc3339(row.at_ms),
            time_ms: row.at_ms,
            actor: row.by,
            command: row.command,
            what,
        }
    }
}

/// `GET /v1/order/{reference}/history?after`
pub(super) async fn history(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().query("reference").to_owned();
    let after = after_of(&request)?;
    let found = app.query(move |views| {
        let Some(row) = order_named(views, &name)? else { return Ok(None) };
        let Some(principal) = row.order.party(Party::Principal) else { return Ok(None) };
        let id = order_aggregate(&principal, &row.order.reference).id;
        let after = after.map(|sequence| (sequence, u16::MAX));
        Ok(Some((row.order.reference, views.history(&id, after, PAGE_ROWS_MAX)?)))
    });
    let (order_reference, mut entries) = found.await?.ok_or_else(ApiError::no_order)?;
    let next = match (entries.first(), entries.last()) {
        (Some((_, first)), Some((_, last))) if entries.len() as u64 == PAGE_ROWS_MAX => {
            // A record that may be cut by the end of the page comes whole with the next one.
            let (first, cut) = (first.sequence, last.sequence);
            entries.retain(|(_, row)| row.sequence != cut || cut == first);
            entries.last().map(|(_, row)| row.sequence)
        }
        _ => None,
    };
    let history = entries.into_iter().map(|(_, row)| row.into()).collect();
    Ok(HttpResponse::Ok().json(Answer { order_reference, history, next }))
}
