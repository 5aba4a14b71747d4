//! Keys whose bytes the test knows: what the token made of them is computed again by others.

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use dta_crypto::Secret;
use dta_crypto::at_rest::open_at_rest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::library::Library;

const VALUE: [u8; 32] = [9; 32];

/// Puts a key of known bytes into SoftHSM; `more` besides what a KEK must have.
fn known(label: &str, key_type: KeyType, more: &[Attribute]) {
    let library = Library::get(variable("DTA_HSM_SOFT").as_ref()).unwrap();
    // Another test starts the module anew.
    let state = library.enter();
    let module = &state.module;
    let in_slot = |slot: &cryptoki::slot::Slot| {
        module.get_token_info(*slot).is_ok_and(|info| info.label() == "dta-test")
    };
    let slot = module.get_slots_with_token().unwrap().into_iter().find(in_slot).unwrap();
    let session = module.open_rw_session(slot).unwrap();
    log_in(&session);
    let mut template = vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(key_type),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Value(VALUE.to_vec()),
        Attribute::Unwrap(false),
    ];
    template.extend_from_slice(more);
    session.create_object(&template).unwrap();
}

fn log_in(session: &Session) {
    let pin = std::fs::read_to_string(pin_file()).unwrap();
    // All sessions of a process are logged in together.
    _ = session.login(UserType::User, Some(&AuthPin::new(pin.trim().into())));
}

#[test]
fn aes_gcm_is_that_of_others() {
    let under = soft(Algorithm::AesGcm);
    let token = under.token();
    token.info().unwrap();
    let label = under.label();
    known(
        &label,
        KeyType::AES,
        &[Attribute::Encrypt(true), Attribute::Decrypt(true), Attribute::Wrap(false)],
    );
    let kek =
        Arc::new(token.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted).unwrap().0);
    let wrapped = wrap_one(&token, &kek, b"aad", &[7; 64]).unwrap();
    let (iv, sealed) = wrapped[1..].split_at(12);
    let opened = open_at_rest(&Secret::from_bytes(VALUE), iv.try_into().unwrap(), b"aad", sealed).unwrap();
    assert_eq!((wrapped[0], opened.expose()), (12, &[7; 64][..]));
}

#[test]
fn hmac_kdf_is_that_of_sp_800_108() {
    let under = soft(Algorithm::HmacKdf);
    let token = under.token();
    token.info().unwrap();
    let label = under.label();
    known(&label, KeyType::GENERIC_SECRET, &[Attribute::Sign(true)]);
    let kek =
        Arc::new(token.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted).unwrap().0);
    let wrapped = wrap_one(&token, &kek, b"aad", &[7; 64]).unwrap();
    let (salt, sealed) = wrapped.split_at(32);
    let mut mac = Hmac::<Sha256>::new_from_slice(&VALUE).unwrap();
    mac.update(&[0, 0, 0, 1]);
    mac.update(b"milagro-dta/v1/hmac-kdf\0");
    mac.update(salt);
    mac.update(&Sha256::digest(b"aad"));
    mac.update(&[0, 0, 1, 0]);
    let derived = Secret::from_bytes(mac.finalize().into_bytes().into());
    assert_eq!(open_at_rest(&derived, &[0; 12], b"aad", sealed).unwrap().expose(), [7; 64]);
}

#[test]
fn an_administrators_key_that_is_unfit_is_refused_by_its_attribute() {
    let under = soft(Algorithm::AesGcm);
    let token = under.token();
    token.info().unwrap();
    let decrypts = [Attribute::Encrypt(true), Attribute::Decrypt(true), Attribute::Wrap(false)];
    let label = under.label();
    known(&label, KeyType::AES, &[&decrypts[..2], &[Attribute::Wrap(true)]].concat());
    let error = token.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted).unwrap_err();
    assert!(matches!(&error, TokenError::KeyUnfit { why, .. } if why.contains("wrap keys")), "{error}");
    // Two of one name: nobody can tell which is meant.
    let label = under.label();
    known(&label, KeyType::AES, &decrypts);
    known(&label, KeyType::AES, &decrypts);
    assert_eq!(
        code(token.make_or_adopt(&label, &id(), under.algorithm, Vec::new(), &mut Counted)),
        "token-key-ambiguous"
    );
}
