//! What a token gives of itself through custody: seals and releases a second by its sessions, beside its own AES-GCM in the same run.
//! Wants the tokens of `scripts/hsm`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::Attribute;
use cryptoki::slot::Slot;
use dta_crypto::Secret;
use dta_token::{Algorithm, Find, PinFrom, Place, Settings, Token};
use milagro_dta::actors::seeds::kek::Keks;
use milagro_dta::actors::seeds::{CidBytes, FileStore, SeedStore as _};
use milagro_dta::ports::{Entropy as _, OsEntropy};

/// Seeds of a run.
const SEEDS: usize = 2_000;
/// As many as custody's thread takes at once.
const GROUP: usize = 64;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: scripts/bench hsm sets it"))
}

fn token(sessions: usize) -> Arc<Token> {
    let settings = Settings {
        library: variable("DTA_HSM_SOFT").into(),
        token: Find::Label("dta-test".to_owned()),
        sessions,
        limit: Duration::from_secs(60),
    };
    Arc::new(Token::new(settings, PinFrom::File(variable("DTA_HSM_PIN").into())).unwrap())
}

fn rate(count: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    count as f64 / began.elapsed().as_secs_f64()
}

/// 64 bytes encrypted a second by so many sessions side by side, with nothing of ours around the module's own calls.
fn raw(sessions: usize) -> f64 {
    // All sessions of a process are logged in together, as long as one is.
    let logged_in = token(1);
    logged_in.make_or_adopt("bench-raw", &[1; 16], Algorithm::AesGcm, Vec::new(), &mut OsEntropy).unwrap();
    let module = Pkcs11::new(variable("DTA_HSM_SOFT")).unwrap();
    // It is started already.
    _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let has = |slot: &Slot| module.get_token_info(*slot).unwrap().label() == "dta-test";
    let slot = module.get_slots_with_token().unwrap().into_iter().find(has).unwrap();
    let each = SEEDS / sessions;
    let work = || {
        let session = module.open_ro_session(slot).unwrap();
        let key = session.find_objects(&[Attribute::Label(b"bench-raw".to_vec())]).unwrap()[0];
        for _ in 0..each {
            let mut iv = [0; 12];
            OsEntropy.fill(&mut iv);
            let params = GcmParams::new(&mut iv, &[1; 200], 128.into()).unwrap();
            session.encrypt(&Mechanism::AesGcm(params), key, &[2; 64]).unwrap();
        }
    };
    rate(each * sessions, || {
        std::thread::scope(|scope| (0..sessions).for_each(|_| _ = scope.spawn(work)));
    })
}

fn orders() -> Vec<CidBytes> {
    let order = |_| {
        let mut cid = [0; 36];
        cid[..4].copy_from_slice(&[1, 0x71, 0x12, 0x20]);
        OsEntropy.fill(&mut cid[4..]);
        cid
    };
    (0..SEEDS).map(order).collect()
}

/// Seals, releases and rewrappings a second of a store.
fn store(places: Vec<Place>) -> [f64; 3] {
    let folder = tempfile::tempdir().unwrap();
    let keks = Keks::on_tokens(&Secret::random(&mut OsEntropy), places);
    let own = folder.path().join("seeds");
    let mut store = FileStore::create(&own, &[], keks, &[3; 36], &[], &mut OsEntropy).unwrap();
    let orders = orders();
    let seals = rate(SEEDS, || {
        for group in orders.chunks(GROUP) {
            assert!(store.create(group, &mut OsEntropy).iter().all(Result::is_ok));
        }
    });
    let releases = rate(SEEDS, || {
        for group in orders.chunks(GROUP) {
            assert!(store.open(group).iter().all(Result::is_ok));
        }
    });
    store.rotate(milagro_dta::actors::seeds::kek::Role::First, None, &[], &mut OsEntropy).unwrap();
    let rewraps = rate(SEEDS, || while store.rewrap(None, GROUP, &mut OsEntropy).unwrap().left > 0 {});
    [seals, releases, rewraps]
}

/// By 1, 4 and 8 sessions, and without a token.
pub fn all() {
    println!(
        "\n| custody, {SEEDS} seeds | raw AES-GCM of the token, a second | seals | releases | rewraps |\n|---|---|---|---|---|"
    );
    for sessions in [1, 4, 8] {
        let raw = raw(sessions);
        let label = format!("bench-{}-{sessions}", std::process::id());
        let place = Place { token: token(sessions), label, algorithm: Algorithm::AesGcm };
        let [seals, releases, rewraps] =
            store(vec![place]).map(|rate| format!("{rate:.0} ({:.2})", rate / raw));
        println!("| SoftHSM2, {sessions} sessions | {raw:.0} | {seals} | {releases} | {rewraps} |");
    }
    let [seals, releases, rewraps] = store(Vec::new());
    println!("| soft, no token | | {seals:.0} | {releases:.0} | {rewraps:.0} |");
}
