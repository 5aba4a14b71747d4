//! A signed call of another node: read, judged, and answered under the signature of the identity it is for.
//!
//! Who cannot be verified learns nothing: what is wrong with the head of a request is told without looking who is here,
//! and all else is one constant 404. What is decided after the caller and the whole request are verified is
//! signed, so that nobody on the way can end a delivery with an answer of his own.

use std::pin::Pin;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use actix_web::http::{Method, StatusCode};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use dta_protocol::car::{self, Block};
use dta_protocol::{CarError, Cid, Identity};

use super::App;
use super::error::ApiError;
use super::posted;
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::peers::client::{BODY_BYTES_MAX, CAR};
use crate::actors::peers::nonces::Standing;
use crate::actors::peers::{PeerCallError, SignedRequest, answer};
use crate::actors::services::Services;
use crate::actors::unavailable::Unavailable;
use crate::contain::contain;
use crate::ports::Clock;

/// A call whose caller, addressee, time and body are verified, and which was not seen before.
pub struct PeerCall {
    /// Who calls.
    pub caller: Identity,
    /// Whether this node knew the caller before. Else its identity came with the call, and is of somebody whom nobody
    /// vouches for.
    pub caller_is_known: bool,
    /// What the body holds: a root, and every block checked against its CID. None in a GET.
    pub car: Option<Car>,
    here: Addressee,
}

/// A CAR.
pub struct Car {
    /// Its root: one of the blocks.
    pub root: Cid,
    /// At most 64, in their order.
    pub blocks: Vec<Block>,
}

/// The identity here that a request is for; signs the answers to that request.
struct Addressee {
    request: Arc<SignedRequest>,
    known: Arc<Known>,
    clock: Arc<dyn Clock>,
}

impl PeerCall {
    /// The identity here that the call is for; its keys are here.
    pub fn to(&self) -> &Arc<Known> {
        &self.here.known
    }

    /// Answers with a CAR, or with nothing if it is empty; signed.
    pub fn answer(&self, status: StatusCode, car: Vec<u8>) -> HttpResponse {
        let mut answer = HttpResponse::build(status);
        if !car.is_empty() {
            answer.content_type(CAR);
        }
        self.here.signed(answer.body(car))
    }

    /// Says no, signed: final for this delivery unless the status is 401, 404, 408, 429 or 5xx.
    pub fn refuse(&self, why: impl Into<ApiError>) -> HttpResponse {
        self.here.refusal(why)
    }
}

/// What everybody is told who is no party to what he asks about: always the same bytes, unsigned.
pub fn nothing_here() -> HttpResponse {
    let text = "there is nothing here for you";
    ApiError::new(StatusCode::NOT_FOUND, "not-found", text).error_response()
}

impl FromRequest for PeerCall {
    type Error = InternalError<&'static str>;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (payload, request) = (web::Payload::from_request(request, payload), request.clone());
        Box::pin(async move {
            let judged = match request.app_data::<web::Data<App>>() {
                Some(app) => judge(&app.services, &request, payload).await,
                None => Err(ApiError::stopping().error_response()),
            };
            judged.map_err(|answer| InternalError::from_response("a call of another node", answer))
        })
    }
}

async fn judge(
    services: &Arc<Services>,
    http: &HttpRequest,
    payload: <web::Payload as FromRequest>::Future,
) -> Result<PeerCall, HttpResponse> {
    let has_car = *http.method() == Method::POST;
    if has_car {
        is_car(http.headers()).map_err(unsigned)?;
    }
    let request = Arc::new(read_head(http).map_err(unsigned)?);
    let hosted = services.known(&request.to()).await.map_err(unsigned)?.filter(|known| known.keys.is_some());
    let here =
        hosted.map(|known| Addressee { request: request.clone(), known, clock: services.clock.clone() });
    let known = services.known(&request.caller()).await.map_err(unsigned)?;
    let caller = match (&here, &known) {
        (Some(here), Some(known)) => here
            .admit(&known.document, standing(services, known), services)
            .map_err(|why| here.refusal(why))?,
        _ => None,
    };

    // The bodies of those who have proved nothing are read too, so that all of them wait alike for their 404.
    let room = services.incoming.room(caller.is_some()).ok_or_else(|| unsigned(Unavailable::Busy))?;
    let limit = if has_car { BODY_BYTES_MAX } else { 0 };
    let body = posted::read(payload, http.headers(), limit).await.map_err(unsigned)?;
    let is_stranger = known.is_none() && has_car;
    let here = here.filter(|_| caller.is_some() || is_stranger).ok_or_else(|| outsider(&request))?;
    let read = request.clone();
    let work = move || contain(|| Body::read(&read, &body, has_car, is_stranger));
    let body = services.crypto.run(Priority::Interactive, work).await;
    let body = body.map_err(|busy| unsigned(Unavailable::from(busy)))?;
    let body = body.map_err(|panicked| unsigned(ApiError::internal(panicked)))?;
    drop(room);

    if let Some(caller) = caller {
        let Body { car, .. } = body.map_err(|why| here.refusal(why))?;
        return Ok(PeerCall { caller, caller_is_known: true, car, here });
    }
    let Ok(Body { car, stranger: Some(stranger) }) = body else { return Err(outsider(&request)) };
    let admitted = here.admit(&stranger, Standing::Stranger, services).map_err(|why| here.refusal(why))?;
    let caller = admitted.ok_or_else(|| outsider(&request))?;
    Ok(PeerCall { caller, caller_is_known: false, car, here })
}

