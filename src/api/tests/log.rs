//! The log's proof: what others verify by it, with tools that others wrote, and what nobody is answered.

use actix_web::http::Method;
use dta_crypto::{IdentityKeys, Secret};
use dta_events::record::hash_of;
use dta_proof::{Hash, Leaf, Note, tree};
use dta_protocol::checkpoint::LogPart;
use dta_protocol::sealed::{self, SealRequest};
use dta_protocol::{Body, Cid, Envelope, Identity, Kind, Plaintext as _, Role, car};
use serde_json::{Value, json};
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{HashReader as _, TileHashReader, TileReader};

use super::kit::{Answer, Node, Routes, got};
use crate::actors::log::StoredBlock;
use crate::actors::views::Replay;
use crate::api::HttpSettings;

fn node() -> Node {
    Node::start(HttpSettings::default())
}

/// A node whose seed the test has.
fn seeded() -> (Node, IdentityKeys, Identity) {
    let keys = IdentityKeys::from_seed(&Secret::from_bytes([9; 32]));
    let document = Identity::create(&keys, "alice", None, None, 1_700_000_000_000).unwrap();
    (Node::of([9; 32], &document, 1_700_000_000_001), keys, document)
}

fn document(node: &Node) -> Identity {
    let block = node.app.services.log.block(&node.identity.to_bytes()).unwrap().unwrap();
    let StoredBlock::Published(block) = block else { panic!("an identity is published") };
    Identity::decode(block.bytes()).unwrap()
}

async fn note(api: &Routes, owner: &Identity) -> Note {
    let answer = api.get("/v1/log/checkpoint").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("text/plain; charset=utf-8"))
    );
    Note::verify(std::str::from_utf8(&answer.body).unwrap(), owner).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(text(value)).unwrap().try_into().unwrap()
}

fn path(proof: &Value) -> Vec<Hash> {
    proof["path"].as_array().unwrap().iter().map(bytes).collect()
}

async fn released(api: &Routes) -> String {
    let bob = api.identity("bob").await;
    let order = api.order(json!({ "beneficiaryIDDocumentCID": bob })).await;
    let redeem = json!({ "orderReference": order, "beneficiaryIDDocumentCID": bob });
    api.post("/v1/order/secret", &redeem).await.ok();
    order
}

#[actix_web::test]
async fn every_step_of_an_order_is_proved_to_be_in_the_log() {
    let node = node();
    let (api, alice) = (node.routes().await, document(&node));
    let order = released(&api).await;
    node.checkpoint().await;
    let note = note(&api, &alice).await;
    assert_eq!(note.size() + 1, node.app.services.log.head().unwrap().count, "all but its own record");
    let chain = api.get(&format!("/v1/order/{order}/chain")).await;
    let (_, blocks) = car::decode(&chain.body).unwrap();
    let mut proved = 0;
    for (cid, block) in blocks {
        let Ok(envelope) = Envelope::decode(&block) else { continue };
        if envelope.statement().kind == Kind::Identity {
            let path = format!("/v1/log/proof/inclusion?envelope={cid}");
            assert_eq!(
                refused(&api, &path).await,
                (404, "unknown-envelope".into()),
                "whom it knows is not told"
            );
            continue;
        }
        let proof = api.get(&format!("/v1/log/proof/inclusion?envelope={cid}")).await.ok();
        let leaf = Leaf::decode(&hex::decode(text(&proof["leaf"])).unwrap()).unwrap();
        let envelopes: Vec<Cid> =
            proof["envelopes"].as_array().unwrap().iter().map(|cid| text(cid).parse().unwrap()).collect();
        assert!(envelopes.contains(&cid) && leaf.brought(&bytes(&proof["blind"]), &envelopes));
        tree::check_inclusion(&path(&proof), note.size(), note.root(), leaf.sequence, leaf.hash()).unwrap();
        assert_eq!((bytes(&proof["root"]), proof["size"].as_u64()), (note.root(), Some(note.size())));
        proved += usize::from(envelope.statement().kind.is_order());
    }
    assert_eq!(proved, 5);
    for sequence in 0..note.size() {
        let proof = api.get(&format!("/v1/log/proof/inclusion?sequence={sequence}")).await.ok();
        let leaf = Leaf::decode(&hex::decode(text(&proof["leaf"])).unwrap()).unwrap();
        let (_, stored) = node.app.services.log.read(sequence, 1).unwrap().pop().unwrap();
        assert_eq!((leaf.sequence, leaf.record), (sequence, hash_of(&stored)));
        assert_eq!((&proof["blind"], &proof["envelopes"]), (&Value::Null, &Value::Null), "nobody named them");
        tree::check_inclusion(&path(&proof), note.size(), note.root(), sequence, leaf.hash()).unwrap();
    }
}

