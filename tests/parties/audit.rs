//! Chains exported at each party and checked by somebody who has no node.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kit::text;
use crate::world::{Party, Placed, Settings, WHOLE, World};

/// What an auditor has been handed.
pub struct Handed {
    folder: TempDir,
}

impl Handed {
    /// A chain, and if it is asked for with more than that what the party can disclose.
    pub fn by(party: &Party, order: &str, disclose: &[&str]) -> Self {
        let handed = Self { folder: tempfile::tempdir().unwrap() };
        let (chain, keys) = (handed.chain(), handed.keys());
        let mut arguments = vec!["audit", "export", order, "-o", chain.to_str().unwrap()];
        if !disclose.is_empty() {
            arguments.extend(["--disclose", keys.to_str().unwrap()]);
            arguments.extend(disclose.iter().filter(|flag| !flag.is_empty()));
        }
        let said = party.home.must(&arguments);
        assert_eq!(said.lines().count(), if disclose.is_empty() { 1 } else { 2 }, "{said}");
        handed
    }

    pub fn chain(&self) -> PathBuf {
        self.folder.path().join("order.car")
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    /// What `dta audit verify` makes of it, as JSON, with these trusted.
    pub fn judged(&self, trusted: &[&str]) -> Judged {
        let keys = self.keys();
        let (chain, keys) = (self.chain(), Some(keys).filter(|keys| keys.exists()));
        let output = verify(&chain, keys.as_deref(), trusted, &["--json"]);
        let judged = Judged(serde_json::from_slice(&output.stdout).unwrap());
        assert_eq!(output.status.code(), Some(if judged.holds() { 0 } else { 1 }), "{judged:?}");
        judged
    }
}

/// Runs `dta audit verify` where there is no home, and nothing in the environment.
fn verify(chain: &Path, keys: Option<&Path>, trusted: &[&str], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dta"));
    command.env_clear().args(["audit", "verify"]).arg(chain);
    if let Some(keys) = keys {
        command.arg("--keys").arg(keys);
    }
    command.arg("--trust").args(trusted).args(more).output().unwrap()
}

#[derive(Debug)]
pub struct Judged(Value);

impl Judged {
    pub fn holds(&self) -> bool {
        self.0["holds"].as_bool().unwrap()
    }

    fn checks(&self, outcome: &str) -> impl Iterator<Item = &Value> {
        let checks = self.0["checks"].as_array().unwrap().iter();
        checks.filter(move |check| check["outcome"] == outcome)
    }

    /// Check, step and reason of each that does not hold.
    pub fn fails(&self) -> Vec<(&str, &str, &str)> {
        self.checks("fails")
            .map(|check| (str_of(check, "check"), str_of(check, "step"), str_of(check, "reason")))
            .collect()
    }

    /// The checks that cannot be made.
    pub fn open(&self) -> BTreeSet<(&str, &str)> {
        self.checks("not disclosed").map(|check| (str_of(check, "check"), str_of(check, "role"))).collect()
    }

    pub fn outcome(&self, check: &str) -> Vec<&str> {
        let checks = self.0["checks"].as_array().unwrap().iter();
        checks.filter(|one| one["check"] == check).map(|one| str_of(one, "outcome")).collect()
    }

