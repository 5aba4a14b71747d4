//! Rules are pure because nothing impure can be reached: the whole dependency tree of `dta-events` is held to a list.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

/// Why each is here. Whoever adds a line answers for it: no clock, no threads, no files, no network, no randomness.
const ALLOWED: [(&str, &str); 9] = [
    ("ours", "dta-events dta-protocol dta-crypto"),
    ("stored shapes", "bincode serde serde_core serde_derive serde_bytes"),
    ("errors", "thiserror thiserror-impl"),
    (
        "macros, at compile time only",
        "proc-macro2 quote syn unicode-ident match-lookup zeroize_derive \
        curve25519-dalek-derive data-encoding-macro data-encoding-macro-internal generic-array",
    ),
    (
        "CIDs and DAG-CBOR",
        "cid multihash unsigned-varint multibase base-x base256emoji base45 const-str \
        data-encoding ipld-core serde_ipld_dagcbor cbor4ii scopeguard arrayvec",
    ),
    (
        "hashes, ciphers and derivation, in Rust",
        "sha2 sha3 shake turboshake keccak sponge-cursor ripemd hmac hkdf digest \
        block-buffer aes aes-gcm aead cipher ctr ghash polyval universal-hash inout hpke",
    ),
    (
        "curves and lattices, in Rust",
        "k256 ecdsa rfc6979 elliptic-curve primefield primeorder ff group sec1 \
        crypto-bigint wnaf base16ct der spki signature ed25519 ed25519-dalek curve25519-dalek x25519-dalek x-wing \
        ml-kem module-lattice kem bip32 bip39 bitcoin_hashes hex-conservative bs58",
    ),
    // Through dta-crypto alone, for BLS12-381 and ML-DSA. The rules call them only to verify proofs. blst names
    // threadpool and num_cpus, and its feature `no-threads` leaves them unused.
    ("compiled from C and assembly", "blst threadpool num_cpus aws-lc-rs aws-lc-sys untrusted"),
    (
        "plumbing of those",
        "cfg-if cmov const-oid cpubits cpufeatures crypto-common ctutils hybrid-array libc \
        num-traits rand_core subtle typenum zeroize",
    ),
];

/// Named so that the answer is at hand when one of them turns up.
const FORBIDDEN: [(&str, &str); 14] = [
    ("actix", "rules have no actors"),
    ("actix-web", "rules answer no requests"),
    ("tokio", "rules wait for nothing"),
    ("mio", "rules have no sockets"),
    ("reqwest", "rules call nobody"),
    ("rocksdb", "rules store nothing"),
    ("librocksdb-sys", "rules store nothing"),
    ("getrandom", "randomness is injected: the same facts, the same events"),
    ("rand", "randomness is injected: the same facts, the same events"),
    ("uuid", "references are given by the caller"),
    ("chrono", "time is an argument"),
    ("time", "time is an argument"),
    ("tracing", "what happened is in the events"),
    ("config", "rules have no settings"),
];

/// The package's folder, asked when it runs: checkouts may share what was built, and each has its own path.
fn here() -> std::path::PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").unwrap().into()
}

/// The normal (not build, not test) dependencies for this platform, as cargo resolves them for this package alone.
fn tree() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "dta-events", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--offline", "--locked"])
        .current_dir(here())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn allowed() -> BTreeSet<&'static str> {
    ALLOWED.iter().flat_map(|(_, names)| names.split_whitespace()).collect()
}

#[test]
fn nothing_impure_can_be_reached_from_the_rules() {
    let tree = tree();
    assert!(tree.contains("dta-events") && tree.contains("dta-crypto") && tree.len() > 50, "{tree:?}");
    for (name, why) in FORBIDDEN {
        assert!(!tree.contains(name), "dta-events must not depend on {name}: {why}");
    }
    let allowed = allowed();
    let strange: Vec<_> = tree.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(strange.is_empty(), "not on the list of src/events/tests/purity.rs: {strange:?}");
}

#[test]
fn the_list_itself_is_in_order() {
    let count = ALLOWED.iter().flat_map(|(_, names)| names.split_whitespace()).count();
    assert_eq!(allowed().len(), count, "a name stands twice");
    for (name, _) in FORBIDDEN {
        assert!(!allowed().contains(name), "{name} is allowed and forbidden");
    }
    let tree = tree();
    let gone: Vec<_> = allowed().into_iter().filter(|name| !tree.contains(*name)).collect();
    // Platforms differ in a few names; a list that is mostly stale says nothing.
    assert!(gone.len() <= 6, "allowed and not there: {gone:?}");
}

/// The names by which a source file would reach a clock, a thread, a file or the network through `std`.
#[test]
fn the_sources_name_nothing_impure_of_std() {
    const IMPURE: [&str; 12] = [
        "std::time",
        "SystemTime",
        "Instant::",
        "std::thread",
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "println!",
        "HashMap",
        "unsafe ",
    ];
    let mut folders = vec![here()];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let source = std::fs::read_to_string(&path).unwrap();
                read += 1;
                for name in IMPURE {
                    assert!(!source.contains(name), "{} names {name}", path.display());
                }
            }
        }
    }
    assert!(read > 20, "only {read} sources found");
}
