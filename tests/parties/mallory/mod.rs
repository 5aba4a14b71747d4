//! Mallory: an identity whose keys the test has. She signs what she likes, calls nodes, and serves.

mod at_once;
mod chance;
mod fiduciary;
mod forge;
mod forgets;
mod notes;
mod principal;
mod refusal;
mod review;
mod server;
mod stranger;
mod wallet;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use dta_crypto::{Entropy as _, IdentityKeys, Secret};
use dta_protocol::car::Block;
use dta_protocol::{Cid, Envelope, Identity, car};
use milagro_dta::actors::peers::{SignedRequest, answer, request::Draft};
use milagro_dta::ports::OsEntropy;

use crate::world::Party;

pub const ORDER: &str = "/v1/fulfill/order";
pub const SECRET: &str = "/v1/fulfill/order/secret";
pub const STEP: &str = "/v1/fulfill/order/step";
pub const DELIVERIES: &str = "/v1/fulfill/order/deliveries";
const CAR: &str = "content-type: application/vnd.ipld.car";

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsEntropy.fill(&mut bytes);
    bytes
}

pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// She, or another whose keys the test has.
pub struct Mallory {
    pub keys: IdentityKeys,
    pub identity: Identity,
}

/// A whole request, to be sent as it is.
#[derive(Clone)]
pub struct Call {
    pub signed: SignedRequest,
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

/// What came back.
pub struct Heard {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Mallory {
    pub fn new(name: &str) -> Self {
        let keys = IdentityKeys::from_seed(&Secret::from_bytes(random()));
        let identity = Identity::create(&keys, name, None, None, now_ms()).unwrap();
        Self { keys, identity }
    }

    pub fn cid(&self) -> Cid {
        self.identity.cid()
    }

    pub fn document(&self) -> String {
        hex::encode(self.identity.envelope().block())
    }

    pub fn block(&self) -> Block {
        block_of(&self.identity)
    }

    /// A request that is signed as it should be.
    pub fn request(&self, method: &str, target: &str, to: &Cid, body: &[u8]) -> Call {
        let created_s = now_ms() / 1_000;
        let draft = Draft { method, target, body, from: self.cid(), to: *to, created_s, nonce: random() };
        let signed = SignedRequest::sign(draft, &self.keys);
        let mut head = vec![
            format!("{method} {target} HTTP/1.1"),
            "host: localhost".to_owned(),
            "connection: close".to_owned(),
            format!("content-length: {}", body.len()),
        ];
        head.extend((method == "POST").then(|| CAR.to_owned()));
        head.extend(signed.headers().map(|(name, value)| format!("{name}: {value}")));
        Call { signed, head, body: body.to_vec() }
    }

    /// Sends steps, the root first among the blocks, to the identity of a node.
    pub fn post(&self, to: &Party, target: &str, root: Cid, blocks: &[Block]) -> Heard {
        let blocks = blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
        let call = self.request("POST", target, &identity_of(to).cid(), &car::encode(root, blocks).unwrap());
        call.send_to(to)
    }
}

/// A node's own identity.
pub fn identity_of(party: &Party) -> Identity {
    Identity::decode(&hex::decode(party.document(&party.cid)).unwrap()).unwrap()
}

pub fn block_of(identity: &Identity) -> Block {
    (identity.cid(), identity.envelope().block().to_vec())
}

impl Call {
    /// With its content type changed.
    pub fn with_type(mut self, media: &str) -> Self {
        self.head
            .iter_mut()
            .filter(|line| **line == CAR)
            .for_each(|line| *line = format!("content-type: {media}"));
        self
    }

    pub fn send_to(&self, party: &Party) -> Heard {
        let heard = self.send(party.address.lock().unwrap().unwrap());
        // What a node signs must be right.
        if heard.header("signature").is_some() {
            let headers: Vec<_> =
                heard.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let to = identity_of(party);
            answer::verify(&self.signed, to.verifying(), heard.status, &headers, &heard.body).unwrap();
        }
        heard
    }

    fn send(&self, to: SocketAddr) -> Heard {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(format!("{}\r\n\r\n", self.head.join("\r\n")).as_bytes()).unwrap();
        stream.write_all(&self.body).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let (status, headers) = head.split_once("\r\n").unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Heard {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.split("\r\n").map(header).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of it but the time.
    pub fn timeless(&self) -> String {
        let headers: Vec<_> = self.headers.iter().filter(|(name, _)| name != "date").collect();
        format!("{} {headers:?} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Must be a signed refusal.
    pub fn refuses(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.timeless());
        assert!(self.header("signature").is_some(), "a refusal is signed: {}", self.timeless());
    }

    /// Must be steps: the newest, and all blocks.
    pub fn steps(&self) -> (Envelope, Vec<Block>) {
        assert_eq!(self.status, 200, "{}", self.timeless());
        let (root, blocks) = car::decode(&self.body).unwrap();
        (envelope_in(&blocks, root), blocks)
    }
}

pub fn envelope_in(blocks: &[Block], cid: Cid) -> Envelope {
    let (_, block) = blocks.iter().find(|(known, _)| *known == cid).unwrap();
    Envelope::decode(block).unwrap()
}
