//! A vendor's module: loaded and started once a process, however many tokens of it are used, and started anew when it is the only
//! way to see a token again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use crate::error::TokenError;
use crate::pin::RefusedPins;

/// This long between two starts of a module, at least: each interrupts everybody who uses it.
const BETWEEN_STARTS: Duration = Duration::from_millis(500);

static LIBRARIES: Mutex<Option<HashMap<PathBuf, Arc<Library>>>> = Mutex::new(None);

/// A module. Whoever calls it holds [`Library::enter`]'s guard meanwhile.
pub struct Library {
    path: PathBuf,
    state: RwLock<State>,
    /// By token.
    refused: Mutex<HashMap<String, Arc<Mutex<RefusedPins>>>>,
}

/// A started module.
pub struct State {
    /// Its functions.
    pub module: Pkcs11,
    /// How often it was started; sessions of an earlier start are dead, and their numbers may be others' by now.
    pub start: u64,
    at: Instant,
}

impl Library {
    /// The module at `path`, started.
    pub fn get(path: &Path) -> Result<Arc<Self>, TokenError> {
        // By whatever name: it is started once, and remembers the PINs that its tokens refused. One that is found by the system's own
        // search has no other.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut libraries = locked(&LIBRARIES);
        let libraries = libraries.get_or_insert_default();
        if let Some(library) = libraries.get(&real) {
            return Ok(library.clone());
        }
        let trouble = |error: Error| trouble(path, &error);
        let module = Pkcs11::new(path).map_err(trouble)?;
        start(&module).map_err(trouble)?;
        let state = RwLock::new(State { module, start: 0, at: Instant::now() });
        let library = Arc::new(Self { path: path.to_owned(), state, refused: Mutex::default() });
        libraries.insert(real, library.clone());
        Ok(library)
    }

    /// The PINs that a token of this module has refused. Whoever logs in holds them locked meanwhile.
    pub fn refused_pins(&self, token: &str) -> Arc<Mutex<RefusedPins>> {
        locked(&self.refused).entry(token.to_owned()).or_default().clone()
    }

    /// For the time of a call.
    pub fn enter(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the module anew, unless somebody has since `seen`. Waits until that may be again, and `patience` at most for calls that
    /// are under way; false if they do not end.
    pub fn restart(&self, seen: u64, patience: Duration) -> Result<bool, TokenError> {
        // Another program may be changing the token just now, and then to look again at once would show the same.
        let (now, age) = {
            let state = self.enter();
            (state.start, state.at.elapsed())
        };
        if now == seen {
            std::thread::sleep(BETWEEN_STARTS.saturating_sub(age));
        }
        let until = Instant::now() + patience;
        let mut state = loop {
            match self.state.try_write() {
                Ok(state) => break state,
                Err(TryLockError::Poisoned(state)) => break state.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return Ok(false),
                // The standard library's lock cannot wait with a limit.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        if state.start != seen {
            return Ok(true);
        }
        // A module that has lost its device may fail to end, and start all the same.
        if let Err(error) = state.module.clone().finalize() {
            tracing::debug!(%error, "a PKCS#11 module did not end in order");
        }
        state.start += 1;
        state.at = Instant::now();
        start(&state.module).map_err(|error| trouble(&self.path, &error))?;
        Ok(true)
    }
}

fn start(module: &Pkcs11) -> Result<(), Error> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

fn trouble(path: &Path, error: &Error) -> TokenError {
    TokenError::Library { library: path.to_owned(), why: error.to_string() }
}

/// Nothing is half done under these locks.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