    fn about(&self, key: &str) -> &str {
        str_of(&self.0["order"], key)
    }
}

fn str_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn trusted(world: &World) -> [&str; 3] {
    [&world.alice.cid, &world.bob.cid, &world.carol.cid].map(String::as_str)
}

#[test]
fn a_whole_order_is_proved_by_what_each_party_hands_on() {
    let world = World::new();
    let carol = world.carol.cid.clone();
    let Placed { reference, order, commitment } = world.place("", &json!({}));
    world.alice.redeem(&reference, &carol).is(200);
    world.ends(&order, &world.carol, &WHOLE);
    let trusted = trusted(&world);
    let parties = [&world.alice, &world.bob, &world.carol];
    for party in parties {
        committed_to(party, &order);
        // Nothing but what is published.
        let plain = Handed::by(party, &order, &[]);
        let judged = plain.judged(&trusted);
        assert!(judged.holds(), "{judged:?}");
        assert_eq!((judged.about("state"), judged.about("commitment")), ("Received", ""));
        assert_eq!(judged.about("cid"), order);
        assert_eq!(judged.about("beneficiary"), carol, "she has signed");
        for check in ["signature", "link", "sequence", "one-signer", "time"] {
            assert_eq!(judged.outcome(check), ["holds"; 5], "{check}");
        }
        assert_eq!(judged.outcome("body"), ["not disclosed"; 6]);
        // Each proves that its own steps stand in its log, where the others' stand too; in how many records is its affair.
        let own = if party.name == "carol" { 1 } else { 2 };
        assert_eq!(judged.outcome("logged").iter().filter(|outcome| **outcome == "holds").count(), own);
        assert_eq!(judged.outcome("checkpoint"), ["holds"]);
        let included = judged.outcome("inclusion");
        assert!(
            (2..=5).contains(&included.len()) && included.iter().all(|outcome| *outcome == "holds"),
            "{included:?}"
        );

        // All that the party reads; what is for the beneficiary alone only she.
        let handed = Handed::by(party, &order, &[""]);
        let judged = handed.judged(&trusted);
        assert!(judged.holds(), "{judged:?}");
        assert_eq!(judged.about("commitment"), commitment);
        let mut open = BTreeSet::from([("logged", ""), ("secret", ""), ("secret-recipients", "")]);
        if party.name != "carol" {
            open.extend([("body", "beneficiary"), ("recipients", "beneficiary")]);
        }
        assert_eq!(judged.open(), open, "{}", party.name);
        for (check, count) in [
            ("party", 5),
            ("policy", 3),
            ("commitment", 1),
            ("keys", 1),
            ("beneficiary", 2),
            ("receipt", 1),
            ("rules", 5),
        ] {
            assert_eq!(judged.outcome(check), vec!["holds"; count], "{check}");
        }
        let mode = std::fs::metadata(handed.keys()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Every body that is opened can be read by exactly those who are to read it.
        assert!(judged.outcome("recipients").iter().filter(|outcome| **outcome == "holds").count() >= 5);
        // The secret is in neither file.
        let secret = world.carol.redeem(&order, &carol).is(200).str("secret");
        let raw = hex::decode(&secret).unwrap();
        for file in [handed.chain(), handed.keys()] {
            let bytes = std::fs::read(file).unwrap();
            let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!has(&raw) && !has(secret.as_bytes()));
        }
    }
    of_all_parties(&world, &order);
    of_all_orders(&world, &order);
    // To whom the secret is sealed, only she can show.
    let judged = Handed::by(&world.carol, &order, &["--disclose-secret"]).judged(&trusted);
    assert!(judged.holds(), "{judged:?}");
    assert_eq!(judged.outcome("secret-recipients"), ["holds"]);
    assert_eq!(judged.open(), BTreeSet::from([("logged", ""), ("secret", "")]));

    // Who is trusted, and whose keys they are, is for the auditor to say.
    let handed = Handed::by(&world.bob, &order, &[""]);
    let judged = handed.judged(&[trusted[0], trusted[2]]);
    assert_eq!(judged.fails(), [("trusted-signer", "", "signer-not-trusted")]);
    let Placed { order: other, .. } = world.place(&carol, &json!({}));
    std::fs::rename(Handed::by(&world.bob, &other, &[""]).keys(), handed.keys()).unwrap();
    assert_eq!(handed.judged(&trusted).fails(), [("disclosure", "", "disclosure-other-order")]);
    changed_files(&world, &order);
}

/// Waits until a party has committed to a log with all steps of an order.
fn committed_to(party: &Party, order: &str) {
    let newest = crate::world::chain(party, order).last().unwrap().1;
    let proof = format!("/v1/log/proof/inclusion?envelope={newest}");
    party.until("a checkpoint about the whole order", |node| node.get(&proof).status == 200);
}

/// What the three export proves together that each step stands in its signer's log; so does one file made of theirs.
fn of_all_parties(world: &World, order: &str) {
    let trusted = trusted(world);
    let all = [&world.carol, &world.alice, &world.bob].map(|party| Handed::by(party, order, &[""]));
    let [first, others @ ..] = &all;
    let mut more: Vec<String> = others.iter().map(|handed| text_of(&handed.chain())).collect();
    more.extend(others.iter().flat_map(|handed| ["--keys".to_owned(), text_of(&handed.keys())]));
    more.push("--json".into());
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let judge = |chain: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dta"));
        command.env_clear().args(["audit", "verify"]).arg(chain).args(more).arg("--keys").arg(first.keys());
        let output = command.arg("--trust").args(trusted).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        Judged(serde_json::from_slice(&output.stdout).unwrap())
    };
    let judged = judge(&first.chain(), &more);
    assert_eq!(judged.outcome("logged"), ["holds"; 5], "{judged:?}");
    assert_eq!((judged.outcome("file"), judged.outcome("same-order")), (vec!["holds"; 3], vec!["holds"; 2]));
    assert_eq!(judged.outcome("checkpoint"), ["holds"; 3]);
    assert_eq!(judged.open(), BTreeSet::from([("secret", ""), ("secret-recipients", "")]));

