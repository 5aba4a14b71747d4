//! The store with its keys in tokens, as `scripts/hsm` makes them: the contract over SoftHSM2 by both algorithms, over a TPM, and with a
//! second token; and what becomes of a store whose token is lost, swapped or replaced.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dta_token::{Algorithm, Find, PinFrom, Place, Settings, Token};

use super::*;
use crate::actors::seeds::kek::{KekKind, Role};

contract_tests!(softhsm, super::Tokens::new(&[super::soft("dta-test", super::Algorithm::AesGcm)]));
contract_tests!(softhsm_hmac, super::Tokens::new(&[super::soft("dta-test", super::Algorithm::HmacKdf)]));
contract_tests!(tpm, super::Tokens::new(&[super::tpm()]));
contract_tests!(
    two_tokens,
    super::Tokens::new(&[
        super::soft("dta-test", super::Algorithm::AesGcm),
        super::soft("dta-second", super::Algorithm::HmacKdf)
    ])
);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: these tests want the tokens that `scripts/test` makes (scripts/hsm)")
    })
}

/// A token of `scripts/hsm` and the key in it.
#[derive(Clone)]
struct Which {
    library: &'static str,
    token: &'static str,
    algorithm: Algorithm,
    label: String,
    sessions: usize,
}

fn soft(token: &'static str, algorithm: Algorithm) -> Which {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let label = format!("store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    Which { library: "DTA_HSM_SOFT", token, algorithm, label, sessions: 2 }
}

/// Its keys are an administrator's: kek-1 and those that follow it.
fn tpm() -> Which {
    let label = "kek-1".to_owned();
    Which { library: "DTA_HSM_TPM", token: "dta-tpm", algorithm: Algorithm::HmacKdf, label, sessions: 1 }
}

impl Which {
    fn place(&self) -> Place {
        let settings = Settings {
            library: variable(self.library).into(),
            token: Find::Label(self.token.to_owned()),
            sessions: self.sessions,
            limit: Duration::from_secs(30),
        };
        let token = Token::new(settings, PinFrom::File(variable("DTA_HSM_PIN").into())).unwrap();
        Place { token: Arc::new(token), label: self.label.clone(), algorithm: self.algorithm }
    }
}