#[actix_web::test]
async fn a_log_that_grew_is_proved_to_begin_with_what_it_was() {
    let node = node();
    let (api, alice) = (node.routes().await, document(&node));
    let mut before: Vec<Note> = Vec::new();
    for _ in 0..4 {
        released(&api).await;
        node.checkpoint().await;
        let now = note(&api, &alice).await;
        for old in &before {
            let proof = api.get(&format!("/v1/log/proof/consistency?from={}", old.size())).await.ok();
            assert_eq!((proof["from"].as_u64(), proof["to"].as_u64()), (Some(old.size()), Some(now.size())));
            tree::check_consistency(&path(&proof), now.size(), now.root(), old.size(), old.root()).unwrap();
        }
        before.push(now);
    }
    let (first, third) = (&before[0], &before[2]);
    let between = format!("/v1/log/proof/consistency?from={}&to={}", first.size(), third.size());
    let proof = api.get(&between).await.ok();
    tree::check_consistency(&path(&proof), third.size(), third.root(), first.size(), first.root()).unwrap();
}

/// Tiles as the library asks for them, from the routes. It waits for nothing, so they are fetched before.
struct Tiles(std::collections::HashMap<String, Vec<u8>>);

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles
            .iter()
            .map(|tile| self.0.get(&tile.path()).cloned().ok_or(tlog_tiles::Error::InvalidTile))
            .collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[actix_web::test]
async fn tools_that_others_wrote_verify_the_note_and_the_tiles() {
    let node = node();
    let (api, alice) = (node.routes().await, document(&node));
    for n in 0..300 {
        api.identity(&format!("somebody {n}")).await;
    }
    node.checkpoint().await;
    let key = api.get("/v1/log/key").await;
    let key = std::str::from_utf8(&key.body).unwrap().trim_end();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(key).unwrap())]);
    let signed = signed_note::Note::from_bytes(&api.get("/v1/log/checkpoint").await.body).unwrap();
    signed.verify(&known).unwrap();
    let head = tlog_tiles::Checkpoint::from_bytes(signed.text()).unwrap();
    // Records that do not fit into one checkpoint are in the next, which is about the record of the one before, too.
    assert_eq!(head.size(), node.app.services.log.head().unwrap().count - 1);
    assert!((302..400).contains(&head.size()));
    let mut tiles = Tiles(Default::default());
    for tile in tlog_tiles::Tile::new_tiles(8, 0, head.size()) {
        // C2SP leaves the height out of the path.
        let ours = tile.path().replace("tile/8/", "/v1/log/tile/");
        let answer = api.get(&ours).await;
        assert_eq!(answer.status, 200, "{ours}");
        assert!(answer.header("cache-control").unwrap().contains("immutable"));
        tiles.0.insert(tile.path(), answer.body.to_vec());
    }
    assert_eq!(tiles.0.len(), 3);
    let reader = TileHashReader::new(head.size(), *head.hash(), &tiles);
    let mut entries = Vec::new();
    for bundle in ["000".to_owned(), format!("001.p/{}", head.size() - 256)] {
        let answer = api.get(&format!("/v1/log/tile/entries/{bundle}")).await;
        let mut rest = &answer.body[..];
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(u16::from_be_bytes(*length).into());
            entries.push(entry.to_vec());
            rest = after;
        }
    }
    assert_eq!(entries.len() as u64, head.size());
    for (n, entry) in (0..).zip(&entries) {
        let hash = reader.read_hashes(&[tlog_tiles::stored_hash_index(0, n)]).unwrap()[0];
        assert_eq!(tlog_tiles::record_hash(entry), hash, "{n}");
    }
    assert_eq!(note(&api, &alice).await.root(), head.hash().0);
}

