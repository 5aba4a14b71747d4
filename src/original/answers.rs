//! What the original answered its clients: they have each order's commitment, its home has none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// Why a file holds no answers.
#[derive(Debug, Error)]
pub enum AnswersError {
    /// Not JSON.
    #[error("is not JSON, or breaks off: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of another form.
    #[error("entry {0}: no answer to POST /v1/order, which has orderReference and commitment")]
    Form(usize),
    /// No public key.
    #[error("order {0}: its commitment is not 33 or 65 bytes in hex")]
    Commitment(String),
    /// Two that disagree.
    #[error("order {0}: there are two answers with different commitments")]
    Twice(String),
}

/// What a client was answered about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The commitment: a point in SEC1 form, compressed if the plugin was `bitcoinwallet`.
    pub commitment: Vec<u8>,
    /// The beneficiary that the client named.
    pub beneficiary: Option<String>,
    /// The coin: 0 for the main net, 1 for the test net.
    pub coin: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    order_reference: String,
    commitment: String,
    #[serde(rename = "beneficiaryIDDocumentCID", default)]
    beneficiary: String,
    #[serde(default)]
    extension: Option<BTreeMap<String, String>>,
}

/// Reads answers to `POST /v1/order`, one after the other or in an array; `beneficiaryIDDocumentCID` and `coin` in `extension` may be
/// added from the requests.
///
/// # Errors
/// See [`AnswersError`]; nothing is used of a file in which anything is wrong.
pub fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Answer>, AnswersError> {
    let mut answers = BTreeMap::new();
    let mut at = 0;
    for value in serde_json::Deserializer::from_slice(bytes).into_iter() {
        let values = match value? {
            Value::Array(values) => values,
            one => vec![one],
        };
        for value in values {
            at += 1;
            let Raw { order_reference: reference, commitment, beneficiary, extension } =
                serde_json::from_value(value).map_err(|_| AnswersError::Form(at))?;
            let commitment = match hex::decode(&commitment) {
                Ok(bytes) if bytes.len() == 33 || bytes.len() == 65 => bytes,
                _ => return Err(AnswersError::Commitment(reference)),
            };
            let coin = extension.and_then(|mut extension| extension.remove("coin"));
            let beneficiary = Some(beneficiary).filter(|cid| !cid.is_empty());
            let answer = Answer { commitment, beneficiary, coin };
            match answers.get(&reference) {
                Some(Answer { commitment, .. }) if *commitment != answer.commitment => {
                    return Err(AnswersError::Twice(reference));
                }
                _ => answers.insert(reference, answer),
            };
        }
    }
    Ok(answers)
}