/// A home whose seeds are wrapped in these tokens.
struct Tokens {
    home: Home,
    which: Vec<Which>,
    places: Vec<Place>,
    /// The TPM serves one test at a time.
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Tokens {
    fn new(which: &[Which]) -> Self {
        static TPM: Mutex<()> = Mutex::new(());
        let is_tpm = which.iter().any(|which| which.library == "DTA_HSM_TPM");
        let alone = is_tpm.then(|| TPM.lock().unwrap_or_else(PoisonError::into_inner));
        let places = which.iter().map(Which::place).collect();
        let tokens = Self { home: Home::empty(1), which: which.to_vec(), places, _alone: alone };
        let keks = tokens.keks(&tokens.places);
        let entropy = &mut TestEntropy::new("store");
        FileStore::create(&tokens.home.own(), &tokens.home.folders(), keks, &cid("node"), &[], entropy)
            .unwrap();
        tokens
    }

    fn keks(&self, places: &[Place]) -> Keks {
        Keks::on_tokens(&node_seed("node"), places.to_vec())
    }

    fn open_with(&self, places: &[Place]) -> Result<FileStore, SeedError> {
        FileStore::open(&self.home.own(), &self.home.folders(), self.keks(places), &cid("node"))
    }

    /// A place whose token is nowhere.
    fn gone(&self, n: usize) -> Place {
        let which = Which { token: "no such token", ..self.which[n].clone() };
        // It must have the name that the store knows, and yet not be there.
        let mut place = which.place();
        let settings = self.places[n].token.settings().clone();
        let settings = Settings { library: "/no/such/module.so".into(), ..settings };
        place.token = Arc::new(Token::new(settings, PinFrom::File(variable("DTA_HSM_PIN").into())).unwrap());
        place
    }
}

impl Backend for Tokens {
    fn open(&self) -> Box<dyn SeedStore> {
        Box::new(self.open_with(&self.places).unwrap())
    }
}

fn one(name: &str) -> Tokens {
    let tokens = Tokens::new(&[soft("dta-test", Algorithm::AesGcm)]);
    order(&mut tokens.open_with(&tokens.places).unwrap(), name).unwrap();
    tokens
}

#[test]
fn without_its_token_a_store_opens_and_says_what_it_lacks() {
    let tokens = one("alice 1");
    let mut store = tokens.open_with(&[tokens.gone(0)]).unwrap();
    store.check();
    assert!(store.status().trouble().unwrap().contains("/no/such/module.so"));
    for _ in 0..2 {
        assert_eq!(code(open(&mut store, "alice 1")), "token-library");
        assert_eq!(code(order(&mut store, "alice 2")), "token-library");
        assert_eq!(code(SeedStore::ready(&mut store)), "token-library");
    }
    // What needs no key goes on.
    assert_eq!(code(open(&mut store, "bob 1")), "custody-not-found");
    assert_eq!(store.list().len(), 1);
    store.shred(&cid("alice 1")).unwrap();
    assert_eq!(code(open(&mut store, "alice 1")), "custody-shredded");
}

#[test]
fn either_of_two_tokens_opens_everything() {
    let tokens = Tokens::new(&[soft("dta-test", Algorithm::AesGcm), soft("dta-second", Algorithm::HmacKdf)]);
    let commitment = order(&mut tokens.open_with(&tokens.places).unwrap(), "alice 1").unwrap();
    for lost in 0..2 {
        let mut places = tokens.places.clone();
        places[lost] = tokens.gone(lost);
        let mut store = tokens.open_with(&places).unwrap();
        assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
        // New seeds would be under one key only.
        assert_eq!(code(order(&mut store, "alice 2")), "token-library");
        // Given up for good: the other one becomes the first, and is enough.
        let left = [tokens.places[1 - lost].clone()];
        let mut store = tokens.open_with(&left).unwrap();
        assert_eq!(code(order(&mut store, "alice 2")), "custody-no-kek");
        assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    }
    let mut store = tokens.open_with(&tokens.places[1..]).unwrap();
    assert!(store.complete(&[], &mut TestEntropy::new("given up")).unwrap());
    order(&mut store, "alice 2").unwrap();
}

#[test]
fn a_lost_token_is_replaced_by_another() {
    let (first, second) = (soft("dta-test", Algorithm::AesGcm), soft("dta-second", Algorithm::AesGcm));
    let tokens = Tokens::new(&[first, second]);
    let commitment = order(&mut tokens.open_with(&tokens.places).unwrap(), "alice 1").unwrap();
    // The first one is dead: the second takes its place, and a new one that of the second.
    let new = soft("dta-other", Algorithm::HmacKdf).place();
    let places = [tokens.places[1].clone(), new];
    let mut store = tokens.open_with(&places).unwrap();
    let entropy = &mut TestEntropy::new("replaced");
    assert!(store.complete(&[], entropy).unwrap());
    assert!(!store.complete(&[], entropy).unwrap());
    assert_eq!(store.rewrap(None, 10, entropy).unwrap().done, 1);
    let keks = store.status().keks;
    assert_eq!(keks.len(), 2, "the dead one is forgotten");
    assert!(keks.iter().all(|kek| kek.seeds == 1 && kek.role != Role::Retired));
    // By the new one alone.
    let mut store = tokens.open_with(&places[1..]).unwrap();
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
}

#[test]
fn a_soft_store_moves_into_a_token() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let place = soft("dta-test", Algorithm::AesGcm).place();
    let keks = || Keks::on_tokens(&node_seed("node"), vec![place.clone()]);
    let mut store = FileStore::open(&home.own(), &home.folders(), keks(), &cid("node")).unwrap();
    // Nothing is wrapped under a key in the file any more, from the moment that the settings say so.
    assert_eq!(code(order(&mut store, "alice 2")), "custody-no-kek");
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    let entropy = &mut TestEntropy::new("moved");
    assert!(store.complete(&[], entropy).unwrap());
    order(&mut store, "alice 2").unwrap();
    store.rewrap(None, 10, entropy).unwrap();
    assert!(store.status().keks.iter().all(|kek| kek.kind == KekKind::AesGcm && kek.seeds == 2));
    home.assert_copies_equal();
    // The node's seed does not open it any more.
    assert_eq!(code(home.store().open(&[cid("alice 1")]).remove(0)), "token-absent");
}

