//! A plugin that says no, panics, hangs, and has a route: what clients and the log see of it.

use std::rc::Rc;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use dta_plugins::{
    Answer, Ask, BitcoinWallet, Call, Extension, Final, Given, Order, Placing, Plugin, Private, Redeeming,
    Redemption, Refusal, Registry, RegistryError, Released, Reply,
};
use serde_json::{Value, json};

use super::kit::Node;

/// Does what an order's `extension.act` says.
struct Moody {
    held: Mutex<Receiver<()>>,
}

fn moody() -> (Registry, Sender<()>) {
    let (free, held) = channel();
    (Registry::shipped().with(Moody { held: Mutex::new(held) }).unwrap(), free)
}

impl Plugin for Moody {
    fn name(&self) -> &'static str {
        "moody"
    }

    fn about(&self) -> &'static str {
        "does what it is told"
    }

    fn place(&self, ask: &Ask<'_>, _: &mut Given<'_>) -> Result<Placing, Refusal> {
        match ask.extension.get("act").map(String::as_str) {
            Some("refuse") => Err(Refusal::new("extension.act: refuse is what it says")),
            Some("panic") => panic!("as it was told"),
            Some("hang") => {
                _ = self.held.lock().unwrap().recv();
                Ok(Placing::default())
            }
            _ => Ok(Placing { coin: 1, extension: (**ask.extension).clone() }),
        }
    }

    fn accept(&self, order: &Order) -> Result<(), Refusal> {
        let turned_down = order.extension.get("act").is_some_and(|act| act == "refuse-later");
        if turned_down { Err(Refusal::new("extension.act: the fiduciary's plugin says no")) } else { Ok(()) }
    }

    fn permit(&self, order: &Order, redemption: &Redemption<'_>) -> Result<(), Refusal> {
        let factor = redemption.extension.get("factor");
        if order.extension.get("factor") == factor { Ok(()) } else { Err(Refusal::missing("factor")) }
    }

    fn answer(&self, order: &Order, _: &Private, given: &mut Given<'_>) -> Result<Answer, Refusal> {
        let extension = [
            ("key".to_owned(), hex::encode(given.key.expose())),
            ("reference".to_owned(), order.reference.clone()),
        ];
        Ok(Answer { commitment: "00".to_owned(), extension: extension.into() })
    }

    fn serve(&self, call: &Call, _: &mut Given<'_>) -> Option<Reply> {
        let Call { method, path, query, body } = call;
        let body = String::from_utf8_lossy(body);
        let body = json!({ "method": method, "path": path, "query": query, "body": body }).to_string();
        (path != "none").then_some(Reply { status: if path == "odd" { 99 } else { 201 }, body })
    }
}

fn asks(act: &str) -> Value {
    json!({ "extension": { "act": act } })
}

#[actix_web::test]
async fn a_refusal_is_told_and_recorded() {
    let (plugins, _free) = moody();
    let node = Node::with_plugin(&plugins, "moody");
    let api = node.routes().await;
    assert_eq!(api.get("/v1/status").await.ok()["plugin"], "moody");
    for (act, words) in
        [("refuse", "plugin moody: extension.act: refuse is what"), ("refuse-later", "says no")]
    {
        let said = api.post("/v1/order", &asks(act)).await;
        assert_eq!(said.refused(words), (422, "plugin-refused".to_owned()));
        assert!(said.header("dta-sequence").is_some(), "it is in the log");
    }
    // Nothing was made.
    assert_eq!(api.get("/v1/order").await.ok()["orderReference"], json!([]));
    let placed = api.post("/v1/order", &json!({ "extension": { "factor": "7" } })).await.ok();
    assert_eq!(
        (&placed["commitment"], &placed["extension"]["reference"]),
        (&json!("00"), &placed["orderReference"])
    );
    let reference = placed["orderReference"].as_str().unwrap();
    let carol = api.identity("carol").await;
    let ask = |factor: &str| json!({ "orderReference": reference, "beneficiaryIDDocumentCID": carol, "extension": { "factor": factor } });
    let said = api.post("/v1/order/secret", &ask("6")).await;
    assert_eq!(said.refused("factor"), (422, "plugin-refused".to_owned()));
    let history = api.get(&format!("/v1/order/{reference}/history")).await.ok();
    let refused: Vec<_> =
        history["history"].as_array().unwrap().iter().filter(|entry| !entry["refused"].is_null()).collect();
    assert_eq!(refused.len(), 1, "{history}");
    api.post("/v1/order/secret", &ask("7")).await.ok();
}

#[actix_web::test]
async fn the_key_of_an_order_is_the_same_each_time_and_another_for_another_order() {
    let (plugins, _free) = moody();
    let node = Node::with_plugin(&plugins, "moody");
    let api = node.routes().await;
    let place = async |key: &'static str| {
        let request = super::kit::posted("/v1/order", asks("none").to_string());
        api.send(request.insert_header(("Idempotency-Key", key))).await.ok()["extension"]["key"].clone()
    };
    let first = place("one").await;
    assert_eq!(place("one").await, first);
    assert_ne!(place("two").await, first);
}

#[actix_web::test]
async fn a_panic_fails_that_command_alone() {
    let (plugins, _free) = moody();
    let node = Node::with_plugin(&plugins, "moody");
    let api = node.routes().await;
    for _ in 0..3 {
        let said = api.post("/v1/order", &asks("panic")).await;
        assert_eq!(
            said.refused("plugin moody: its hook place panicked"),
            (500, "plugin-panicked".to_owned())
        );
        api.post("/v1/order", &asks("none")).await.ok();
    }
}

