//! The folder of what is published on IPFS: it follows from the log, and never keeps a node from serving.

use std::path::{Path, PathBuf};

use dta_protocol::Cid;

use crate::harm::Harm;
use crate::kit::{Home, Node, files};
use crate::specimen::{Specimen, specimens};

/// Files of blocks, wherever the library keeps them: those that hold a block's bytes.
fn block_files(of: &Specimen, home: &Home) -> Vec<(Cid, PathBuf)> {
    let published = of.truth.blocks.iter().filter(|(_, (published, _))| *published);
    let by_bytes: std::collections::BTreeMap<_, _> =
        published.map(|(cid, (_, bytes))| (bytes.as_slice(), Cid::from_bytes(cid).unwrap())).collect();
    let found = files(&home.path().join("ipfs")).into_iter().filter_map(|file| {
        let bytes = std::fs::read(&file).unwrap();
        by_bytes.get(bytes.as_slice()).map(|cid| (*cid, file))
    });
    found.collect()
}

fn address(node: &Node) -> String {
    let address = |node: &Node| {
        let ipfs = node.get("/v1/status").is(200).body["ipfs"].clone();
        ipfs["addresses"][0].as_str().map(str::to_owned)
    };
    node.until("the exchange listens", |node| address(node).is_some());
    address(node).unwrap()
}

/// Fetches a block as a stranger does; none if nobody gives the right one.
fn fetched(from: &str, cid: &Cid, into: &Path) -> Option<Vec<u8>> {
    let cid = cid.to_string();
    let out = into.to_str().unwrap();
    let output = Home::empty().run(&["ipfs", "get", &cid, "--peer", from, "--timeout-ms", "1500", "-o", out]);
    output.status.success().then(|| std::fs::read(into).unwrap())
}

fn as_before(of: &Specimen, node: &Node) {
    assert!(of.truth.asked(node).is_some_and(|found| found == of.truth.answers));
    for (order, beneficiary, secret) in &of.truth.secrets {
        assert_eq!(node.redeem(order, beneficiary).is(200).str("secret"), *secret);
    }
}

fn mirrored(node: &Node, kind: &str) {
    node.until(&format!("{kind}: all is published"), |node| {
        let ipfs = node.get("/v1/status").is(200).body["ipfs"].clone();
        ipfs["backlog"] == 0 && ipfs["lastError"].is_null()
    });
}

#[test]
fn every_file_of_it_harmed_at_once_and_the_node_serves() {
    let all = specimens();
    let of = &all.clean;
    for kind in ["missing", "cut to nothing", "cut to half", "flipped", "swapped", "without the folder"] {
        let home = of.copied();
        let folder = home.path().join("ipfs");
        let blocks = block_files(of, &home);
        assert!(blocks.len() > 20, "{}", blocks.len());
        let every = files(&folder);
        let half = |file: &PathBuf| std::fs::metadata(file).unwrap().len() / 2;
        match kind {
            "missing" => blocks.iter().for_each(|(_, file)| Harm::Missing.to(file)),
            "cut to nothing" => every.iter().for_each(|file| Harm::Cut(0).to(file)),
            "cut to half" => every.iter().for_each(|file| Harm::Cut(half(file)).to(file)),
            "flipped" => {
                every
                    .iter()
                    .filter(|file| half(file) > 0)
                    .for_each(|file| Harm::Flip(half(file), 2).to(file));
            }
            "swapped" => {
                let bytes: Vec<_> = blocks.iter().map(|(_, file)| std::fs::read(file).unwrap()).collect();
                let next = bytes.iter().skip(1).chain(&bytes[..1]);
                blocks.iter().zip(next).for_each(|((_, file), bytes)| std::fs::write(file, bytes).unwrap());
            }
            _ => std::fs::remove_dir_all(&folder).unwrap(),
        }
        let node = home.start();
        as_before(of, &node);
        mirrored(&node, kind);
        let (from, out) = (address(&node), home.folder().join("block"));
        for (cid, _) in blocks.iter().step_by(11) {
            // The node looks at what it had copied before, bit by bit.
            node.until(&format!("{kind}: {cid} is given again"), |_| {
                fetched(&from, cid, &out).is_some_and(|bytes| {
                    assert!(cid.names(&bytes), "{kind}: {cid}");
                    true
                })
            });
        }
        node.stop();
    }
}
