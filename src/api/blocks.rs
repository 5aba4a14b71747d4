//! `GET /v1/fulfill/log/blocks?after=SEQUENCE.N`: what this node's log publishes, for those whom its operator has pinned; everyone
//! else gets the constant 404.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use dta_protocol::Place;

use super::App;
use super::error::ApiError;
use super::paging::number;
use super::peer_call::{PeerCall, nothing_here};
use crate::actors::follow::give::{self, GiveError};
use crate::actors::unavailable::Unavailable;

/// The next page: blocks of the log of the node itself, not of those who live on it.
pub(super) async fn blocks(app: web::Data<App>, request: HttpRequest, call: PeerCall) -> HttpResponse {
    let services = &app.services;
    if call.to().cid() != services.node || services.peers.pinned(&call.caller.cid()).is_none() {
        return nothing_here();
    }
    let after = match after_of(request.query_string()) {
        Ok(after) => after,
        Err(error) => return call.refuse(error),
    };
    let log = services.log.clone();
    match web::block(move || give::page(&*log, after)).await {
        Ok(Ok(car)) => call.answer(StatusCode::OK, car),
        Ok(Err(GiveError::Read(error))) => call.refuse(Unavailable::from(error)),
        Ok(Err(error)) => call.refuse(ApiError::internal(error)),
        Err(_) => call.refuse(ApiError::stopping()),
    }
}

fn after_of(query: &str) -> Result<Option<Place>, ApiError> {
    if query.is_empty() {
        return Ok(None);
    }
    let place = query.strip_prefix("after=").and_then(|place| place.split_once('.'));
    let place = place.and_then(|(sequence, n)| {
        let sequence = number(sequence).filter(|sequence| *sequence < 1 << 53)?;
        Some(Place { sequence, n: number(n)?.try_into().ok()? })
    });
    place.map(Some).ok_or_else(|| {
        ApiError::invalid("after", "after: must be SEQUENCE.N, whole numbers below 2^53 and 2^32, alone")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_or_refused() {
        let place = |query| after_of(query).ok().flatten().map(|Place { sequence, n }| (sequence, n));
        assert!(matches!(after_of(""), Ok(None)));
        assert_eq!(place("after=0.0"), Some((0, 0)));
        assert_eq!(place("after=9007199254740991.4294967295"), Some(((1 << 53) - 1, u32::MAX)));
        for bad in [
            "after=",
            "after=1",
            "after=1.",
            "after=.1",
            "after=-1.0",
            "after=+1.0",
            "after=1.0.0",
            "after=9007199254740992.0",
            "after=1.4294967296",
            "after=1.0&after=1.0",
            "before=1.0",
        ] {
            assert!(after_of(bad).is_err(), "{bad}");
        }
    }
}
