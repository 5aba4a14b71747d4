//! Bob's node behind a listener, Alice's keys and client, and a proxy on the way that may change what it passes on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, HttpServer, web};
use dta_crypto::{IdentityKeys, Secret};
use dta_protocol::{Identity, car};

use crate::actors::keyring::Known;
use crate::actors::peers::request::Draft;
use crate::actors::peers::{PeerAnswer, PeerClient, PeerError, PeerUrl, SignedRequest};
use crate::api::peer_call::PeerCall;
use crate::api::tests::kit::{Hands, Node, START_MS};
use crate::api::{ApiError, HttpSettings};
use crate::ports::{Clock, OsEntropy};

/// A route that answers what it was sent; to a GET it answers the identity it is for.
pub const ECHO: &str = "/v1/fulfill/echo";
/// A route that says no.
pub const REFUSE: &str = "/v1/fulfill/refuse";

async fn echo(call: PeerCall) -> HttpResponse {
    let name = if call.caller_is_known { call.caller.name().to_owned() } else { "a stranger".to_owned() };
    let mut answer = match &call.car {
        Some(sent) => {
            let blocks = sent.blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
            call.answer(StatusCode::OK, car::encode(sent.root, blocks).unwrap())
        }
        None => call.answer(StatusCode::ACCEPTED, car_of(&call.to().document)),
    };
    answer.headers_mut().insert("seen-as".parse().unwrap(), name.parse().unwrap());
    answer
}

async fn refuse(call: PeerCall) -> HttpResponse {
    call.refuse(ApiError::new(StatusCode::CONFLICT, "out-of-state", "the order is released"))
}

/// A CAR with an identity and, as the root, itself.
pub fn car_of(identity: &Identity) -> Vec<u8> {
    car::encode(identity.cid(), [(identity.cid(), identity.envelope().block())]).unwrap()
}

/// A party whose keys are here, from a seed of 32 such bytes.
pub fn party(name: &str, seed: u8) -> Known {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([seed; 32]));
    let document = Identity::create(&keys, name, None, None, START_MS).unwrap();
    Known { document, keys: Some(keys) }
}

/// Bob's node, which serves; Alice, whom it knows; Mallory, whom it does not.
pub struct World {
    pub node: Node,
    pub address: SocketAddr,
    pub url: PeerUrl,
    pub bob: Identity,
    pub alice: Known,
    pub mallory: Known,
    /// Alice's clock.
    pub clock: Arc<Hands>,
    pub client: PeerClient,
    handle: ServerHandle,
}

