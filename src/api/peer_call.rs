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
use dta_crypto::VerifyingKeys;
use dta_protocol::car::{self, Block};
use dta_protocol::{CarError, Cid, Identity};

use super::App;
use super::error::ApiError;
use super::posted;
use crate::actors::crypto_pool::Priority;
use crate::actors::keyring::Known;
use crate::actors::peers::client::{BODY_BYTES_MAX, CAR};
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
    request: SignedRequest,
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
        self.here.refusal(&why.into())
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
    let has_body = *http.method() == Method::POST;
    if has_body {
        is_car(http.headers()).map_err(unsigned)?;
    }
    let request = read_head(http).map_err(unsigned)?;
    let known = services.known(&request.to()).await.map_err(unsigned)?;
    let known = known.filter(|known| known.keys.is_some()).ok_or_else(|| outsider(&request, "not hosted"))?;
    let here = Addressee { request, known, clock: services.clock.clone() };
    let caller = services.known(&here.request.caller()).await.map_err(unsigned)?;
    if let Some(caller) = &caller {
        here.admit(caller.document.verifying(), services)?;
    } else if !has_body {
        return Err(outsider(&here.request, "unknown caller"));
    }

    let room = services.incoming.room(caller.is_some()).ok_or_else(|| unsigned(Unavailable::Busy))?;
    let limit = if has_body { BODY_BYTES_MAX } else { 0 };
    let body = posted::read(payload, http.headers(), limit).await.map_err(unsigned)?;
    let (request, is_stranger) = (here.request.clone(), caller.is_none());
    let work = move || contain(|| Body::read(&request, &body, has_body, is_stranger));
    let body = services.crypto.run(Priority::Interactive, work).await;
    let body = body.map_err(|busy| unsigned(Unavailable::from(busy)))?;
    let body = body.map_err(|panicked| unsigned(ApiError::internal(panicked)))?;
    drop(room);

    let caller_is_known = caller.is_some();
    let (caller, body) = match (caller, body) {
        (Some(caller), body) => (caller.document.clone(), body),
        (None, Ok(Body { stranger: Some(stranger), car })) => {
            here.admit(stranger.verifying(), services)?;
            (*stranger, Ok(Body { stranger: None, car }))
        }
        (None, _) => return Err(outsider(&here.request, "a caller that is neither known nor brought along")),
    };
    let body = body.map_err(|why| here.refusal(&why))?;
    Ok(PeerCall { caller, caller_is_known, car: body.car, here })
}

/// What came as a body.
struct Body {
    /// The identity of the caller, if it had to come along.
    stranger: Option<Box<Identity>>,
    car: Option<Car>,
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
            return Ok(Self { stranger: None, car: None });
        }
        let (root, blocks) = car::decode(body).map_err(|error| not_a_car(&error))?;
        let named = || blocks.iter().find(|(cid, _)| *cid == request.caller());
        let identity = if is_stranger { named() } else { None };
        let stranger = identity.and_then(|(_, block)| Identity::decode(block).ok()).map(Box::new);
        Ok(Self { stranger, car: Some(Car { root, blocks }) })
    }
}

fn not_a_car(error: &CarError) -> ApiError {
    ApiError::invalid(error.code(), format!("body: {error}"))
}

impl Addressee {
    /// Lets a caller in whose keys these are: once, and in time.
    fn admit(&self, keys: &VerifyingKeys, services: &Services) -> Result<(), HttpResponse> {
        let verified = self.request.verify(keys, self.clock.wall_ms() / 1_000);
        match verified.and_then(|()| services.incoming.take(&self.request, &*self.clock)) {
            Ok(()) => Ok(()),
            Err(PeerCallError::Signature) => Err(outsider(&self.request, "a signature that does not verify")),
            Err(why) => Err(self.refusal(&why.into())),
        }
    }

    fn refusal(&self, why: &ApiError) -> HttpResponse {
        let mut answer = why.error_response();
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

fn outsider(request: &SignedRequest, why: &'static str) -> HttpResponse {
    tracing::debug!(caller = %request.caller(), to = %request.to(), why, "a call by an outsider");
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