#[test]
fn a_token_with_another_key_of_the_same_name_is_told_from_a_changed_record() {
    let tokens = one("alice 1");
    // The same name, on another token: as one that was initialised anew, and given a key of that label.
    let other = Which { token: "dta-second", ..tokens.which[0].clone() };
    let swapped = other.place();
    swapped
        .token
        .make_or_adopt(&other.label, &[9; 16], other.algorithm, Vec::new(), &mut TestEntropy::new("swap"))
        .unwrap();
    // The store asks for its token by name: the name leads to the other one.
    tokens.home.change(0, |bytes| rename(bytes, "dta-test", "dta-second"));
    tokens.home.change(1, |bytes| rename(bytes, "dta-test", "dta-second"));
    // Nobody but this node can write that into a header.
    assert_eq!(code(tokens.open_with(&[swapped]).map(drop)), "custody-locked");
}

/// Puts another token's name into both halves of a header, with right checksums.
fn rename(bytes: &mut [u8], from: &str, to: &str) {
    use crate::actors::seeds::file::header::{HALF_BYTES, Header};
    let page = bytes[..PAGE_BYTES].try_into().unwrap();
    let (mut header, slots) = Header::read(page).unwrap();
    header.keks[0].token = header.keks[0].token.replace(from, to);
    let half = header.half(slots);
    bytes[..HALF_BYTES].copy_from_slice(&half);
    bytes[HALF_BYTES..PAGE_BYTES].copy_from_slice(&half);
}

#[test]
fn no_more_keys_are_made_than_a_header_can_name() {
    let home = Home::new(1);
    let entropy = &mut TestEntropy::new("many");
    let commitment = home.order("alice 1");
    let mut store = home.store();
    (0..5).for_each(|_| _ = store.rotate(Role::First, None, &[], entropy).unwrap());
    drop(store);
    let place = soft("dta-test", Algorithm::AesGcm).place();
    let open_in_token = || {
        let keks = Keks::on_tokens(&node_seed("node"), vec![place.clone()]);
        FileStore::open(&home.own(), &home.folders(), keks, &cid("node")).unwrap()
    };
    assert_eq!(code(open_in_token().complete(&[], entropy)), "custody-many-keks");
    assert_eq!(open(&mut home.store(), "alice 1").unwrap(), commitment);
    // Under the one in use the others can go.
    home.store().rewrap(None, 10, entropy).unwrap();
    assert!(open_in_token().complete(&[], entropy).unwrap());
    assert_eq!(open(&mut open_in_token(), "alice 1").unwrap(), commitment);
}

#[test]
fn a_key_in_use_is_not_rotated_to_itself() {
    let tokens = one("alice 1");
    let mut store = tokens.open_with(&tokens.places).unwrap();
    let entropy = &mut TestEntropy::new("same");
    let label = tokens.which[0].label.clone();
    assert_eq!(code(store.rotate(Role::First, Some(&label), &[], entropy)), "custody-kek-taken");
    store.rotate(Role::First, None, &[], entropy).unwrap();
    assert_eq!(code(store.rotate(Role::First, Some(&label), &[], entropy)), "custody-kek-taken");
}

