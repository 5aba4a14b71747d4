//! The threads that own a token's sessions. A call that takes too long is answered without it; its thread is out of work until
//! the module gives it back, and when all are, callers are told at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use dta_crypto::{Entropy, SecretBytes};

use crate::Settings;
use crate::algorithm::{Algorithm, SALT_BYTES};
use crate::error::TokenError;
use crate::key::{Kek, KekId};
use crate::library::locked;
use crate::pin::PinFrom;
use crate::session::{Access, TokenInfo, Worker};

/// What is to be wrapped.
pub struct Wrap {
    /// What the wrapping is bound to.
    pub aad: Vec<u8>,
    /// At most 64 bytes.
    pub plain: SecretBytes,
}

/// What is to be opened.
pub struct Unwrap {
    /// What the wrapping is bound to.
    pub aad: Vec<u8>,
    /// As it was given.
    pub wrapped: Vec<u8>,
}

/// A token, with its sessions. Cheap to share.
///
/// Every call blocks its caller until it is answered; one of a batch is given up when nothing of the batch was answered for the
/// configured limit. It connects when it is first used, and again when it must; a token that was away is found again by the next call.
pub struct Token {
    shared: Arc<Shared>,
    threads: Mutex<Threads>,
}

/// A token, and the key in it that is to be a KEK.
#[derive(Clone)]
pub struct Place {
    /// The token.
    pub token: Arc<Token>,
    /// The key's label.
    pub label: String,
    /// How it is to wrap.
    pub algorithm: Algorithm,
}

impl Place {
    /// The token, as it is looked for.
    pub fn name(&self) -> String {
        self.token.settings().token.to_string()
    }
}

struct Shared {
    access: Arc<Access>,
    queue: Mutex<Queue>,
    ready: Condvar,
    /// Threads whose call was given up.
    stuck: AtomicUsize,
}

struct Threads {
    handles: Vec<Option<JoinHandle<()>>>,
    /// The number of each that has closed its session.
    ended: Receiver<usize>,
}

struct Queue {
    tasks: VecDeque<Task>,
    open: bool,
}

struct Task {
    state: Arc<AtomicU8>,
    run: Box<dyn FnOnce(&mut Worker) + Send>,
}

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const GIVEN_UP: u8 = 3;