impl World {
    pub async fn start() -> Self {
        let node = Node::start(HttpSettings::default());
        let (alice, mallory) = (party("alice", 1), party("mallory", 2));
        node.learn(&alice.document).await;
        let services = &node.app.services;
        let bob = services.known(&node.identity).await.unwrap().unwrap().document.clone();
        let app = node.app.clone();
        let server = HttpServer::new(move || {
            let echo = || web::resource(ECHO).route(web::get().to(echo)).route(web::post().to(echo));
            let refuse = web::resource(REFUSE).route(web::post().to(refuse));
            actix_web::App::new().app_data(app.clone()).service(echo()).service(refuse)
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0];
        let server: Server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let clock = Arc::new(Hands::at(START_MS));
        let client = PeerClient::new(clock.clone(), Box::new(OsEntropy)).unwrap();
        Self { node, address, url: url(address), bob, alice, mallory, clock, client, handle }
    }

    /// Alice sends her identity.
    pub async fn post(&self) -> Result<PeerAnswer, PeerError> {
        self.post_by(&self.url).await
    }

    /// The same by another way.
    pub async fn post_by(&self, url: &PeerUrl) -> Result<PeerAnswer, PeerError> {
        self.client.post(url, ECHO, &self.alice, &self.bob, car_of(&self.alice.document)).await
    }

    /// The same over a proxy that changes the first of these words into the second, in requests and answers.
    pub async fn post_changed(&self, from: &str, to: &str) -> Result<PeerAnswer, PeerError> {
        let proxy = Proxy::start(self.address, change(from, to));
        let answer = self.post_by(&proxy.url).await;
        assert!(proxy.changed.load(Ordering::Relaxed) > 0, "{from:?} did not come by");
        answer
    }

    /// What Alice would sign now.
    pub fn draft<'a>(&self, method: &'a str, body: &'a [u8], nonce: u8) -> Draft<'a> {
        Draft {
            method,
            target: ECHO,
            body,
            from: self.alice.cid(),
            to: self.bob.cid(),
            created_s: self.clock.wall_ms() / 1_000,
            nonce: [nonce; 16],
        }
    }

    /// A request as bytes.
    pub fn signed(&self, draft: Draft, by: &Known) -> Raw {
        let signed = SignedRequest::sign(draft, by.keys.as_ref().unwrap());
        let mut head = vec![format!("{} {} HTTP/1.1", draft.method, draft.target), "host: bob".into()];
        if draft.method == "POST" {
            head.push("content-type: application/vnd.ipld.car".into());
        }
        head.push(format!("content-length: {}", draft.body.len()));
        head.extend(signed.headers().map(|(name, value)| format!("{name}: {value}")));
        Raw { head, body: draft.body.to_vec() }
    }

    /// Sends bytes and answers what comes back.
    pub async fn send(&self, raw: &Raw) -> Raw {
        let (address, bytes) = (self.address, raw.bytes());
        web::block(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&bytes).unwrap();
            Raw::read(&mut stream).unwrap()
        })
        .await
        .unwrap()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

pub fn url(address: SocketAddr) -> PeerUrl {
    format!("http://{address}").parse().unwrap()
}

/// A message of HTTP/1.1.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Its first line and its headers.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.join("\r\n").into_bytes();
        bytes.extend(b"\r\n\r\n");
        bytes.extend(&self.body);
        bytes
    }

    /// None if the other side has closed.
    pub fn read(stream: &mut TcpStream) -> Option<Self> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let head: Vec<String> = head.trim_end().split("\r\n").map(str::to_owned).collect();
        let raw = Self { head, body: Vec::new() };
        let mut body = vec![0; raw.header("content-length").map_or(0, |length| length.parse().unwrap())];
        stream.read_exact(&mut body).ok()?;
        Some(Self { body, ..raw })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.iter().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Status and code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        (self.status(), json["code"].as_str().unwrap_or_default().to_owned())
    }

    pub fn status(&self) -> u16 {
        self.head[0].split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn is_signed(&self) -> bool {
        self.header("signature").is_some()
    }

    /// Without the time, which differs.
    pub fn timeless(mut self) -> Vec<u8> {
        self.head.retain(|line| !line.to_ascii_lowercase().starts_with("date: "));
        self.bytes()
    }
}

/// Changes a message; says whether it did.
pub type Change = Box<dyn Fn(&mut Raw) -> bool + Send>;

/// Replaces words in the head, and in a body that is text.
pub fn change(from: &str, to: &str) -> Change {
    let (from, to) = (from.to_owned(), to.to_owned());
    Box::new(move |raw| {
        let before = raw.bytes();
        for line in &mut raw.head {
            *line = line.replace(&from, &to);
        }
        raw.bytes() != before
    })
}

/// Somebody on the way.
pub struct Proxy {
    pub url: PeerUrl,
    /// How many messages it changed.
    pub changed: Arc<AtomicUsize>,
    /// What it passed on, in order: requests and answers.
    pub passed: Arc<Mutex<Vec<Raw>>>,
}

impl Proxy {
    pub fn start(to: SocketAddr, change: Change) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = url(listener.local_addr().unwrap());
        let (changed, passed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, kept) = (changed.clone(), passed.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (mut client, mut server) = (client.unwrap(), TcpStream::connect(to).unwrap());
                let pass = |from: &mut TcpStream, to: &mut TcpStream| -> Option<()> {
                    let mut raw = Raw::read(from)?;
                    counted.fetch_add(usize::from(change(&mut raw)), Ordering::Relaxed);
                    let bytes = raw.bytes();
                    kept.lock().unwrap().push(raw);
                    to.write_all(&bytes).ok()
                };
                while pass(&mut client, &mut server).is_some() && pass(&mut server, &mut client).is_some() {}
            }
        });
        Self { url, changed, passed }
    }
}
