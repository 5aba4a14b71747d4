//! One login to a token, and what is done in it. A session that fails is left and another one opened; a key is used only after
//! it has opened its canary in this session; a failure is told apart by the canary, since tokens say the same of a
//! changed record and of a dead device.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use dta_crypto::{Secret, SecretBytes};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::algorithm::{self, Algorithm, SALT_BYTES};
use crate::error::TokenError;
use crate::key::{self, Kek, KekId};
use crate::library::{Library, locked};
use crate::pin::PinFrom;
use crate::{Find, Settings};

/// How long a new start of the module waits for calls that others have under way.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a PIN is not tried again after a login that failed otherwise.
const PAUSE: Duration = Duration::from_secs(5);
const CANARY_AAD: &[u8] = b"milagro-dta/v1/canary\0";

/// What a token says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it, and which it is.
    pub model: String,
    /// Whether it has AES-GCM, so that `aes-gcm` can be used.
    pub aes_gcm: bool,
}

/// What all sessions with a token share.
pub struct Access {
    /// Which token.
    pub settings: Settings,
    pin: PinFrom,
}

impl Access {
    /// Nothing is opened yet.
    pub fn new(settings: Settings, pin: PinFrom) -> Self {
        Self { settings, pin }
    }

    /// Logs in. All sessions of a process with a token are logged in together. A PIN that was refused is not tried again, nor any on
    /// a token that would lock itself if it were wrong.
    fn log_in(
        &self,
        session: &Session,
        library: &Library,
        module: &Pkcs11,
        slot: Slot,
    ) -> Result<(), TokenError> {
        let info = module.get_token_info(slot)?;
        // Held meanwhile: nobody in this process must try one wrong PIN twice, under whatever name the token is known to them.
        let refused = library.refused_pins(&format!("{} {}", info.serial_number(), info.label()));
        let mut refused = locked(&refused);
        let pin = self.pin.read()?;
        if let Some(why) = refused.why(&pin, Instant::now()) {
            return Err(self.refusal(why));
        }
        if info.user_pin_locked() || info.user_pin_final_try() {
            return Err(
                self.refusal("the token says that it is locked, or has one try left: unlock it by hand")
            );
        }
        let error = match session.login(UserType::User, Some(pin.as_auth())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                refused.forget(&pin);
                return Ok(());
            }
            Err(Error::Pkcs11(error, _)) => error,
            Err(error) => return Err(error.into()),
        };
        let why = error.to_string();
        match error {
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinLocked
            | RvError::PinExpired => {
                refused.add(pin, why.clone(), None);
                Err(self.refusal(&why))
            }
            // Not about this PIN: no try is counted. SoftHSM2 says it of a token whose file another process is just writing.
            RvError::UserPinNotInitialized => Err(TokenError::Failed { what: format!("login: {why}") }),
            // It may be the token that is away, and it may be a module's own word for a wrong PIN.
            _ => {
                refused.add(pin, why.clone(), Some(Instant::now() + PAUSE));
                Err(TokenError::Failed { what: format!("login: {why}") })
            }
        }
    }

    fn refusal(&self, why: &str) -> TokenError {
        TokenError::Pin {
            token: self.settings.token.to_string(),
            source_of_pin: self.pin.describe(),
            why: why.to_owned(),
        }
    }

    /// The slot with the token.
    fn slot(&self, module: &Pkcs11) -> Result<Slot, TokenError> {
        let mut found = Vec::new();
        for slot in module.get_slots_with_token()? {
            let fits = match &self.settings.token {
                Find::Slot(number) => slot.id() == *number,
                named => module.get_token_info(slot).is_ok_and(|info| match named {
                    Find::Label(label) => info.label() == label,
                    Find::Serial(serial) => info.serial_number() == serial,
                    Find::Slot(_) => false,
                }),
            };
            found.extend(fits.then_some(slot));
        }
        let token = self.settings.token.to_string();
        match found.as_slice() {
            [] => Err(TokenError::Absent { token }),
            [slot] => Ok(*slot),
            many => Err(TokenError::Ambiguous { token, count: many.len() }),
        }
    }
}