#[actix_web::test]
async fn a_checkpoint_is_a_published_envelope_that_only_its_node_opens() {
    let (node, keys, alice) = seeded();
    let api = node.routes().await;
    released(&api).await;
    node.checkpoint().await;
    let first = api.get("/v1/log/checkpoint").await.header("dta-checkpoint").unwrap().to_owned();
    released(&api).await;
    node.checkpoint().await;
    let cid: Cid = api.get("/v1/log/checkpoint").await.header("dta-checkpoint").unwrap().parse().unwrap();
    let log = &node.app.services.log;
    let published = |cid: &Cid| log.published_block(&cid.to_bytes()).unwrap().unwrap().bytes().to_vec();
    let envelope = Envelope::decode(&published(&cid)).unwrap().verify(&alice).unwrap();
    let statement = envelope.statement();
    let Body::Checkpoint(body) = &statement.body else { panic!("a checkpoint") };
    assert_eq!((statement.kind, body.number), (Kind::Checkpoint, 1));
    assert_eq!(
        (statement.previous, body.skip.as_slice()),
        (first.parse().ok(), &[first.parse().unwrap()][..])
    );
    let descriptor = statement.sealed_for(Role::Log).unwrap();
    let request = SealRequest::of(statement, Role::Log).unwrap();
    let block = published(&descriptor.cid);
    let (key, plaintext) = sealed::open(&keys, &alice.cid(), &request, descriptor, &block).unwrap();
    sealed::check_recipients(&key, &alice.cid(), &[(alice.cid(), alice.verifying())], descriptor).unwrap();
    let part = LogPart::decode(plaintext.expose()).ok().unwrap();
    let size = Note::verify(&body.note, &alice).unwrap().size();
    let from = size - part.records.len() as u64;
    let records: Vec<_> =
        log.read(from, part.records.len()).unwrap().into_iter().map(|(_, bytes)| bytes).collect();
    assert!(part.records == records && from > 2);
    let replayed = dta_projections::all().into_iter().map(|projection| {
        let mut replay = Replay::start(projection);
        replay.run(&**log, size, &mut |_| ()).unwrap();
        (format!("{}/{}", projection.name(), projection.schema()), replay.digest())
    });
    assert_eq!(part.digests, replayed.collect());
}

