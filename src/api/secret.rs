//! Redemption: `POST /v1/order/secret`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use dta_plugins::Private;
use dta_protocol::Extension;
use serde::Serialize;
use zeroize::Zeroizing;

use super::App;
use super::error::ApiError;
use super::posted::Posted;
use crate::actors::orders::{Redeem, Redeemed};

/// Digits of a secret in hex.
const SECRET_DIGITS: usize = 64;

/// What goes with the secret. No Debug: a plugin's extension may be the plain text that the order protects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    commitment: &'a str,
    order_reference: &'a str,
    extension: &'a Extension,
}

/// `POST /v1/order/secret`: the secret, or an empty one if its beneficiary is not hosted here. The same request again has
/// the same answer, made anew: no answer with a secret is kept.
pub(super) async fn redeem(app: web::Data<App>, posted: Posted) -> Result<HttpResponse, ApiError> {
    let Posted { mut fields, caller } = posted;
    let name = fields.required("orderReference")?;
    let beneficiary = fields.cid("beneficiaryIDDocumentCID")?;
    let extension = Arc::new(Private::new(fields.texts("extension")?));
    let asked = extension.clone();
    let order = app.desk.find(&name)?.ok_or_else(ApiError::no_order)?;
    let redeem = Redeem { order, beneficiary, extension };
    let mut redeemed = app.settled(app.desk.redeem(redeem, caller.clone()).await).await?;
    if !redeemed.released {
        let before = redeemed.sequence;
        app.brought(order.aggregate).await?;
        redeemed = app.settled(app.desk.redeemed(order, asked, caller, before).await).await?;
    }
    let body = body_of(&redeemed).map_err(ApiError::internal)?;
    let status = if redeemed.released { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut answer = app.answer(status, redeemed.sequence).await;
    // The bytes are wiped when the server has written them; what the system buffers of a socket is out of reach.
    Ok(answer.content_type(ContentType::json()).body(web::Bytes::from_owner(body)))
}

/// The answer in JSON, in buffers that wipe themselves and are never grown, which would leave a copy behind.
fn body_of(redeemed: &Redeemed) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    let rest = Answer {
        commitment: &redeemed.commitment,
        order_reference: &redeemed.reference,
        extension: &redeemed.extension,
    };
    let mut length = Length(0);
    serde_json::to_writer(&mut length, &rest)?;
    let opening = br#"{"secret":""#;
    let mut body = Zeroizing::new(Vec::with_capacity(opening.len() + SECRET_DIGITS + 2 + length.0));
    body.extend_from_slice(opening);
    if let Some(key) = &redeemed.secret {
        let from = body.len();
        body.resize(from + SECRET_DIGITS, b'0');
        // The room is exactly that of 32 bytes, so this cannot fail.
        let _ = hex::encode_to_slice(key.secret().expose(), body.get_mut(from..).unwrap_or_default());
    }
    body.extend_from_slice(br#"","#);
    // The other fields follow, without their opening brace.
    let mut rest_of = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *rest_of, &rest)?;
    body.extend_from_slice(rest_of.get(1..).unwrap_or_default());
    Ok(body)
}

/// Counts what is written to it.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dta_crypto::{OrderKey, Secret};
    use serde_json::{Value, json};

    use super::*;

    fn redeemed(secret: Option<Arc<OrderKey>>) -> Redeemed {
        let extension =
            [("plainText".to_owned(), "\"quoted\"\n✓".to_owned()), ("".to_owned(), "".to_owned())];
        Redeemed {
            reference: "018b2f19-e79e-7d6a-a56d-29feb6211b04".to_owned(),
            commitment: "04".repeat(65),
            secret,
            extension: Private::new(extension.into()),
            released: true,
            sequence: None,
        }
    }

    #[test]
    fn the_answer_is_json_and_fits_the_room_made_for_it() {
        let key = Arc::new(OrderKey::from_secret(Secret::from_bytes([0x0a; 32])).unwrap());
        for (secret, digits) in [(Some(key), "0a".repeat(32)), (None, String::new())] {
            let body = body_of(&redeemed(secret)).unwrap();
            let expected = json!({
                "secret": digits,
                "commitment": "04".repeat(65),
                "orderReference": "018b2f19-e79e-7d6a-a56d-29feb6211b04",
                "extension": { "plainText": "\"quoted\"\n✓", "": "" },
            });
            assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
            assert!(body.len() <= body.capacity());
            let room = 11 + SECRET_DIGITS + 2 + body.len();
            assert!(body.capacity() <= room, "it was made at once: {} of {room}", body.capacity());
        }
    }
}
