//! The commands that ask a running node: `dta peer`, `dta identity export`, `dta order`, on real processes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod kit;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use kit::{Home, Node, public_key_of, text};
use serde_json::{Value, json};

/// A command's exit status, standard output and standard error.
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Said {
    /// The rest of the line that begins with this word.
    fn line(&self, word: &str) -> String {
        let rest = self.out.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        rest.unwrap_or_else(|| panic!("no {word} in {:?}, {:?}", self.out, self.err)).to_owned()
    }

    fn is(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{:?}, {:?}", self.out, self.err);
        self
    }
}

fn at(home: &Home, url: &str, arguments: &[&str]) -> Said {
    let output = home.command(arguments).env("DTA_NODE", url).output().unwrap();
    Said { status: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn dta(home: &Home, node: &Node, arguments: &[&str]) -> Said {
    at(home, &node.url, arguments)
}

/// A node that gives each request the next of these answers, and what it was sent. For what one node alone never says.
fn canned(answers: Vec<(u16, Value)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let serve = |(status, body): (u16, Value)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            // The body is there when its announced length is.
            loop {
                let mut chunk = [0; 4_096];
                let read = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
                let so_far = text(&request).to_lowercase();
                let Some((head, rest)) = so_far.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if rest.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            let body = body.to_string();
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).unwrap();
            text(&request)
        };
        answers.into_iter().map(serve).collect()
    });
    (url, served)
}

