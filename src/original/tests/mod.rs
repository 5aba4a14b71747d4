mod bolt;
mod damage;
mod home;
mod kept;
mod parts;

use std::path::PathBuf;

use serde_json::Value;

/// What the fixture lies in.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/original-home")
}

/// The fixture's store.
pub fn store() -> Vec<u8> {
    std::fs::read(folder().join("home/datastore.dat")).unwrap()
}

/// What the original's own libraries derived.
pub fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

/// The node's identity in the fixture.
pub const NODE: &str = "QmNodeNodeNodeNodeNodeNodeNodeNodeNodeNodeNode";
/// The other one.
pub const BOB: &str = "QmBobBobBobBobBobBobBobBobBobBobBobBobBobBobBo";

/// A copy of the fixture's home that may be changed.
pub fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.yaml", "datastore.dat", "keys"] {
        std::fs::copy(folder().join("home").join(name), copy.path().join(name)).unwrap();
    }
    copy
}
