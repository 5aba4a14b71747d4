//! Clients that ask until they are answered, as they should: the same request under the same key, whoever goes down meanwhile.

use std::time::{Duration, Instant};

use reqwest::blocking::{Client as Http, RequestBuilder};
use serde_json::{Value, json};

use crate::kit::{Answer, pause};
use crate::wire::Address;

/// How long a client goes on.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A client of a node, wherever that listens.
#[derive(Clone)]
pub struct Client {
    address: Address,
    http: Http,
}

impl Client {
    pub fn of(address: Address) -> Self {
        // A connection that is kept may be to a node that is gone.
        let http = Http::builder().timeout(PATIENCE).pool_max_idle_per_host(0).build().unwrap();
        Self { address, http }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.answer(path, |http, url| http.get(url))
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.answer(path, |http, url| http.post(url).json(body))
    }

    /// A POST with an `Idempotency-Key`.
    pub fn post_under(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.answer(path, |http, url| http.post(url).json(body).header("Idempotency-Key", key))
    }

    /// An answer that is not "not now".
    fn answer(&self, path: &str, request: impl Fn(&Http, String) -> RequestBuilder) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.ask(path, &request, Answer::read);
            if answer.status != 503 {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{path}: {answer:?}");
            pause();
        }
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let read = |response: reqwest::blocking::Response| Ok(response.error_for_status()?.bytes()?.to_vec());
        self.ask(path, |http, url| http.get(url), read)
    }

    fn ask<T>(
        &self,
        path: &str,
        request: impl Fn(&Http, String) -> RequestBuilder,
        read: impl Fn(reqwest::blocking::Response) -> reqwest::Result<T>,
    ) -> T {
        let began = Instant::now();
        loop {
            let address = *self.address.lock().unwrap();
            if let Some(address) = address {
                let answer = request(&self.http, format!("http://{address}{path}")).send().and_then(&read);
                match answer {
                    Ok(answer) => return answer,
                    Err(error) => assert!(began.elapsed() < PATIENCE, "{path}: {error}"),
                }
            }
            assert!(began.elapsed() < PATIENCE, "{path}: the node is down");
            pause();
        }
    }
}

/// Who plays whom.
#[derive(Clone)]
pub struct Cast {
    pub principal: Client,
    pub fiduciary: Client,
    /// On whose node the beneficiary lives.
    pub host: Client,
    /// Whether they are three nodes.
    pub apart: bool,
    /// The beneficiary's node cannot be called and asks for what there is for it.
    pub collects: bool,
    /// The fiduciary destroys the seed in the end.
    pub shreds: bool,
}

/// What the clients were told.
pub struct Told {
    pub identity: Answer,
    pub placed: Answer,
    pub redeemed: Answer,
    /// The CID of the order.
    pub order: String,
    pub secret: String,
    /// The fiduciary has destroyed the seed.
    pub shredded: bool,
}

impl Cast {
    /// The whole job. Each answer counts: what one says, later ones say too.
    pub fn play(&self) -> Told {
        let identity = self.make_identity().is(200);
        let dave = identity.str("idDocumentCID");
        if self.apart {
            let document = hex::encode(self.host.bytes(&format!("/v1/identity/{dave}/document")));
            self.principal.post("/v1/peer", &json!({ "document": document, "url": null })).is(200);
        }
        let placed = until_done(|| self.place(), "orderReference");
        let reference = placed.str("orderReference");
        let redeemed = until_done(|| self.redeem(&reference, &dave), "orderReference");
        let order = self.principal.get(&format!("/v1/order/{reference}")).is(200).str("orderCID");
        if self.collects {
            self.collect(&order);
        }
        for node in self.nodes() {
            is_received(node, &order);
        }
        let secret = self.secret(&order, &dave);
        if self.shreds {
            self.fiduciary.post(&format!("/v1/order/{order}/shred"), &json!({})).is(200);
        }
        Told { identity, placed, redeemed, order, secret, shredded: self.shreds }
    }

    /// Asks everything again: the answers are the same.
    pub fn remembers(&self, told: &Told) {
        assert_eq!(self.make_identity(), told.identity);
        assert_eq!(self.place(), told.placed);
        let (reference, dave) = (told.placed.str("orderReference"), told.identity.str("idDocumentCID"));
        assert_eq!(self.redeem(&reference, &dave), told.redeemed);
        assert_eq!(self.secret(&told.order, &dave), told.secret);
    }

    pub fn nodes(&self) -> Vec<&Client> {
        let all = vec![&self.principal, &self.fiduciary, &self.host];
        if self.apart { all } else { vec![&self.principal] }
    }

    fn make_identity(&self) -> Answer {
        self.host.post_under("/v1/identity", &json!({ "name": "dave" }), "identity")
    }

    fn place(&self) -> Answer {
        self.principal.post_under("/v1/order", &json!({ "beneficiaryIDDocumentCID": "" }), "order")
    }

    fn redeem(&self, reference: &str, dave: &str) -> Answer {
        let body = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": dave });
        self.principal.post_under("/v1/order/secret", &body, "secret")
    }

    /// The secret, as the beneficiary's node gives it.
    fn secret(&self, order: &str, dave: &str) -> String {
        let body = json!({ "orderReference": order, "beneficiaryIDDocumentCID": dave });
        self.host.post("/v1/order/secret", &body).is(200).str("secret")
    }

    /// The beneficiary's node asks for what there is for it until it has the order.
    fn collect(&self, order: &str) {
        let began = Instant::now();
        while self.host.get(&format!("/v1/order/{order}")).status == 404 {
            assert!(began.elapsed() < PATIENCE, "{order} is not there to be collected");
            self.host.post("/v1/order/collect", &json!({})).is(200);
            pause();
        }
    }
}

/// Asks until the answer is final; each names the same order.
fn until_done(ask: impl Fn() -> Answer, names: &str) -> Answer {
    let (began, first) = (Instant::now(), ask());
    let mut answer = first;
    let name = answer.str(names);
    while answer.status == 202 {
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        pause();
        answer = ask();
        assert_eq!(answer.str(names), name);
    }
    answer.is(200)
}

/// Until a node has the order as received and waits for nothing.
fn is_received(node: &Client, order: &str) {
    let began = Instant::now();
    loop {
        let answer = node.get(&format!("/v1/order/{order}"));
        if answer.status == 200 && answer.str("state") == "Received" && answer.body["waiting"] == json!([]) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        pause();
    }
}