/// Whose room the calls of an identity take that is known here. To live on a pinned node is the identity's own word: that
/// earns nothing.
fn standing(services: &Services, known: &Known) -> Standing {
    if known.keys.is_some() || services.peers.pinned(&known.document.cid()).is_some() {
        Standing::Pinned
    } else {
        Standing::Known
    }
}

/// What came as a body.
struct Body {
    car: Option<Car>,
    /// The identity of the caller, if it had to come along and did.
    stranger: Option<Box<Identity>>,
}

impl Body {
    /// Reads a body: hashes, and for a stranger signatures, so it belongs on the crypto pool.
    fn read(
        request: &SignedRequest,
        body: &[u8],
        has_car: bool,
        is_stranger: bool,
    ) -> Result<Self, ApiError> {
        request.check_body(body)?;
        if !has_car {
            return Ok(Self { car: None, stranger: None });
        }
        let (root, blocks) = car::decode(body).map_err(|error| not_a_car(&error))?;
        let mut candidates = blocks.iter().filter(|(cid, _)| is_stranger && *cid == request.caller());
        let stranger = candidates.next().and_then(|(_, block)| Identity::decode(block).ok()).map(Box::new);
        Ok(Self { car: Some(Car { root, blocks }), stranger })
    }
}

fn not_a_car(error: &CarError) -> ApiError {
    ApiError::invalid(error.code(), format!("body: {error}"))
}

impl Addressee {
    /// Lets a caller in: once, and in time. None if it is not the caller who signed.
    ///
    /// # Errors
    /// What is wrong with what the caller did sign.
    fn admit(
        &self,
        caller: &Identity,
        standing: Standing,
        services: &Services,
    ) -> Result<Option<Identity>, PeerCallError> {
        let verified = self.request.verify(caller.verifying(), self.clock.wall_ms() / 1_000);
        match verified.and_then(|()| services.incoming.take(&self.request, standing, &*self.clock)) {
            Ok(()) => Ok(Some(caller.clone())),
            Err(PeerCallError::Signature) => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn refusal(&self, why: impl Into<ApiError>) -> HttpResponse {
        let mut answer = why.into().error_response();
        if answer.status() == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2, wants it said by which scheme.
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
        }
        self.signed(answer)
    }

    fn signed(&self, answer: HttpResponse) -> HttpResponse {
        let Some(keys) = &self.known.keys else { return nothing_here() };
        let (mut head, body) = answer.into_parts();
        let Ok(body) = body.try_into_bytes() else {
            return unsigned(ApiError::internal("an answer to a peer that is not there as a whole"));
        };
        let created_s = self.clock.wall_ms() / 1_000;
        for (name, value) in answer::sign(&self.request, keys, head.status().as_u16(), &body, created_s) {
            match HeaderValue::try_from(value) {
                Ok(value) => head.headers_mut().insert(HeaderName::from_static(name), value),
                Err(error) => return unsigned(ApiError::internal(error)),
            };
        }
        head.set_body(BoxBody::new(body))
    }
}

fn unsigned(why: impl Into<ApiError>) -> HttpResponse {
    why.into().error_response()
}

fn outsider(request: &SignedRequest) -> HttpResponse {
    tracing::debug!(caller = %request.caller(), to = %request.to(), "a call by an outsider");
    nothing_here()
}

fn read_head(http: &HttpRequest) -> Result<SignedRequest, PeerCallError> {
    let headers: Vec<_> =
        http.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let target = http.uri().path_and_query().map_or("/", |target| target.as_str());
    SignedRequest::read(http.method().as_str(), target, &headers)
}

/// A CAR, whatever its parameters say.
fn is_car(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(CONTENT_TYPE);
    let one = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
    let media = one.and_then(|value| value.split(';').next()).map(str::trim);
    match media.is_some_and(|media| media.eq_ignore_ascii_case(CAR)) {
        true => Ok(()),
        false => {
            let text = format!("Content-Type: must be {CAR}; JSON is not spoken here any more");
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", text))
        }
    }
}

#[cfg(test)]
mod tests;