#[test]
fn what_is_promised_again_is_under_the_keys_in_use() {
    let home = Home::new(1);
    let commitment = home.order("alice 1");
    let keks = Keks::on_tokens(&node_seed("node"), vec![soft("dta-test", Algorithm::AesGcm).place()]);
    let mut store = FileStore::open(&home.own(), &home.folders(), keks, &cid("node")).unwrap();
    store.complete(&[], &mut TestEntropy::new("moved")).unwrap();
    // As after a crash between the seed and its commitment.
    assert_eq!(order(&mut store, "alice 1").unwrap(), commitment);
    assert_eq!(open(&mut store, "alice 1").unwrap(), commitment);
    let keks = store.status().keks;
    let seeds = |role| keks.iter().filter(|kek| kek.role == role).map(|kek| kek.seeds).sum::<u32>();
    assert_eq!((seeds(Role::First), seeds(Role::Retired)), (1, 0));
    home.assert_copies_equal();
}

#[test]
fn a_key_of_one_store_is_never_another_stores() {
    let which = soft("dta-test", Algorithm::AesGcm);
    let one = Tokens::new(std::slice::from_ref(&which));
    let by_label = one.places[0].clone();
    let serial = Find::Serial(by_label.token.info().unwrap().serial);
    let settings = Settings { token: serial, ..by_label.token.settings().clone() };
    let token = Token::new(settings, PinFrom::File(variable("DTA_HSM_PIN").into())).unwrap();
    let by_serial = Place { token: Arc::new(token), ..by_label.clone() };
    let taken = one.open_with(&one.places).unwrap();
    let entropy = &mut TestEntropy::new("other");
    // Not when it is made, by neither name of the token.
    let make = |place: &Place, home: &Home, entropy: &mut TestEntropy| {
        let keks = one.keks(std::slice::from_ref(place)).of_store("other");
        FileStore::create(&home.own(), &home.folders(), keks, &cid("node"), taken.keks(), entropy)
    };
    let home = Home::empty(0);
    assert_eq!(code(make(&by_serial, &home, entropy)), "custody-kek-taken");
    assert!(!home.file(0).exists());
    // By the same name it has another label of its own accord, which has the store's name.
    let mut other = make(&by_label, &home, entropy).unwrap();
    let label = |store: &FileStore| store.keks().last().unwrap().label.clone();
    assert_eq!(label(&other), format!("{}-other-1", which.label));
    // Not when it is rotated.
    let rotate = |store: &mut FileStore, label: Option<&str>, entropy: &mut TestEntropy| {
        store.rotate(Role::First, label, taken.keks(), entropy).map(drop)
    };
    assert_eq!(code(rotate(&mut other, Some(&which.label), entropy)), "custody-kek-taken");
    rotate(&mut other, None, entropy).unwrap();
    assert_eq!(label(&other), format!("{}-other-2", which.label));
    // And not when the settings change.
    let soft_home = Home::new(0);
    let keks = one.keks(&[by_serial]).of_store("soft");
    let mut moved = FileStore::open(&soft_home.own(), &[], keks, &cid("node")).unwrap();
    assert_eq!(code(moved.complete(taken.keks(), entropy)), "custody-kek-taken");
    assert_eq!(moved.keks().len(), 1);
}

#[test]
fn a_made_up_label_fits_whatever_the_store_is_called() {
    let place = Place { label: "k".repeat(40), ..soft("dta-test", Algorithm::AesGcm).place() };
    let keks = Keks::on_tokens(&node_seed("node"), vec![place]).of_store(&"n".repeat(32));
    let label = keks.next_label(Role::First, u32::MAX).unwrap();
    assert_eq!(label, format!("{}-{}-4294967295", "k".repeat(40), "n".repeat(12)));
    assert_eq!(label.len(), 64);
}