/// One thread's way to a token.
pub struct Worker {
    access: Arc<Access>,
    library: Option<Arc<Library>>,
    open: Option<Open>,
}

/// A session of one start of the module.
struct Open {
    start: u64,
    session: Session,
    /// Keys that have opened their canary here.
    keys: HashMap<KekId, ObjectHandle>,
}

/// A call, with a session that is logged in.
type Call<'a, T> = &'a dyn Fn(&Session, &mut HashMap<KekId, ObjectHandle>) -> Result<T, TokenError>;

impl Worker {
    /// Nothing is opened yet.
    pub fn new(access: Arc<Access>) -> Self {
        Self { access, library: None, open: None }
    }

    /// What the token says of itself. Needs no login.
    pub fn info(&mut self) -> Result<TokenInfo, TokenError> {
        let library = self.library()?;
        let state = library.enter();
        let slot = self.access.slot(&state.module)?;
        let info = state.module.get_token_info(slot)?;
        let mechanisms = state.module.get_mechanism_list(slot)?;
        Ok(TokenInfo {
            label: info.label().to_owned(),
            serial: info.serial_number().to_owned(),
            model: format!("{} {}", info.manufacturer_id(), info.model()),
            aes_gcm: mechanisms.contains(&cryptoki::mechanism::MechanismType::AES_GCM),
        })
    }

    /// Makes a KEK, or adopts the one that has this label unless it is one of `taken`, and wraps its canary.
    pub fn make_or_adopt(
        &mut self,
        label: &str,
        id: &KekId,
        algorithm: Algorithm,
        taken: &[Kek],
        random: &[u8; SALT_BYTES],
    ) -> Result<(Kek, bool), TokenError> {
        let (canary, made) = self.reliably(&|session, _| {
            let made = match key::find(session, label) {
                Err(TokenError::KeyMissing { .. }) => {
                    key::make(session, label, id, algorithm)?;
                    true
                }
                found => found.map(|_| false)?,
            };
            let handle = key::find(session, label)?;
            key::check(session, handle, label, algorithm)?;
            let opens = |kek: &&Kek| {
                kek.algorithm == algorithm
                    && unwrap(session, handle, algorithm, CANARY_AAD, &kek.canary)
                        .is_ok_and(|opened| opened.expose() == canary_of(&kek.id))
            };
            if !made && taken.iter().any(|kek| opens(&kek)) {
                return Err(TokenError::KeyTaken { label: label.to_owned() });
            }
            // Also shows that the token did answer when it opened none of those.
            let plain = canary_of(id);
            let canary = wrap(session, handle, algorithm, CANARY_AAD, &plain, random)?;
            // What cannot be opened again must not become a KEK.
            let opened = unwrap(session, handle, algorithm, CANARY_AAD, &canary)?;
            if opened.expose() != plain {
                let why = "it does not open what it has wrapped".to_owned();
                return Err(TokenError::KeyUnfit { label: label.to_owned(), why });
            }
            Ok((canary, made))
        })?;
        Ok((Kek { id: *id, label: label.to_owned(), algorithm, canary }, made))
    }

    /// Whether a KEK is there and opens its canary, asked of the token now.
    pub fn check(&mut self, kek: &Kek) -> Result<(), TokenError> {
        self.reliably(&|session, keys| {
            keys.remove(&kek.id);
            with_canary(session, keys, kek).map(drop)
        })
    }

    /// Wraps at most 64 bytes. `random` is used for this only.
    pub fn wrap(
        &mut self,
        kek: &Kek,
        aad: &[u8],
        plain: &[u8],
        random: &[u8; SALT_BYTES],
    ) -> Result<Vec<u8>, TokenError> {
        self.reliably(&|session, keys| {
            let handle = with_canary(session, keys, kek)?;
            wrap(session, handle, kek.algorithm, aad, plain, random)
        })
    }

