//! What a node says of the copies that it holds: its answer to `GET /v1/mirror`. Nothing but its word.

use serde::Deserialize;
use thiserror::Error;

use crate::actors::peers::{PeerClient, PeerError, PeerUrl};

/// Bytes of an answer.
const BYTES_MAX: usize = 1 << 20;

/// The answer; of each copy only what others go by.
#[derive(Debug, Deserialize)]
pub struct Said {
    /// Where its IPFS node is reached.
    #[serde(default)]
    pub ipfs: Vec<String>,
    /// Whose chains it copies.
    pub following: Vec<Copy>,
}

/// One copy.
#[derive(Debug, Deserialize)]
pub struct Copy {
    /// The CID of the identity whose log it is.
    #[serde(rename = "idDocumentCID")]
    pub identity: String,
    /// The CID of the newest checkpoint that is held whole, with all before it.
    #[serde(rename = "checkpointCID")]
    pub checkpoint: Option<String>,
}

/// Why it says nothing.
#[derive(Debug, Error)]
pub enum SaidError {
    /// It did not answer.
    #[error("what it holds: {0}")]
    Peer(#[from] PeerError),
    /// It answered something else.
    #[error("what it holds: it answers with status {0}, or not as a node does")]
    NoAnswer(u16),
}

impl Said {
    /// Asks the node at this address.
    ///
    /// # Errors
    /// See [`SaidError`].
    pub async fn ask(client: &PeerClient, url: &PeerUrl) -> Result<Self, SaidError> {
        let (status, body) = client.fetch(url, "/v1/mirror", BYTES_MAX).await?;
        let said = serde_json::from_slice(&body).ok().filter(|_| status == 200);
        said.ok_or(SaidError::NoAnswer(status))
    }
}