#[actix_web::test]
async fn a_checkpoint_that_cannot_be_noted_is_told_to_nobody_until_it_is() {
    let node = node();
    let api = node.routes().await;
    released(&api).await;
    node.projected().await;
    let in_the_way = node.noted().with_extension("json.tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    let mut checkpointer = node.checkpointer();
    checkpointer.finish().await;
    assert_eq!(refused(&api, "/v1/log/checkpoint").await, (404, "no-checkpoint".into()));
    std::fs::remove_dir(&in_the_way).unwrap();
    checkpointer.finish().await;
    let answer = api.get("/v1/log/checkpoint").await;
    let noted: Value = serde_json::from_slice(&std::fs::read(node.noted()).unwrap()).unwrap();
    assert_eq!(noted["note"].as_str().unwrap().as_bytes(), answer.body);
    assert_eq!(noted["cid"].as_str(), answer.header("dta-checkpoint"));
}

#[actix_web::test]
async fn envelopes_carry_the_newest_note_of_their_signers_log() {
    let node = node();
    let api = node.routes().await;
    let notes = async |order: &str| -> Vec<Option<String>> {
        let chain = api.get(&format!("/v1/order/{order}/chain")).await;
        let (_, blocks) = car::decode(&chain.body).unwrap();
        let envelopes = blocks.iter().filter_map(|(_, block)| Envelope::decode(block).ok());
        let body = |envelope: Envelope| match &envelope.statement().body {
            Body::Order { note } => Some(note.clone()),
            _ => None,
        };
        envelopes.filter_map(body).collect()
    };
    let order = released(&api).await;
    assert_eq!(notes(&order).await, vec![None; 5], "before the first checkpoint");
    node.checkpoint().await;
    let newest = String::from_utf8(api.get("/v1/log/checkpoint").await.body.to_vec()).unwrap();
    let order = released(&api).await;
    assert_eq!(notes(&order).await, vec![Some(newest); 5]);
}

async fn refused(api: &Routes, path: &str) -> (u16, String) {
    let Answer { status, .. } = &api.get(path).await;
    (status.as_u16(), text(&api.get(path).await.json()["code"]).to_owned())
}

#[actix_web::test]
async fn what_there_is_no_proof_of_is_refused_by_name() {
    let node = node();
    let api = node.routes().await;
    for path in
        ["checkpoint", "key", "proof/inclusion?sequence=0", "proof/consistency?from=1", "tile/0/000.p/1"]
    {
        assert_eq!(refused(&api, &format!("/v1/log/{path}")).await, (404, "no-checkpoint".into()), "{path}");
    }
    released(&api).await;
    node.checkpoint().await;
    let someone = api.identity("someone").await;
    let later = api.order(json!({})).await;
    let later = api.get(&format!("/v1/order/{later}/chain")).await;
    let (later, _) = car::decode(&later.body).unwrap();
    let size = note(&api, &document(&node)).await.size();
    let nobody = Cid::of(dta_protocol::Codec::DagCbor, b"nobody's");
    for (path, status, code) in [
        (format!("proof/inclusion?envelope={later}"), 404, "not-in-tree"),
        (format!("proof/inclusion?sequence={size}"), 404, "not-in-tree"),
        (format!("proof/inclusion?sequence={}", u64::MAX), 404, "not-in-tree"),
        ("proof/inclusion?sequence=3&size=3".into(), 404, "not-in-tree"),
        (format!("proof/inclusion?envelope={nobody}"), 404, "unknown-envelope"),
        (format!("proof/inclusion?envelope={someone}"), 404, "unknown-envelope"),
        ("proof/inclusion?envelope=nobody".into(), 422, "envelope"),
        ("proof/inclusion?sequence=-1".into(), 422, "sequence"),
        ("proof/inclusion?sequence=".into(), 422, "sequence"),
        ("proof/inclusion?sequence=1&sequence=1".into(), 422, "query"),
        ("proof/inclusion".into(), 422, "query"),
        (format!("proof/inclusion?sequence=1&envelope={nobody}"), 422, "query"),
        (format!("proof/inclusion?sequence=0&size={}", size + 1), 422, "size"),
        ("proof/inclusion?sequence=0&size=0".into(), 422, "size"),
        ("proof/consistency".into(), 422, "from"),
        ("proof/consistency?from=0".into(), 422, "from"),
        ("proof/consistency?from=3&to=2".into(), 422, "from"),
        (format!("proof/consistency?from=1&to={}", size + 1), 422, "to"),
        ("tile/0/000".into(), 404, "unknown-tile"),
        (format!("tile/0/000.p/{}", size + 1), 404, "unknown-tile"),
        (format!("tile/entries/000.p/{}", size + 1), 404, "unknown-tile"),
        ("tile/0/x000/000.p/1".into(), 404, "unknown-tile"),
        ("tile/../../identity".into(), 404, "unknown-tile"),
        ("tile/".into(), 404, "unknown-tile"),
    ] {
        assert_eq!(refused(&api, &format!("/v1/log/{path}")).await, (status, code.into()), "{path}");
    }
    let posted = api.send(got("/v1/log/checkpoint").method(Method::POST)).await;
    assert_eq!((posted.status.as_u16(), posted.header("allow")), (405, Some("GET, HEAD")));
}