    /// Opens what this KEK wrapped. `Refused` is said only when the canary opened beside it.
    pub fn unwrap(&mut self, kek: &Kek, aad: &[u8], wrapped: &[u8]) -> Result<SecretBytes, TokenError> {
        // What is torn in its outer form never reaches the token.
        let form = match kek.algorithm {
            Algorithm::AesGcm => algorithm::unpack_gcm(wrapped).map(drop),
            Algorithm::HmacKdf => algorithm::unpack_derived(wrapped).map(drop),
        };
        form?;
        self.reliably(&|session, keys| {
            let handle = with_canary(session, keys, kek)?;
            unwrap(session, handle, kek.algorithm, aad, wrapped).or_else(|error| {
                keys.remove(&kek.id);
                let handle = with_canary(session, keys, kek).map_err(|canary| worse(error, canary))?;
                // The key is well: what fails twice under it was changed.
                unwrap(session, handle, kek.algorithm, aad, wrapped).map_err(|_| TokenError::Refused)
            })
        })
    }

    /// Calls; on a failure calls again in a new session, and then after a new start of the module, which is the only thing
    /// that brings back a token that was away.
    fn reliably<T>(&mut self, call: Call<'_, T>) -> Result<T, TokenError> {
        let mut failed = None;
        for renewal in 0..3 {
            match self.once(call) {
                Err(error) if is_of_the_device(&error) => {
                    self.leave();
                    if renewal == 1 && !self.restart()? {
                        return Err(error);
                    }
                    failed = Some(error);
                }
                answer => return answer,
            }
        }
        Err(failed.unwrap_or(TokenError::Stopped))
    }

    fn once<T>(&mut self, call: Call<'_, T>) -> Result<T, TokenError> {
        let library = self.library()?;
        let state = library.enter();
        if self.open.as_ref().is_none_or(|open| open.start != state.start) {
            self.open = None;
            let slot = self.access.slot(&state.module)?;
            // Closed by hand: the number of a session from an earlier start may be another's now. Read and write, since
            // some modules make keys in no other, and some let a token have sessions of one sort only.
            let session = state.module.open_rw_session_no_drop(slot)?;
            if let Err(error) = self.access.log_in(&session, &library, &state.module, slot) {
                _ = session.close();
                return Err(error);
            }
            self.open = Some(Open { start: state.start, session, keys: HashMap::new() });
        }
        let Some(open) = &mut self.open else { return Err(TokenError::Stopped) };
        call(&open.session, &mut open.keys)
    }

    fn library(&mut self) -> Result<Arc<Library>, TokenError> {
        match &self.library {
            Some(library) => Ok(library.clone()),
            None => Ok(self.library.insert(Library::get(&self.access.settings.library)?).clone()),
        }
    }

    /// Closes the session, if it is still of this start of the module.
    fn leave(&mut self) {
        let (Some(library), Some(open)) = (&self.library, self.open.take()) else { return };
        let state = library.enter();
        if state.start == open.start {
            _ = open.session.close();
        }
    }

