//! Which routes a node has, by its type and address.

use std::net::SocketAddr;

use reqwest::Method;
use reqwest::blocking::Client;

use crate::kit::Home;

const FULFIL: [(&str, &str); 5] = [
    ("POST", "/v1/fulfill/order"),
    ("POST", "/v1/fulfill/order/secret"),
    ("POST", "/v1/fulfill/order/step"),
    ("GET", "/v1/fulfill/order/deliveries"),
    ("GET", "/v1/fulfill/log/blocks"),
];
/// Those that principals have, too.
const ANYBODYS: [&str; 2] = ["/v1/fulfill/order/step", "/v1/fulfill/log/blocks"];
/// Those that everybody may ask, at every address.
const PUBLIC: [(&str, &str); 2] = [("GET", "/v1/mirror"), ("GET", "/v1/mirror/proof")];
/// Those of everybody who may order.
const ORDER: [(&str, &str); 2] = [("POST", "/v1/order"), ("POST", "/v1/order/x/cancel")];
const ALL: [(&str, &str); 20] = [
    ("GET", "/v1/status"),
    ("GET", "/v1/ready"),
    ("POST", "/v1/identity"),
    ("GET", "/v1/identity"),
    ("GET", "/v1/identity/x"),
    ("GET", "/v1/identity/x/document"),
    ("POST", "/v1/peer"),
    ("GET", "/v1/peer"),
    ("DELETE", "/v1/peer/x"),
    ("GET", "/v1/order"),
    ("POST", "/v1/order/secret"),
    ("POST", "/v1/order/collect"),
    ("POST", "/v1/order/x/dispute"),
    ("POST", "/v1/order/x/retry"),
    ("POST", "/v1/order/x/shred"),
    ("GET", "/v1/order/x"),
    ("GET", "/v1/order/x/history"),
    ("POST", "/v1/mirror/follow"),
    ("POST", "/v1/mirror/unfollow"),
    ("POST", "/v1/mirror/check"),
];

/// Whether there is such a route: it answers something else than that there is none.
fn is_there(url: &str, (method, path): (&str, &str)) -> bool {
    let method: Method = method.parse().unwrap();
    let answer = Client::new().request(method, format!("{url}{path}")).send().unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().unwrap());
    let none = status == 405 || ["unknown-route", "not-found"].iter().any(|code| text.contains(code));
    assert!(!none || [404, 405].contains(&status), "{path}: {status} {text}");
    !none
}

fn check(url: &str, what: &str, expected: impl Fn(&str, &str) -> bool) {
    for route in FULFIL.into_iter().chain(ORDER).chain(ALL) {
        assert_eq!(is_there(url, route), expected(route.0, route.1), "{what}: {route:?}");
    }
    for route in PUBLIC {
        assert!(is_there(url, route), "{what}: {route:?}");
    }
    assert!(!is_there(url, ("GET", "/v1/fulfill")) && !is_there(url, ("GET", "/")));
}

#[test]
fn each_type_has_its_routes_and_no_other() {
    for (name, shown, orders, serves) in [
        ("multi", "multi", true, true),
        ("principal", "principal", true, false),
        ("fiduciary", "fiduciary", false, true),
        ("masterfiduciary", "fiduciary", false, true),
    ] {
        let fulfils = |path: &str| FULFIL.iter().any(|(_, fulfil)| *fulfil == path);
        let for_peers = |path: &str| fulfils(path) && (serves || ANYBODYS.contains(&path));
        let for_clients =
            |method: &str, path: &str| !fulfils(path) && (orders || !ORDER.contains(&(method, path)));
        let home = Home::empty();
        home.settings(&format!("[node]\ntype = \"{name}\"\n"));
        home.must(&["init"]);
        let node = home.start();
        assert_eq!(node.get("/v1/status").is(200).str("nodeType"), shown);
        check(&node.url, name, |method, path| for_peers(path) || for_clients(method, path));
        node.stop();

        home.settings(&format!("[node]\ntype = \"{name}\"\n[http]\npeer_listen = \"127.0.0.1:0\"\n"));
        let node = home.start();
        let log = std::fs::read_to_string(home.log()).unwrap();
        let told = log.lines().rev().find_map(|line| line.split_once("for other nodes address=")).unwrap().1;
        let peers: SocketAddr = told.parse().unwrap();
        check(&node.url, &format!("{name}, for clients"), for_clients);
        check(&format!("http://{peers}"), &format!("{name}, for peers"), |_, path| for_peers(path));
    }
}
