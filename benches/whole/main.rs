//! The whole program under load: real nodes in processes of their own, real requests, every figure beside its limit. What it
//! prints are tables in Markdown. `scripts/bench` runs it; arguments choose parts.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod archive;
mod client;
mod custody;
#[path = "../../tests/kit/mod.rs"]
mod kit;
mod load;
mod nodes;
mod process;
mod proof;
#[path = "../template/mod.rs"]
mod template;

use std::time::Instant;

use load::Took;
use nodes::Nodes;

/// CPU milliseconds of a whole order: on one node, and on both ends of two.
const CPU_MS: [f64; 2] = [10.0, 15.0];
/// The original's, on one node.
const ORIGINAL_CPU_MS: f64 = 1_178.0;
/// Of an idle node, in MB.
const IDLE_MB: f64 = 60.0;
/// Orders in a log that is called long, and in one that is not.
const LONG: usize = 100_000;
const SHORT: usize = 1_000;
/// Until a node with a long log listens.
const START_S: f64 = 2.0;
/// How much longer an order may take there.
const SLOWER: f64 = 1.2;

fn main() {
    // `cargo bench` adds arguments of its own.
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, fn()); 7] = [
        ("one", || orders("one", Nodes::one, CPU_MS[0])),
        ("two", || orders("two", Nodes::two, CPU_MS[1])),
        ("idle", idle),
        ("proof", proof::all),
        ("hsm", custody::all),
        ("long", long),
        ("recover", || proof::long(LONG)),
    ];
    if let Some(unknown) = chosen.iter().find(|chosen| parts.iter().all(|(name, _)| name != chosen)) {
        panic!("no part {unknown}; there are: {:?}", parts.map(|(name, _)| name));
    }
    for (name, part) in parts {
        let by_default = chosen.is_empty() && !["long", "recover"].contains(&name);
        if by_default || chosen.iter().any(|chosen| chosen == name) {
            part();
        }
    }
}

/// Whole orders: rate and latency by how many come at once, CPU by step and by thread.
fn orders(name: &str, start: fn(bool) -> Nodes, limit: f64) {
    println!(
        "\n| nodes, mirror | orders a second, at once: 1 / 16 / 64 | p50 ms | p99 ms | CPU ms an order | of the limit |"
    );
    println!("|---|---|---|---|---|---|");
    let threads = [false, true].map(|mirror| {
        let nodes = start(mirror);
        // What is done once.
        load::whole(&nodes, 32, 4);
        let cpu = load::by_step(&nodes, 400, 16);
        let by_load = [(1, 100), (16, 400), (64, 400)].map(|(at_once, n)| load::whole(&nodes, n, at_once));
        let each = |figure: fn(&Took) -> String| by_load.each_ref().map(figure).join(" / ");
        println!(
            "| {name}, {} | {} | {} | {} | {:.1} = {:.1} placed + {:.1} redeemed | {} |",
            on_or_off(mirror),
            each(|took| format!("{:.0}", took.orders_per_second())),
            each(|took| format!("{:.0}", took.latency_ms(0.5))),
            each(|took| format!("{:.0}", took.latency_ms(0.99))),
            cpu.cpu_ms(),
            cpu.place_cpu * 1e3 / cpu.orders as f64,
            cpu.redeem_cpu * 1e3 / cpu.orders as f64,
            if mirror { "none set".into() } else { format!("{:.2} of {limit} ms", cpu.cpu_ms() / limit) },
        );
        (mirror, cpu)
    });
    println!("\nThe original takes {ORIGINAL_CPU_MS} ms on one node, with the mirror.");
    println!("\n| nodes, mirror | CPU ms an order by threads |\n|---|---|");
    for (mirror, took) in threads {
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6 / took.orders as f64;
        let mut groups: Vec<_> = took.by_thread.iter().map(|(name, ns)| (ms(*ns), name)).collect();
        groups.sort_by(|one, other| other.0.total_cmp(&one.0));
        let groups: Vec<_> =
            groups.iter().filter(|(ms, _)| *ms >= 0.05).map(|(ms, name)| format!("{name} {ms:.1}")).collect();
        println!("| {name}, {} | {} |", on_or_off(mirror), groups.join(", "));
    }
}

fn on_or_off(mirror: bool) -> &'static str {
    if mirror { "on" } else { "off" }
}

/// Memory of a node to which nothing happens.
fn idle() {
    println!("\n| an idle node, mirror | MB resident | of the limit |\n|---|---|---|");
    for mirror in [false, true] {
        let nodes = Nodes::one(mirror);
        nodes.settle();
        let (resident, _) = process::memory_mb(nodes.nodes[0].process());
        println!("| {} | {resident:.0} | {:.2} of {IDLE_MB} |", on_or_off(mirror), resident / IDLE_MB);
    }
}

/// What a long log costs: the start, and each order.
fn long() {
    let started = |orders| {
        let home = archive::home(orders);
        let began = Instant::now();
        let nodes = Nodes::of(home);
        (began.elapsed().as_secs_f64(), nodes)
    };
    let ((_, short), (took_s, long)) = (started(SHORT), started(LONG));
    let mut medians = [Vec::new(), Vec::new()];
    load::whole(&short, 32, 1);
    load::whole(&long, 32, 1);
    // In turns, so that a slow minute slows both.
    for _ in 0..5 {
        for (nodes, medians) in [&short, &long].into_iter().zip(&mut medians) {
            medians.push(load::whole(nodes, 40, 1).latency_ms(0.5));
        }
    }
    let [short, long] = medians.map(|mut medians| {
        medians.sort_by(f64::total_cmp);
        medians[medians.len() / 2]
    });
    println!("\n| {LONG} orders in the log | | of the limit |\n|---|---|---|");
    println!("| from start to listening | {took_s:.2} s | {:.2} of {START_S} s |", took_s / START_S);
    println!(
        "| an order, p50 | {long:.1} ms, and {short:.1} with {SHORT} | {:.2}, limit {SLOWER} |",
        long / short
    );
}