    fn restart(&mut self) -> Result<bool, TokenError> {
        let library = self.library()?;
        let seen = library.enter().start;
        library.restart(seen, PATIENCE)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether a new session or a new start could help. Not against a wrong PIN, or a key that is another.
fn is_of_the_device(error: &TokenError) -> bool {
    matches!(
        error,
        TokenError::Failed { .. }
            | TokenError::Absent { .. }
            | TokenError::KeyMissing { .. }
            | TokenError::Swapped { .. }
            | TokenError::Library { .. }
    )
}

/// Of two failures the one that says what is wrong with the token.
fn worse(first: TokenError, canary: TokenError) -> TokenError {
    if matches!(canary, TokenError::Failed { .. }) && matches!(first, TokenError::Failed { .. }) {
        return first;
    }
    canary
}

/// The handle of a KEK, which has opened its canary in this session.
fn with_canary(
    session: &Session,
    keys: &mut HashMap<KekId, ObjectHandle>,
    kek: &Kek,
) -> Result<ObjectHandle, TokenError> {
    if let Some(handle) = keys.get(&kek.id) {
        return Ok(*handle);
    }
    let handle = key::find(session, &kek.label)?;
    let opened = match unwrap(session, handle, kek.algorithm, CANARY_AAD, &kek.canary) {
        Ok(opened) => opened,
        // A dead token and a wrong key say the same: only one of them can still tell about its key.
        Err(error) => {
            let alive = session.get_attributes(handle, &[cryptoki::object::AttributeType::Label]).is_ok()
                && session.generate_random_vec(16).is_ok();
            let swapped = TokenError::Swapped { label: kek.label.clone() };
            return Err(if alive || error == TokenError::Refused { swapped } else { error });
        }
    };
    if !bool::from(opened.expose().ct_eq(&canary_of(&kek.id))) {
        return Err(TokenError::Swapped { label: kek.label.clone() });
    }
    keys.insert(kek.id, handle);
    Ok(handle)
}

fn canary_of(id: &KekId) -> [u8; 32] {
    Sha256::new().chain_update(CANARY_AAD).chain_update(id).finalize().into()
}

fn wrap(
    session: &Session,
    key: ObjectHandle,
    algorithm: Algorithm,
    aad: &[u8],
    plain: &[u8],
    random: &[u8; SALT_BYTES],
) -> Result<Vec<u8>, TokenError> {
    match algorithm {
        Algorithm::AesGcm => {
            let given: [u8; 12] = std::array::from_fn(|i| random[i]);
            let encrypt = |given: [u8; 12]| {
                let mut after = given;
                let params = GcmParams::new(&mut after, aad, 128.into())?;
                let ciphertext = session.encrypt(&Mechanism::AesGcm(params), key, plain)?;
                Ok(algorithm::pack_gcm(&given, &after, ciphertext, plain.len()))
            };
            match encrypt(given) {
                // A token that makes every IV itself refuses ours: it wants zeros, and returns what it took.
                Err(Error::Pkcs11(RvError::MechanismParamInvalid | RvError::ArgumentsBad, _)) => {
                    encrypt([0; 12])?
                }
                packed => packed?,
            }
        }
        Algorithm::HmacKdf => {
            let derived = derive(session, key, random, aad)?;
            Ok(algorithm::seal_derived(&derived, random, aad, plain))
        }
    }
}

fn unwrap(
    session: &Session,
    key: ObjectHandle,
    algorithm: Algorithm,
    aad: &[u8],
    wrapped: &[u8],
) -> Result<SecretBytes, TokenError> {
    match algorithm {
        Algorithm::AesGcm => {
            let (mut iv, ciphertext) = algorithm::unpack_gcm(wrapped)?;
            let params = GcmParams::new(&mut iv, aad, 128.into())?;
            Ok(SecretBytes::new(session.decrypt(&Mechanism::AesGcm(params), key, ciphertext)?))
        }
        Algorithm::HmacKdf => {
            let (salt, sealed) = algorithm::unpack_derived(wrapped)?;
            let derived = derive(session, key, salt, aad)?;
            algorithm::open_derived(&derived, aad, sealed)
        }
    }
}

fn derive(
    session: &Session,
    key: ObjectHandle,
    salt: &[u8; SALT_BYTES],
    aad: &[u8],
) -> Result<Secret<32>, TokenError> {
    let input = algorithm::hmac_input(salt, aad);
    let derived = SecretBytes::new(session.sign(&Mechanism::Sha256Hmac, key, &input)?);
    let what = || TokenError::Failed { what: "its HMAC-SHA-256 has not 32 bytes".to_owned() };
    let derived: &[u8; 32] = derived.expose().try_into().map_err(|_| what())?;
    Ok(Secret::build(|key| key.copy_from_slice(derived)))
}
