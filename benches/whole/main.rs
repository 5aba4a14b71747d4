//! The whole program under load: real nodes in processes of their own, real requests, every figure beside its limit.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod client;
#[path = "../../tests/kit/mod.rs"]
mod kit;
mod load;
mod nodes;
mod process;

use nodes::Nodes;

fn main() {
    for (name, start) in [("one", Nodes::one as fn(bool) -> Nodes), ("two", Nodes::two)] {
        for mirror in [false, true] {
            let nodes = start(mirror);
            load::whole(&nodes, 16, 4);
            let took = load::by_step(&nodes, 200, 16);
            println!(
                "{name} mirror={mirror}: {:.2} ms CPU/order (place {:.2} redeem {:.2}), {:.0}/s",
                took.cpu_ms(),
                took.place_cpu * 1e3 / 200.0,
                took.redeem_cpu * 1e3 / 200.0,
                took.orders_per_second()
            );
            for (thread, ns) in &took.by_thread {
                println!("   {thread}: {:.2}", *ns as f64 / 1e6 / 200.0);
            }
            for at_once in [1, 16, 64] {
                let took = load::whole(&nodes, if at_once == 1 { 50 } else { 200 }, at_once);
                println!(
                    "  {at_once} at once: {:.0}/s p50 {:.1} p99 {:.1} ms, cpu {:.2}",
                    took.orders_per_second(),
                    took.latency_ms(0.5),
                    took.latency_ms(0.99),
                    took.cpu_ms()
                );
            }
        }
    }
}
