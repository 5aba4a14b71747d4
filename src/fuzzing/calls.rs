//! What other nodes send: steps of an order, the heads of signed calls, answers, and where peers serve.

use std::collections::HashMap;
use std::sync::LazyLock;

use dta_protocol::{Cid, Identity, car};
use serde_json::Value;

use crate::actors::orders::Arrival;
use crate::actors::peers::url::URL_BYTES_MAX;
use crate::actors::peers::{PeerUrl, SignedRequest, answer};

static PROTOCOL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../tests/vectors/protocol.json")).unwrap());
static CALLS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../tests/vectors/peer-calls.json")).unwrap());

static PARTIES: LazyLock<HashMap<Cid, Identity>> = LazyLock::new(|| {
    let blocks = PROTOCOL["identities"].as_array().unwrap().iter();
    let identity = |one: &Value| {
        let block = hex::decode(one["block"].as_str().unwrap()).unwrap();
        let identity = Identity::decode(&block).unwrap();
        (identity.cid(), identity)
    };
    blocks.map(identity).collect()
});

/// A CAR of steps: each answers the one before, all are of one order, and each is what its CID says.
pub fn arrival(bytes: &[u8]) {
    let Ok((root, blocks)) = car::decode(bytes) else { return };
    let from = PARTIES.values().next().unwrap().clone();
    let to = from.cid();
    let Ok(arrival) = Arrival::read(from, to, root, blocks.into_iter().collect()) else { return };
    assert_eq!(arrival.steps.last().unwrap().cid(), root);
    for two in arrival.steps.windows(2) {
        assert_eq!(two[1].statement().previous, Some(two[0].cid()));
        assert_eq!(two[1].statement().subject, two[0].statement().subject);
    }
    assert!(arrival.steps.iter().all(|step| step.statement().kind.is_order()));
}

/// Each step of the order and all that came before it.
pub fn arrivals() -> Vec<Vec<u8>> {
    let (_, blocks) = car::decode(include_bytes!("../../tests/vectors/order.car")).unwrap();
    let steps = PROTOCOL["steps"].as_array().unwrap().iter();
    let roots = steps.map(|step| step["cid"].as_str().unwrap().parse().unwrap());
    let under = |root: Cid| car::encode(root, blocks.iter().map(|(cid, block)| (*cid, &block[..]))).unwrap();
    roots.map(under).collect()
}

/// A first line, headers one a line, an empty line, a body.
struct Message<'a> {
    first: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap_or(bytes.len());
        let (head, body) = bytes.split_at(end);
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let header = |line: &'a [u8]| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])))
        };
        Some(Self {
            first,
            headers: lines.filter_map(header).collect(),
            body: body.get(2..).unwrap_or_default(),
        })
    }

    fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

fn written(first: String, message: &Value) -> Vec<u8> {
    let headers = message["headers"].as_array().unwrap().iter();
    let headers = headers.map(|one| format!("{}: {}", one[0].as_str().unwrap(), one[1].as_str().unwrap()));
    let lines: Vec<_> = std::iter::once(first).chain(headers).collect();
    format!("{}\n\n{}", lines.join("\n"), message["body"].as_str().unwrap()).into_bytes()
}

fn messages(kind: &str, lists: &[&str]) -> Vec<&'static Value> {
    let all = lists.iter().flat_map(|list| CALLS[*list].as_array().unwrap());
    all.filter(|message| message["kind"] == kind).collect()
}

/// The head of a call, as it is written in one way only; and what verifies is what a party has signed.
pub fn request(bytes: &[u8]) {
    let Some(message) = Message::read(bytes) else { return };
    let Some((method, target)) = message.first.split_once(' ') else { return };
    let Ok(request) = SignedRequest::read(method, target, &message.headers) else { return };
    assert!(target.len() <= 2_048);
    for (name, value) in request.headers() {
        let came = message.header(name).unwrap();
        // Components and parameters come in any order; the rest has one spelling.
        let same =
            if name == "signature-input" { came.len() == value.len() } else { came == value.as_bytes() };
        assert!(same, "{name}");
    }
    let Some(caller) = PARTIES.get(&request.caller()) else { return };
    if request.verify(caller.verifying(), request.created_s()).is_ok() {
        let signature = message.header("signature").unwrap();
        let known = messages("request", &["valid", "invalid"]);
        let signed = |one: &&Value| {
            one["headers"].to_string().as_bytes().windows(signature.len()).any(|window| window == signature)
        };
        assert!(known.iter().any(signed), "a forgery is believed");
        let _ = request.check_body(message.body);
    }
}

pub fn requests() -> Vec<Vec<u8>> {
    let line =
        |one: &Value| format!("{} {}", one["method"].as_str().unwrap(), one["target"].as_str().unwrap());
    messages("request", &["valid"]).into_iter().map(|one| written(line(one), one)).collect()
}

/// The status, and the rest as above: only the answers that bob gave to this call are believed.
pub fn answer(bytes: &[u8]) {
    static POST: LazyLock<SignedRequest> = LazyLock::new(|| {
        let post = requests().remove(0);
        let message = Message::read(&post).unwrap();
        let (method, target) = message.first.split_once(' ').unwrap();
        SignedRequest::read(method, target, &message.headers).unwrap()
    });
    let Some(message) = Message::read(bytes) else { return };
    let Ok(status) = message.first.parse() else { return };
    let bob = PARTIES[&POST.to()].verifying();
    if answer::verify(&POST, bob, status, &message.headers, message.body).is_ok() {
        let known = messages("answer", &["valid"]);
        let same = |one: &&Value| {
            one["status"] == status && one["body"].as_str().unwrap().as_bytes() == message.body
        };
        assert!(known.iter().any(same), "a forgery is believed");
    }
}

pub fn answers() -> Vec<Vec<u8>> {
    let all = messages("answer", &["valid"]).into_iter();
    all.map(|one| written(one["status"].to_string(), one)).collect()
}

/// A URL is read from its normal form as it was.
pub fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(url) = text.parse::<PeerUrl>() {
        assert!(url.as_str().len() <= URL_BYTES_MAX && !url.as_str().ends_with('/'));
        assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(url.as_str().parse::<PeerUrl>().as_ref(), Ok(&url));
    }
}

pub fn urls() -> Vec<Vec<u8>> {
    let all = [
        "http://bob.example:5557",
        "https://bob.example/dta/",
        "http://[::1]:80/a/b",
        "http://127.0.0.1:65535",
        "https://xn--bcher-kva.example/%41/../b",
        "http://user@host/",
        "http://host?query#fragment",
    ];
    all.map(|text| text.as_bytes().to_vec()).into()
}
