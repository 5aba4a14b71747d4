//! How a command asks a running node: over its API, like any client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::plain;
use crate::actors::peers::url::PeerUrl;
use crate::config::Config;
use crate::home::Home;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longer than a node lets an order wait for its fiduciary.
const TIMEOUT: Duration = Duration::from_secs(90);
/// In HTTP: it is accepted, and not finished.
const ACCEPTED_STATUS: u16 = 202;
/// The exit status of what is accepted and not finished.
pub(super) const ACCEPTED: u8 = 3;

/// Which node is asked.
#[derive(Debug, Args)]
pub struct AtNode {
    /// The node's API, as http://127.0.0.1:5556; else where the home's settings say that it listens
    #[arg(long, env = "DTA_NODE", value_name = "URL", global = true)]
    node: Option<String>,
}

/// The API of a node.
pub(super) struct Api {
    base: PeerUrl,
    client: Client,
}

/// An answer that is no refusal. It may hold a secret: it wipes itself, and is not shown.
pub(super) struct Answer {
    status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    code: String,
}

impl Api {
    pub(super) fn of(home: &Home, at: &AtNode) -> anyhow::Result<Self> {
        let base: PeerUrl = match &at.node {
            Some(url) => url.parse().context("--node")?,
            None => format!("http://{}", reachable(Config::read(home)?.http.listen)?).parse()?,
        };
        // A node on this machine is asked directly, whatever proxy is set for the world outside.
        let host = reqwest::Url::parse(base.as_str())?;
        let host = host.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let client =
            Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).redirect(Policy::none());
        let client = if local { client.no_proxy() } else { client };
        // A machine without certificate authorities can be asked without TLS; the library would refuse to start there.
        let client = if base.as_str().starts_with("http:") { client.tls_certs_only([]) } else { client };
        Ok(Self { base, client: client.build()? })
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(self.client.get(self.url(path)))
    }

    pub(super) fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(self.client.delete(self.url(path)))
    }

    /// A command; `key` is its idempotency key, if it is one that must not be done twice.
    pub(super) fn post(&self, path: &str, body: &Value, key: Option<&str>) -> anyhow::Result<Answer> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, "application/json");
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        self.ask(request.body(body.to_string()))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn ask(&self, request: RequestBuilder) -> anyhow::Result<Answer> {
        // What the library says of it names the URL again, and the cause last.
        let failed = || format!("no answer from {}", self.base);
        let answer = request.send().map_err(reqwest::Error::without_url).with_context(failed)?;
        let status = answer.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        answer.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut body).with_context(failed)?;
        if body.len() as u64 > ANSWER_BYTES_MAX {
            bail!("the answer of {} has more than {ANSWER_BYTES_MAX} bytes", self.base);
        }
        if status == 200 || status == ACCEPTED_STATUS {
            return Ok(Answer { status, body });
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { error, code }) => bail!("{} ({})", plain(&error), plain(&code)),
            Err(_) => bail!("{} answered with status {status}, and not as a node does", self.base),
        }
    }
}

impl Answer {
    /// What it says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).context("the answer is not what a node answers")
    }

    /// Whether what was asked is done, and not only accepted.
    pub(super) fn is_done(&self) -> bool {
        self.status == 200
    }

    /// The exit status that goes with it.
    pub(super) fn exit(&self) -> ExitCode {
        if self.is_done() { ExitCode::SUCCESS } else { ExitCode::from(ACCEPTED) }
    }

    /// Prints it as it came, on a line of its own.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(&self.body)?;
        Ok(out.write_all(b"\n")?)
    }
}

/// An address to call, of one to listen at.
fn reachable(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    if listen.port() == 0 {
        bail!(
            "http.listen has port 0 in the settings, which is any free one: say where the node is by --node"
        );
    }
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_called_where_it_listens() {
        for (listen, called) in [
            ("127.0.0.1:5556", Some("127.0.0.1:5556")),
            ("0.0.0.0:7", Some("127.0.0.1:7")),
            ("[::]:7", Some("[::1]:7")),
            ("10.0.0.7:80", Some("10.0.0.7:80")),
            ("127.0.0.1:0", None),
        ] {
            let address = reachable(listen.parse().unwrap()).ok();
            assert_eq!(address, called.map(|called| called.parse().unwrap()), "{listen}");
        }
    }
}