    let joined = text_of(&first.chain().with_extension("all"));
    let chains: Vec<String> = all.iter().map(|handed| text_of(&handed.chain())).collect();
    let mut join = vec!["audit", "join", "-o", &joined];
    join.extend(chains.iter().map(String::as_str));
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_dta")).env_clear().args(arguments).output().unwrap()
    };
    let said = run(&join);
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert_eq!(judge(Path::new(&joined), &["--json"]).outcome("logged"), ["holds"; 5]);
    assert!(text(&run(&join).stderr).contains("File exists"), "and nothing is overwritten");

    // Another order's file is named, and does not count.
    let other = world.place(&world.carol.cid, &json!({})).order;
    let strange = Handed::by(&world.alice, &other, &[]);
    let more = [&text_of(&strange.chain()), "--json"];
    let output = verify(&first.chain(), None, &trusted, &[]);
    assert!(output.status.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_dta"));
    command.env_clear().args(["audit", "verify"]).arg(first.chain()).args(more).arg("--trust");
    let output = command.args(trusted).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let judged = Judged(serde_json::from_slice(&output.stdout).unwrap());
    assert_eq!(judged.fails(), [("same-order", "", "other-order")]);
}

fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Each node audits all its orders while it runs, as an auditor would who is handed what it exports.
fn of_all_orders(world: &World, order: &str) {
    for party in [&world.alice, &world.bob, &world.carol] {
        let lines = |arguments: &[&str], status: i32| -> Vec<Value> {
            let output = party.home.run(&[&["audit", "verify", "--all", "--json"], arguments].concat());
            assert_eq!(
                output.status.code(),
                Some(status),
                "{}: {}",
                text(&output.stdout),
                text(&output.stderr)
            );
            text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let whole = lines(&[], 0);
        let summary = &whole[0]["summary"];
        assert_eq!((whole.len(), &summary["holds"], &summary["ordersFailing"]), (1, &json!(true), &json!(0)));
        let count = |summary: &Value, key: &str| summary["checks"][key].as_u64().unwrap();
        let orders = summary["orders"].as_u64().unwrap();
        assert!(orders >= 1 && summary["envelopes"].as_u64().unwrap() >= 5, "{summary}");
        assert!(count(summary, "hold") > 50 && count(summary, "fail") == 0, "{summary}");
        // Without the seed only what everybody may see.
        let public = lines(&["--public"], 0);
        assert!(count(&public[0]["summary"], "notDisclosed") > count(summary, "notDisclosed"), "{public:?}");
        assert!(count(&public[0]["summary"], "hold") < count(summary, "hold"));
        // Whom to trust may be said; each order that fails has a line, and what fails in it has names.
        let strangers = lines(&["--trust", &world.carol.cid], 1);
        let (summary, failing) = strangers.split_last().unwrap();
        assert_eq!((failing.len() as u64, &summary["summary"]["ordersFailing"]), (orders, &json!(orders)));
        let fails = &failing.iter().find(|line| line["order"] == order).unwrap()["fails"];
        assert_eq!(fails.as_array().unwrap().len(), 2, "{fails}");
        assert_eq!(
            (&fails[0]["check"], &fails[0]["reason"]),
            (&json!("trusted-signer"), &json!("signer-not-trusted"))
        );

        let told = party.home.run(&["audit", "verify", "--all"]);
        assert!(
            told.status.success()
                && text(&told.stderr).contains(&format!("audit: {orders} of {orders} orders"))
        );
        assert!(
            text(&told.stdout).ends_with("every check that can be made holds\n"),
            "{}",
            text(&told.stdout)
        );
        let told = party.home.run(&["audit", "verify", "--all", "--trust", &world.carol.cid]);
        let line = format!("order {order}: trusted-signer ");
        assert!(
            text(&told.stdout)
                .lines()
                .any(|told| told.starts_with(&line) && told.ends_with("(signer-not-trusted)"))
        );
        assert!(text(&told.stdout).ends_with("not every order holds\n"));
    }
    let refused = world.alice.home.must_fail(&["audit", "verify", "--all", "order.car"]);
    assert!(refused.contains("--all"), "{refused}");
}

/// A file that was changed on the way does not hold, and what the command says goes with its exit status.
fn changed_files(world: &World, order: &str) {
    let trusted = trusted(world);
    let handed = Handed::by(&world.alice, order, &[""]);
    let (chain, keys) = (handed.chain(), handed.keys());
    let told = verify(&chain, Some(&keys), &trusted, &[]);
    assert!(told.status.success(), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    assert!(
        told.contains(&format!("\norder          {order}\n"))
            || told.starts_with(&format!("order          {order}\n"))
    );
    assert!(told.lines().last().unwrap().starts_with("every check that can be made holds: "), "{told}");
    assert!(told.lines().any(|line| line == "holds          commitment         order/committed"), "{told}");

    let whole = std::fs::read(&chain).unwrap();
    for at in [0, 60, 200, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&chain, bytes).unwrap();
        let judged = handed.judged(&trusted);
        assert!(!judged.holds() && judged.fails()[0].0 == "file", "byte {at}: {judged:?}");
        let told = verify(&chain, Some(&keys), &trusted, &[]);
        assert_eq!(told.status.code(), Some(1));
        assert!(text(&told.stdout).contains("\nthe chain does not hold: 0 hold, 1 fail, 0 not disclosed\n"));
    }
    // A year before the order was placed.
    std::fs::write(&chain, &whole).unwrap();
    let early = verify(&chain, Some(&keys), &trusted, &["--json", "--at-ms", "1600000000000"]);
    let early = Judged(serde_json::from_slice(&early.stdout).unwrap());
    assert!(early.fails().contains(&("time", "order/placed", "issued-in-future")), "{early:?}");

    // What is none is said without a report.
    let said = |chain: &Path, keys: Option<&Path>, trusted: &[&str]| {
        let output = verify(chain, keys, trusted, &[]);
        assert!(!output.status.success() && output.stdout.is_empty());
        text(&output.stderr)
    };
    assert!(said(Path::new("/none/such"), None, &trusted).contains("/none/such"));
    assert!(said(&chain, Some(&chain), &trusted).contains("order.car"));
    assert!(said(&chain, None, &["bafynone"]).contains("bafynone"));
    assert!(said(&chain, None, &[]).contains("--trust"));
    // And nothing is overwritten, or written in half.
    let again = ["audit", "export", order, "-o", chain.to_str().unwrap()];
    assert!(world.alice.home.must_fail(&again).contains("is not overwritten"));
    let new = chain.with_extension("new");
    let taken = ["audit", "export", order, "-o", new.to_str().unwrap(), "--disclose", keys.to_str().unwrap()];
    assert!(world.alice.home.must_fail(&taken).contains("is not overwritten"));
    assert!(!new.exists());
    let unknown = ["audit", "export", "no-such-order", "-o", new.to_str().unwrap()];
    assert!(world.alice.home.must_fail(&unknown).contains("no-such-order"));
    assert_eq!(std::fs::read(&chain).unwrap(), whole);
}

#[test]
fn orders_that_ended_early_or_have_not_ended_are_proved_as_far_as_they_came() {
    let world = World::with(&Settings::impatient(), &[]);
    let (carol, trusted) = (world.carol.cid.clone(), trusted(&world));
    let Placed { reference, order, .. } =
        world.place(&carol, &json!({ "expiresAtMs": 4_000_000_000_000_u64 }));
    for party in [&world.alice, &world.bob] {
        let judged = Handed::by(party, &order, &[""]).judged(&trusted);
        assert!(judged.holds(), "{judged:?}");
        assert_eq!(judged.about("state"), "Committed");
        assert_eq!(judged.about("beneficiary"), carol, "as the order names her: she has signed nothing");
    }
    let new = Handed::by(&world.alice, &order, &[]);
    let unknown = ["audit", "export", &order, "-o", "/tmp/never-written.car"];
    assert!(world.carol.home.must_fail(&unknown).contains(&order), "she has not heard of it");
    assert_eq!(new.judged(&trusted).about("beneficiary"), "");

    world.alice.post(&format!("/v1/order/{reference}/cancel"), &json!({ "detail": "" })).is(200);
    for party in [&world.alice, &world.bob] {
        let judged = Handed::by(party, &order, &[""]).judged(&trusted);
        assert!(judged.holds(), "{judged:?}");
        assert_eq!((judged.about("state"), judged.outcome("policy")), ("Closed", vec!["holds"; 3]));
        assert_eq!(judged.open(), BTreeSet::from([("logged", "")]));
    }
}