impl Token {
    /// Starts the threads; nothing is opened yet.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(settings: Settings, pin: PinFrom) -> std::io::Result<Self> {
        let sessions = settings.sessions.max(1);
        let shared = Arc::new(Shared {
            access: Arc::new(Access::new(settings, pin)),
            queue: Mutex::new(Queue { tasks: VecDeque::new(), open: true }),
            ready: Condvar::new(),
            stuck: AtomicUsize::new(0),
        });
        let (works, ended) = channel();
        let mut handles = Vec::with_capacity(sessions);
        for number in 0..sessions {
            let (shared, works) = (shared.clone(), works.clone());
            let work = move || {
                work(&shared);
                // Nobody waits any more, if it was given up.
                _ = works.send(number);
            };
            handles.push(Some(thread::Builder::new().name(format!("token-{number}")).spawn(work)?));
        }
        Ok(Self { shared, threads: Mutex::new(Threads { handles, ended }) })
    }

    /// Which token.
    pub fn settings(&self) -> &Settings {
        &self.shared.access.settings
    }

    /// What the token says of itself.
    ///
    /// # Errors
    /// `Library`, `Absent`, `Ambiguous`, `Slow`, `Failed`.
    pub fn info(&self) -> Result<TokenInfo, TokenError> {
        self.one(Worker::info)
    }

    /// Makes a KEK of this label, or adopts the one that is there if it is fit and none of `taken`; whether it was made.
    ///
    /// # Errors
    /// `KeyTaken`, `KeyUnfit`, `KeyAmbiguous`, and those of any call.
    pub fn make_or_adopt(
        &self,
        label: &str,
        id: &KekId,
        algorithm: Algorithm,
        taken: Vec<Kek>,
        entropy: &mut dyn Entropy,
    ) -> Result<(Kek, bool), TokenError> {
        let (label, id, random) = (label.to_owned(), *id, random(entropy));
        self.one(move |worker| worker.make_or_adopt(&label, &id, algorithm, &taken, &random))
    }

    /// Whether a KEK opens its canary now.
    ///
    /// # Errors
    /// `KeyMissing`, `Swapped`, and those of any call.
    pub fn check(&self, kek: &Arc<Kek>) -> Result<(), TokenError> {
        let kek = kek.clone();
        self.one(move |worker| worker.check(&kek))
    }

    /// Wraps, one answer for each in their order.
    pub fn wrap(
        &self,
        kek: &Arc<Kek>,
        jobs: Vec<Wrap>,
        entropy: &mut dyn Entropy,
    ) -> Vec<Result<Vec<u8>, TokenError>> {
        let task = |Wrap { aad, plain }: Wrap| {
            let (kek, random) = (kek.clone(), random(entropy));
            move |worker: &mut Worker| worker.wrap(&kek, &aad, plain.expose(), &random)
        };
        self.all(jobs.into_iter().map(task).collect())
    }

    /// Opens, one answer for each in their order.
    pub fn unwrap(&self, kek: &Arc<Kek>, jobs: Vec<Unwrap>) -> Vec<Result<SecretBytes, TokenError>> {
        let task = |Unwrap { aad, wrapped }: Unwrap| {
            let kek = kek.clone();
            move |worker: &mut Worker| worker.unwrap(&kek, &aad, &wrapped)
        };
        self.all(jobs.into_iter().map(task).collect())
    }

    fn one<T, F>(&self, call: F) -> Result<T, TokenError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Worker) -> Result<T, TokenError> + Send + 'static,
    {
        self.all(vec![call]).pop().unwrap_or(Err(TokenError::Stopped))
    }

    fn all<T, F>(&self, calls: Vec<F>) -> Vec<Result<T, TokenError>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Worker) -> Result<T, TokenError> + Send + 'static,
    {
        let Settings { sessions, limit, .. } = *self.settings();
        let sessions = sessions.max(1);
        let slow = TokenError::Slow { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) };
        let count = calls.len();
        if self.shared.stuck.load(Ordering::Acquire) >= sessions {
            return calls.iter().map(|_| Err(slow.clone())).collect();
        }
        let (answers, answered) = channel();
        let mut states = Vec::with_capacity(count);
        {
            let mut queue = locked(&self.shared.queue);
            for (number, call) in calls.into_iter().enumerate() {
                let state = Arc::new(AtomicU8::new(WAITING));
                states.push(state.clone());
                let answers = answers.clone();
                // Nobody listens any more if it was given up.
                let run = Box::new(move |worker: &mut Worker| _ = answers.send((number, call(worker))));
                queue.tasks.push_back(Task { state, run });
            }
        }
        drop(answers);
        self.shared.ready.notify_all();
        let mut results: Vec<Option<Result<T, TokenError>>> = (0..count).map(|_| None).collect();
        for _ in 0..count {
            match answered.recv_timeout(limit) {
                Ok((number, answer)) => results[number] = Some(answer),
                Err(RecvTimeoutError::Timeout) => break,
                // A thread that panics takes the process with it, but for tests.
                Err(RecvTimeoutError::Disconnected) => {
                    return (0..count).map(|_| Err(TokenError::Stopped)).collect();
                }
            }
        }
        let answer = |(state, result): (Arc<AtomicU8>, Option<_>)| {
            result.unwrap_or_else(|| {
                // Counted first: its thread may end the call, and count it out, at any moment.
                self.shared.stuck.fetch_add(1, Ordering::AcqRel);
                if state.swap(GIVEN_UP, Ordering::AcqRel) != RUNNING {
                    self.shared.stuck.fetch_sub(1, Ordering::AcqRel);
                }
                Err(slow.clone())
            })
        };
        states.into_iter().zip(results).map(answer).collect()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        locked(&self.shared.queue).open = false;
        self.shared.ready.notify_all();
        // Until their sessions are closed, since some modules mind one that logs in while another one's last session ends; not for
        // ever, and not for those that hang in the module.
        let mut threads = locked(&self.threads);
        let stuck = self.shared.stuck.load(Ordering::Acquire);
        let until = Instant::now() + self.settings().limit;
        for _ in stuck..threads.handles.len() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(number) = threads.ended.recv_timeout(left) else { return };
            // To its very end: a module's library may clean up behind a thread (OpenSSL does), and if the process ends meanwhile, what
            // it cleans up is gone already.
            _ = threads.handles.get_mut(number).and_then(Option::take).map(JoinHandle::join);
        }
    }
}

fn work(shared: &Shared) {
    let mut worker = Worker::new(shared.access.clone());
    loop {
        let task = {
            let mut queue = locked(&shared.queue);
            loop {
                if let Some(task) = queue.tasks.pop_front() {
                    break task;
                }
                if !queue.open {
                    return;
                }
                queue = shared.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        if task.state.compare_exchange(WAITING, RUNNING, Ordering::AcqRel, Ordering::Acquire).is_err() {
            continue; // given up before it began
        }
        (task.run)(&mut worker);
        if task.state.swap(DONE, Ordering::AcqRel) == GIVEN_UP {
            shared.stuck.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn random(entropy: &mut dyn Entropy) -> [u8; SALT_BYTES] {
    let mut bytes = [0; SALT_BYTES];
    entropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;
    use crate::{Find, Pin};

    /// Tells that its thread has ended, a while after that has left its work.
    struct Slow(Arc<AtomicBool>);

    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(200));
            self.0.store(true, Ordering::Release);
        }
    }

    thread_local!(static BEHIND: RefCell<Option<Slow>> = const { RefCell::new(None) });

    #[test]
    fn beside_a_thread_that_hangs_the_others_are_waited_for() {
        let settings = Settings {
            library: "/no/such.so".into(),
            token: Find::Slot(0),
            sessions: 2,
            limit: Duration::from_millis(500),
        };
        let token = Token::new(settings, PinFrom::Asked(Pin::new("1".to_owned()))).unwrap();
        let (let_go, hangs) = channel::<()>();
        let hung = token.one(move |_| {
            _ = hangs.recv();
            Ok(())
        });
        assert!(matches!(hung, Err(TokenError::Slow { .. })));
        let ended = Arc::new(AtomicBool::new(false));
        let behind = ended.clone();
        let worked = token.one(move |_| {
            BEHIND.with(|slow| *slow.borrow_mut() = Some(Slow(behind)));
            Ok(())
        });
        assert!(worked.is_ok());
        drop(token);
        assert!(ended.load(Ordering::Acquire));
        drop(let_go);
    }
}