#[test]
fn an_identity_goes_from_node_to_node_and_is_pinned() {
    let (home, other) = (Home::initialised(), Home::initialised());
    let (node, bob) = (home.start(), other.start());
    let file = other.path().join("bob.id");
    let file = file.to_str().unwrap();
    let exported = dta(&other, &bob, &["identity", "export", "-o", file]).is(0);
    assert_eq!(exported.out.trim(), bob.cid());
    assert!(dta(&other, &bob, &["identity", "export", "-o", file]).is(1).err.contains("exists"));
    let pinned = dta(&home, &node, &["peer", "pin", file, "--url", "http://127.0.0.1:7/"]).is(0);
    assert_eq!(pinned.line("pinned"), bob.cid());
    let listed = dta(&home, &node, &["peer", "list"]).is(0).out;
    let fields: Vec<&str> = listed.trim().split("  ").collect();
    assert_eq!([fields[0], fields[2], fields[3]], [bob.cid().as_str(), "http://127.0.0.1:7", "test"]);
    assert!(fields[1].ends_with('Z'), "{listed}");
    let json: Value =
        serde_json::from_str(&dta(&home, &node, &["peer", "list", "--json"]).is(0).out).unwrap();
    assert_eq!(json, node.get("/v1/peer").is(200).body);
    // Any node that knows the document can hand it on, the same to the byte.
    let copy = home.path().join("copy.id");
    dta(&home, &node, &["identity", "export", &bob.cid(), "-o", copy.to_str().unwrap()]).is(0);
    assert_eq!(std::fs::read(copy).unwrap(), std::fs::read(file).unwrap());
    // The book and the read model are what the log says after a kill.
    node.kill();
    let node = home.start();
    assert_eq!(node.get("/v1/peer").is(200).body, json);
    dta(&home, &node, &["peer", "pin", &bob.cid()]).is(0);
    assert!(dta(&home, &node, &["peer", "list"]).is(0).out.contains("  -  test"));
    assert_eq!(dta(&home, &node, &["peer", "unpin", &bob.cid()]).is(0).line("unpinned"), bob.cid());
    assert_eq!(dta(&home, &node, &["peer", "list"]).is(0).out, "");
    // Each command prints the node's answer as it came, if that is asked for.
    for act in [&["pin", file][..], &["unpin", &bob.cid()]] {
        let said = dta(&home, &node, &[&["peer"], act, &["--json"]].concat()).is(0).out;
        let answer: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer, json!({ "idDocumentCID": bob.cid() }));
    }
    node.stop();
    let replayed = home.must(&["log", "replay"]);
    for told in ["peer/pinned", "at http://127.0.0.1:7", "without a URL", "peer/unpinned", "identity/learned"]
    {
        assert!(replayed.contains(told), "{told}: {replayed}");
    }
    assert!(home.must(&["log", "replay", "--json"]).contains(r#""url":"http://127.0.0.1:7""#));
    assert!(home.must(&["log", "verify", "--deep"]).contains("the log is whole"));
    assert!(home.must(&["projection", "verify"]).contains("peers: "));
}

#[test]
fn what_cannot_be_pinned_or_exported_is_told_by_name() {
    let home = Home::initialised();
    let node = home.start();
    let file = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let nobody = "bafyreifcgsm34vrqcwqxhdop3dpbvp7dj6m3ea7rhimew32ypg7puazw5y";
    let (own, nowhere) = (node.cid(), home.path().join("no/such").to_str().unwrap().to_owned());
    let (garbage, large) = (file("garbage", b"no document"), file("large", &[0; 65_537]));
    for (arguments, told) in [
        (&["peer", "pin", nobody][..], "pin it by its document (unknown-identity)"),
        (&["peer", "pin", "bob"], "bob: is no CID, and as a file"),
        (&["peer", "pin", &garbage], "document: "),
        (&["peer", "pin", &large], "65536"),
        (&["peer", "pin", &own, "--url", "http://bob.example"], "(hosted-here)"),
        (&["peer", "pin", &own, "--url", "ftp://bob.example"], "(url-scheme)"),
        (&["peer", "unpin", &own], "(not-pinned)"),
        (&["identity", "export", nobody, "-o", &nowhere], "(unknown-identity)"),
        (&["identity", "export", "-o", &nowhere], "no/such"),
        (&["order", "show", nobody], "(unknown-order)"),
        (&["order", "redeem", nobody], "(unknown-order)"),
        (&["order", "list", "--per-page", "1001"], "perPage: must be an integer from 1 to 1000"),
        (&["order", "place", "--beneficiary", nobody], "(unknown-identity)"),
        (&["order", "place", "--expires-at-ms", "1"], "policy.expiresAtMs"),
        (&["order", "place", "--extension", "a=1", "--extension", "a=2"], "--extension: a is there twice"),
    ] {
        let said = dta(&home, &node, arguments).is(1);
        assert!(said.err.contains(told) && said.out.is_empty(), "{arguments:?}: {}", said.err);
    }
    let long = "k".repeat(256);
    for (arguments, told) in [
        (&["peer", "unpin", "bob"][..], "CID"),
        (&["order", "show", "a/b"], "must be a reference or a CID"),
        (&["order", "show", ""], "must be a reference or a CID"),
        (&["order", "place", "--extension", "a"], "must be NAME=VALUE"),
        (&["order", "place", "--key", &long], "1 to 255"),
        (&["order", "place", "--key", "a b"], "visible ASCII"),
        (&["order", "place", "--not-before-ms=-1"], "not-before-ms"),
        (&["order", "redeem", nobody, "--json", "-o", "f"], "cannot be used with"),
        (&["identity", "export"], "--output"),
    ] {
        let said = dta(&home, &node, arguments).is(2);
        assert!(said.err.contains(told), "{arguments:?}: {}", said.err);
    }
    for (url, told) in [
        ("ftp://127.0.0.1", "--node: url: must begin with http:// or https://"),
        ("http://127.0.0.1:1", "no answer from http://127.0.0.1:1"),
    ] {
        let said = at(&home, url, &["peer", "list"]).is(1);
        assert!(said.err.contains(told), "{}", said.err);
    }
    home.settings("[http]\nlisten = \"127.0.0.1:0\"\n");
    let unsaid = home.command(&["peer", "list"]).env_remove("DTA_NODE").output().unwrap();
    assert!(text(&unsaid.stderr).contains("http.listen has port 0"), "{}", text(&unsaid.stderr));
    // No certificate authorities, and a proxy for the world outside: neither is needed to ask at home.
    let mut asked = home.command(&["order", "list", "--node", &node.url]);
    asked
        .env("SSL_CERT_FILE", "/dev/null")
        .env("SSL_CERT_DIR", "/nowhere")
        .env("http_proxy", "http://127.0.0.1:1");
    assert!(asked.status().unwrap().success());
}

#[test]
fn an_order_is_placed_shown_and_redeemed() {
    let home = Home::initialised();
    let node = home.start();
    let carol = node.identity("carol");
    let ask = |arguments: &[&str]| dta(&home, &node, arguments);
    let place = ["order", "place", "--beneficiary", &carol, "--key", "k1", "--extension", "purpose=test"];
    let placed = ask(&place).is(0);
    assert!(placed.err.contains("add --key k1"), "{}", placed.err);
    let (reference, commitment) = (placed.line("order"), placed.line("commitment"));
    assert_eq!(ask(&place).is(0).out, placed.out, "the same under the same key is done once");
    assert_eq!(ask(&["order", "list"]).is(0).out.trim(), reference);
    let redeem = ["order", "redeem", &reference, "--key", "k2"];
    let redeemed = ask(&redeem).is(0);
    assert_eq!(public_key_of(&redeemed.line("secret")), commitment);
    assert!(!redeemed.err.contains(&redeemed.line("secret")));
    let file = home.path().join("secret");
    let to_file = [&redeem[..], &["-o", file.to_str().unwrap()]].concat();
    let said = ask(&to_file).is(0);
    assert!(!said.out.contains(&redeemed.line("secret")), "it went to the file alone");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), redeemed.line("secret"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&file, "precious").unwrap();
    assert!(ask(&to_file).is(1).err.contains("is not overwritten"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let json: Value = serde_json::from_str(&ask(&[&redeem[..], &["--json"]].concat()).is(0).out).unwrap();
    assert_eq!(json["secret"], redeemed.line("secret"));
    let shown = ask(&["order", "show", &reference]).is(0);
    assert_eq!((shown.line("state"), shown.line("beneficiary")), ("Received".into(), carol));
    assert_eq!(shown.line("commitment"), commitment);
    for step in node.steps(&reference) {
        assert!(shown.out.contains(&format!("  local  {step} bafy")), "{step}: {}", shown.out);
    }
    let placed = shown.line("placed");
    assert_eq!(ask(&["order", "show", &placed]).is(0).out, shown.out);
    let lines = ask(&["order", "show", &reference, "--json"]).is(0).out;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], node.get(&format!("/v1/order/{reference}")).body);
    assert_eq!(lines[1], node.get(&format!("/v1/order/{reference}/history")).body);
}

