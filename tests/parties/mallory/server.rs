//! A node of hers: an HTTP server that answers signed calls as she likes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use dta_protocol::car::{self, Block};
use dta_protocol::{Cid, Envelope};
use milagro_dta::actors::peers::{SignedRequest, answer};

use super::{Mallory, envelope_in, now_ms};

/// What she says to a step.
pub enum Reply {
    /// The root and the blocks of a CAR.
    Steps(Cid, Vec<Block>),
    /// A signed refusal: its status and code.
    No(u16, &'static str),
}

impl From<(Cid, Vec<Block>)> for Reply {
    fn from((root, blocks): (Cid, Vec<Block>)) -> Self {
        Reply::Steps(root, blocks)
    }
}

/// What she makes of a step; none: she hangs up.
pub type Answers = dyn Fn(&str, Envelope, Vec<Block>) -> Option<Reply> + Send + Sync;

/// Serves until the tests end; answers her URL.
pub fn serve(mallory: Arc<Mallory>, answers: Arc<Answers>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mallory, answers) = (mallory.clone(), answers.clone());
            std::thread::spawn(move || answer_one(&mallory, &*answers, stream.unwrap()));
        }
    });
    url
}

/// One call a connection.
fn answer_one(mallory: &Mallory, answers: &Answers, stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut first = lines.first()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let length = headers.iter().find(|(name, _)| *name == "content-length")?.1;
    let mut body = vec![0; std::str::from_utf8(length).ok()?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let request = SignedRequest::read(&method, &target, &headers).unwrap();
    request.check_body(&body).unwrap();
    let (root, blocks) = car::decode(&body).unwrap();
    let (status, body) = match answers(&target, envelope_in(&blocks, root), blocks)? {
        Reply::Steps(root, blocks) => {
            let blocks = blocks.iter().map(|(cid, block)| (*cid, block.as_slice()));
            (200, car::encode(root, blocks).unwrap())
        }
        Reply::No(status, code) => {
            (status, serde_json::json!({ "error": "no", "code": code }).to_string().into_bytes())
        }
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in answer::sign(&request, &mallory.keys, status, &body, now_ms() / 1_000) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = stream;
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(&body).ok()
}
