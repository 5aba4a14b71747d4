//! Whole orders by some clients at once: each places, then redeems, over and over; what it took, by step.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::nodes::Nodes;
use crate::process;

/// What a load took.
pub struct Took {
    /// Whole orders.
    pub orders: usize,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Each order's time from its first request to its secret, shortest first.
    latencies: Vec<Duration>,
    /// CPU seconds of all nodes for both steps, up to when nothing moved any more.
    pub place_cpu: f64,
    pub redeem_cpu: f64,
    /// CPU nanoseconds by group of threads, both steps.
    pub by_thread: BTreeMap<String, u64>,
}

impl Took {
    pub fn orders_per_second(&self) -> f64 {
        self.orders as f64 / self.wall.as_secs_f64()
    }

    /// The time within which this share of the orders was whole, in milliseconds.
    pub fn latency_ms(&self, share: f64) -> f64 {
        let at = ((self.latencies.len() - 1) as f64 * share).round() as usize;
        self.latencies[at].as_secs_f64() * 1e3
    }

    /// CPU milliseconds an order.
    pub fn cpu_ms(&self) -> f64 {
        (self.place_cpu + self.redeem_cpu) * 1e3 / self.orders as f64
    }
}

/// Places and redeems this many orders by so many clients at once: each order is redeemed as soon as it is placed.
pub fn whole(nodes: &Nodes, orders: usize, at_once: usize) -> Took {
    let (cpu, began) = (nodes.cpu_seconds(), Instant::now());
    let latencies = each(nodes, orders, at_once, |client, _| {
        let placed = place(client, nodes);
        redeem(client, nodes, &placed);
    });
    let wall = began.elapsed();
    nodes.settle();
    let took = nodes.cpu_seconds() - cpu;
    Took { orders, wall, latencies, place_cpu: took, redeem_cpu: 0.0, by_thread: BTreeMap::new() }
}

/// The same in two steps, all placed before the first is redeemed: what each step takes.
pub fn by_step(nodes: &Nodes, orders: usize, at_once: usize) -> Took {
    let began = Instant::now();
    let threads = threads_of(nodes);
    let before = nodes.cpu_seconds();
    let placed = std::sync::Mutex::new(Vec::new());
    let mut latencies = each(nodes, orders, at_once, |client, _| {
        let reference = place(client, nodes);
        placed.lock().unwrap().push(reference);
    });
    nodes.settle();
    let between = nodes.cpu_seconds();
    let placed = placed.into_inner().unwrap();
    latencies.extend(each(nodes, orders, at_once, |client, n| redeem(client, nodes, &placed[n])));
    let wall = began.elapsed();
    nodes.settle();
    let after = nodes.cpu_seconds();
    let mut by_thread = threads_of(nodes);
    for (name, nanoseconds) in threads {
        // Those of a thread that ended are gone with it.
        let group = by_thread.entry(name).or_default();
        *group = group.saturating_sub(nanoseconds);
    }
    latencies.sort();
    let (place_cpu, redeem_cpu) = (between - before, after - between);
    Took { orders, wall, latencies, place_cpu, redeem_cpu, by_thread }
}

fn each(
    nodes: &Nodes,
    orders: usize,
    at_once: usize,
    work: impl Fn(&mut Client, usize) + Sync,
) -> Vec<Duration> {
    let next = AtomicUsize::new(0);
    let one = || {
        let mut client = Client::connect(&nodes.nodes[0].url);
        let mut latencies = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= orders {
                return latencies;
            }
            let began = Instant::now();
            work(&mut client, n);
            latencies.push(began.elapsed());
        }
    };
    let mut latencies: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..at_once).map(|_| scope.spawn(one)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    latencies.sort();
    latencies
}

fn place(client: &mut Client, nodes: &Nodes) -> String {
    let placed = client.post("/v1/order", &json!({ "beneficiaryIDDocumentCID": nodes.beneficiary }));
    assert!(placed["commitment"].is_string(), "{placed}");
    text(&placed["orderReference"])
}

fn redeem(client: &mut Client, nodes: &Nodes, reference: &str) {
    let body = json!({ "orderReference": reference, "beneficiaryIDDocumentCID": nodes.beneficiary });
    let redeemed = client.post("/v1/order/secret", &body);
    assert_eq!(text(&redeemed["secret"]).len(), 64, "{redeemed}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn threads_of(nodes: &Nodes) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for node in &nodes.nodes {
        for (name, nanoseconds) in process::cpu_by_thread(node.process()) {
            *all.entry(name).or_default() += nanoseconds;
        }
    }
    all
}