#[test]
fn what_waits_is_accepted_and_what_failed_is_told() {
    let home = Home::empty();
    let waiting =
        json!([{ "for": "order/placed", "to": "bafybob", "since": "T", "attempts": 2, "stalled": false }]);
    let state =
        json!({ "orderReference": "r", "orderCID": "bafyplaced", "state": "Placed", "waiting": waiting });
    let some = json!({ "collected": [{ "orderReference": "r", "state": "Released" }], "failed": [{ "peer": "bafybob", "error": "away" }] });
    let file = home.path().with_file_name("secret");
    let cases = [
        (vec!["order", "place"], 202, state.clone(), 3, "state Placed", "has not answered yet"),
        (
            vec!["order", "redeem", "r", "-o", file.to_str().unwrap()],
            202,
            state.clone(),
            3,
            "order r",
            "not released yet",
        ),
        (
            vec!["order", "redeem", "r"],
            200,
            json!({ "secret": "", "orderReference": "r" }),
            0,
            "order r",
            "not hosted at this node",
        ),
        (
            vec!["order", "cancel", "r", "--detail", "why"],
            200,
            state.clone(),
            0,
            "waiting: order/placed to bafybob since T, attempts 2",
            "",
        ),
        (vec!["order", "retry", "r"], 202, state.clone(), 3, "placed bafyplaced", ""),
        (
            vec!["order", "dispute", "r"],
            409,
            json!({ "error": "dispute: \u{1b}no", "code": "out-of-state" }),
            1,
            "",
            "dispute: \\u{1b}no (out-of-state)",
        ),
        (vec!["order", "collect", "--json"], 200, json!({ "collected": [] }), 0, r#"{"collected":[]}"#, ""),
        (vec!["order", "collect"], 200, some, 1, "r  Released", "bafybob: away"),
        (vec!["order", "retry", "r"], 200, json!([1]), 0, "", ""),
        (vec!["order", "list"], 301, json!({}), 1, "", "status 301"),
        (vec!["peer", "list"], 200, json!({ "peers": [] }), 1, "", "not what a node answers"),
    ];
    let (url, served) = canned(cases.iter().map(|case| (case.1, case.2.clone())).collect());
    for (arguments, _, _, status, out, err) in &cases {
        let said = at(&home, &url, arguments).is(*status);
        assert!(
            said.out.contains(out) && said.err.contains(err),
            "{arguments:?}: {:?} {:?}",
            said.out,
            said.err
        );
    }
    assert!(!file.exists(), "no secret, no file");
    let requests = served.join().unwrap();
    assert!(requests[0].starts_with("POST /v1/order HTTP/1.1"));
    let keys: Vec<&str> = requests[..3]
        .iter()
        .map(|request| request.lines().find(|line| line.starts_with("idempotency-key: ")).unwrap())
        .collect();
    assert!(keys[0].len() == 17 + 32 && keys[0] != keys[1], "{keys:?}");
    assert!(
        requests[3].starts_with("POST /v1/order/r/cancel ") && requests[3].ends_with(r#"{"detail":"why"}"#)
    );
    assert!(requests[5].starts_with("POST /v1/order/r/dispute ") && requests[5].ends_with("{}"));
}

#[test]
fn every_command_on_orders_prints_the_answer_as_it_came() {
    let home = Home::empty();
    let answer = json!({ "orderReference": "r", "state": "Placed", "waiting": [], "collected": [], "failed": [], "history": [], "secret": "" });
    let commands: [&[&str]; 9] = [
        &["place"],
        &["redeem", "r"],
        &["cancel", "r"],
        &["dispute", "r"],
        &["retry", "r"],
        &["list"],
        &["collect"],
        &["collect", "--from", "bafyreict2ejjb2jcobqobmfccgrpixuwyjkgh5pkvnnaf3fkazrxqqyzge"],
        // The order, then its history.
        &["show", "r"],
    ];
    let (url, served) = canned(vec![(200, answer.clone()); commands.len() + 1]);
    for command in commands {
        let said = at(&home, &url, &[&["order"], command, &["--json"]].concat()).is(0);
        let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, vec![answer.clone(); if command[0] == "show" { 2 } else { 1 }], "{command:?}");
    }
    served.join().unwrap();
}