#[actix_web::test]
async fn one_that_hangs_is_named_and_keeps_nobody_else_waiting() {
    let (plugins, free) = moody();
    let node = Node::with_plugin(&plugins, "moody");
    let api = Rc::new(node.routes().await);
    let hang = |_| {
        let (api, body) = (api.clone(), asks("hang"));
        actix_web::rt::spawn(async move { api.post("/v1/order", &body).await })
    };
    let hanging: Vec<_> = (0..16).map(hang).collect();
    for hanging in hanging {
        assert_eq!(
            hanging.await.unwrap().refused("its hook place took longer than 300 ms").1,
            "plugin-overran"
        );
    }
    // All its threads are taken: it is said at once.
    assert_eq!(api.post("/v1/order", &asks("none")).await.refused("16 others").1, "plugin-stuck");
    api.identity("carol").await;
    for _ in 0..16 {
        free.send(()).unwrap();
    }
    let mut placed = api.post("/v1/order", &asks("none")).await;
    while placed.status != 200 {
        assert_eq!(placed.json()["code"], "plugin-stuck");
        tokio::task::yield_now().await;
        placed = api.post("/v1/order", &asks("none")).await;
    }
}

#[actix_web::test]
async fn it_has_routes_of_its_own() {
    let (plugins, _free) = moody();
    let node = Node::with_plugin(&plugins, "moody");
    let api = node.routes().await;
    let said = api.get("/v1/ext/moody/some/where?a=1").await;
    assert_eq!(said.status, 201);
    assert_eq!(said.json(), json!({ "method": "GET", "path": "some/where", "query": "a=1", "body": "" }));
    assert_eq!(api.post("/v1/ext/moody/x", &json!({ "b": 2 })).await.json()["body"], r#"{"b":2}"#);
    for path in ["/v1/ext/moody/none", "/v1/ext/milagro/x", "/v1/ext/moody2/x"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
    assert_eq!(api.get("/v1/ext/moody/odd").await.status, 500);
    // A page elsewhere cannot call it.
    let request = super::kit::posted("/v1/ext/moody/x", "{}".to_owned())
        .insert_header(("Origin", "https://evil.example"));
    assert_eq!(api.send(request).await.status, 403);
}

/// `bitcoinwallet` with a principal that cheats: another share for the beneficiary than the one in the order.
struct OtherShare(BitcoinWallet);

impl Plugin for OtherShare {
    fn name(&self) -> &'static str {
        "bitcoinwallet"
    }

    fn about(&self) -> &'static str {
        "cheats"
    }

    fn place(&self, ask: &Ask<'_>, given: &mut Given<'_>) -> Result<Placing, Refusal> {
        self.0.place(ask, given)
    }

    fn accept(&self, order: &Order) -> Result<(), Refusal> {
        self.0.accept(order)
    }

    fn answer(&self, order: &Order, asked: &Private, given: &mut Given<'_>) -> Result<Answer, Refusal> {
        self.0.answer(order, asked, given)
    }

    fn redeem(&self, _: &Order, asked: &Private, _: &mut Given<'_>) -> Result<Redeeming, Refusal> {
        let data: Extension = asked.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
        Ok(Redeeming { extension: Extension::new(), data: Private::new(data) })
    }

    fn finish(&self, order: &Order, released: &Released<'_>) -> Result<Final, Refusal> {
        self.0.finish(order, released)
    }
}

#[actix_web::test]
async fn a_share_that_the_order_does_not_name_makes_no_wallet() {
    let plugins = Registry::empty().with(OtherShare(BitcoinWallet)).unwrap();
    let node = Node::with_plugin(&plugins, "bitcoinwallet");
    let api = node.routes().await;
    let carol = api.identity("carol").await;
    for (share, words) in [
        (json!({}), "extension.share: is missing"),
        (json!({ "share": "11".repeat(32) }), "is not the share that the order names"),
        (json!({ "share": "00".repeat(32) }), "extension.share"),
        (json!({ "share": "not hex" }), "64 hex digits"),
    ] {
        let placed = api.post("/v1/order", &json!({ "extension": { "coin": "0" } })).await.ok();
        let ask = json!({
            "orderReference": placed["orderReference"],
            "beneficiaryIDDocumentCID": carol,
            "extension": share,
        });
        let said = api.post("/v1/order/secret", &ask).await;
        assert_eq!(said.refused(words), (422, "plugin-refused".to_owned()));
        // The released half alone is nobody's wallet, and is not answered.
        assert!(said.json()["secret"].is_null());
    }
}

#[test]
fn a_registry_has_each_name_once() {
    struct Named(&'static str);
    impl Plugin for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn about(&self) -> &'static str {
            ""
        }
    }
    let names = |registry: &Registry| registry.names();
    assert_eq!(names(&Registry::shipped()), "bitcoinwallet, milagro, safeguardsecret");
    assert_eq!(Registry::shipped().with(Named("milagro")).err(), Some(RegistryError::Taken("milagro")));
    for name in ["", "Mine", "my plugin", "../mine", "a-name-of-more-than-thirty-two-bytes"] {
        assert_eq!(Registry::empty().with(Named(name)).err(), Some(RegistryError::Name(name)));
    }
    assert!(Registry::empty().with(Named("mine-2")).unwrap().get("mine-2").is_some());
}
