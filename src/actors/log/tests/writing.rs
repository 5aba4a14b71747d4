//! The writer's thread: what waits becomes one commit and one sync, and everyone is answered once.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use rocksdb::statistics::Ticker;
use tokio::sync::watch;

use super::memory::Fault;
use super::store::{Change, EngineError, Visit};
use super::*;

/// A store whose writes say that they came and wait until they are let through.
struct Gated<S> {
    store: Arc<S>,
    came: Mutex<Sender<usize>>,
    pass: Mutex<Receiver<()>>,
}

struct Gate {
    came: Receiver<usize>,
    pass: Sender<()>,
}

impl Gate {
    /// Waits for a write, lets it through, and says how many records it had.
    fn let_through(&self) -> usize {
        let records = self.came.recv().unwrap();
        self.pass.send(()).unwrap();
        records
    }
}

impl<S: Store> Store for Gated<S> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.store.get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], visit: &mut Visit) -> Result<(), ReadError> {
        self.store.scan(table, from, visit)
    }

    fn last(&self, table: Table, at_most: &[u8]) -> Result<Option<Entry>, EngineError> {
        self.store.last(table, at_most)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), EngineError> {
        let records = changes.iter().filter(|change| matches!(change, Change::Put(Table::Records, ..)));
        self.came.lock().unwrap().send(records.count()).unwrap();
        self.pass.lock().unwrap().recv().unwrap();
        self.store.write(changes)
    }
}

fn gated<S: Store>(store: S) -> (Arc<Log<Gated<S>>>, Arc<S>, Gate) {
    let store = Arc::new(store);
    let (came, coming) = channel();
    let (pass, passing) = channel();
    let gated = Gated { store: store.clone(), came: came.into(), pass: passing.into() };
    let log = Log::resume(gated, rules(), entropy(), space::SpaceReserve::none(), None).unwrap();
    (Arc::new(log), store, Gate { came: coming, pass })
}

fn in_memory() -> MemoryStore {
    let store = MemoryStore::default();
    memory(&store);
    store
}

/// The answer, if it is there.
async fn answered<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        answer = answer => Some(answer),
        () = std::future::ready(()) => None,
    }
}

fn never(uncertain: Uncertain) {
    panic!("{uncertain}");
}

#[tokio::test]
async fn sixty_four_at_once_are_at_most_one_sync_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let (log, store, gate) = gated(rocks(folder.path()).store);
    let (next, watched) = watch::channel(0);
    let writer = LogWriter::start(log.clone(), writer::QUEUE, writer::BATCH_MAX, next, never).unwrap();
    let handle = writer.handle();
    let syncs = || store.options.get_ticker_count(Ticker::WalFileSynced);
    let before = syncs();
    let first = handle.append(append(0, 0));
    assert_eq!(gate.came.recv().unwrap(), 1, "what comes alone does not wait");
    let more: Vec<_> = (1..65).map(|id| handle.append(append(id, 0))).collect();
    gate.pass.send(()).unwrap();
    assert_eq!(first.await.unwrap().sequence, 0);
    assert_eq!(gate.let_through(), 64);
    for (at, answer) in more.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().sequence, at as u64 + 1, "in the order of the calls");
    }
    assert_eq!(syncs() - before, 2);
    assert_eq!(*watched.borrow(), 65);
    writer.stop();
    verified(&log);
}

#[tokio::test]
async fn a_batch_has_its_limit_and_a_queue_too() {
    let (log, _, gate) = gated(in_memory());
    let writer = LogWriter::start(log.clone(), 5, 2, watch::channel(0).0, never).unwrap();
    let handle = writer.handle();
    let mut answers = vec![handle.append(append(0, 0))];
    assert_eq!(gate.came.recv().unwrap(), 1);
    answers.extend((1..6).map(|id| handle.append(append(id, 0))));
    let busy = handle.append(append(6, 0));
    assert_eq!(busy.await, Err(NotWritten::Busy));
    gate.pass.send(()).unwrap();
    assert_eq!([gate.let_through(), gate.let_through(), gate.let_through()], [2, 2, 1]);
    for answer in answers {
        answer.await.unwrap();
    }
    writer.stop();
    assert_eq!(log.head().unwrap().count, 6, "what was busy is not written");
}

#[tokio::test]
async fn a_conflict_is_answered_to_its_own_caller() {
    let (log, _, gate) = gated(in_memory());
    let (next, watched) = watch::channel(0);
    let writer = LogWriter::start(log.clone(), 64, 64, next, never).unwrap();
    let handle = writer.handle();
    let first = handle.append(append(0, 0));
    assert_eq!(gate.came.recv().unwrap(), 1);
    let answers = [append(1, 0), append(1, 0), append(2, 0)].map(|append| handle.append(append));
    drop(handle.append(append(3, 0)));
    gate.pass.send(()).unwrap();
    first.await.unwrap();
    assert_eq!(gate.let_through(), 3);
    let [one, two, three] = answers;
    assert_eq!(one.await.unwrap().sequence, 1);
    assert_eq!(two.await, Err(NotWritten::Version { expected: 0, actual: 1 }));
    assert_eq!(three.await.unwrap().sequence, 2);
    writer.stop();
    assert_eq!(log.load(&order(3)).unwrap().len(), 1, "dropping the wait does not take the append back");
    assert_eq!(*watched.borrow(), 4);
}

#[tokio::test]
async fn stopping_commits_what_waits_and_takes_no_more() {
    let (log, _, gate) = gated(in_memory());
    let writer = LogWriter::start(log.clone(), 64, 64, watch::channel(0).0, never).unwrap();
    let handle = writer.handle();
    let first = handle.append(append(0, 0));
    assert_eq!(gate.came.recv().unwrap(), 1);
    let waiting = handle.append(append(1, 0));
    let stopping = std::thread::spawn(move || writer.stop());
    // A stale version writes nothing, whether it is still taken or not.
    while answered(handle.append(append(9, 7))).await != Some(Err(NotWritten::Stopped)) {
        std::thread::yield_now();
    }
    assert_eq!(handle.append(append(2, 0)).await, Err(NotWritten::Stopped));
    gate.pass.send(()).unwrap();
    first.await.unwrap();
    assert_eq!(gate.let_through(), 1);
    waiting.await.unwrap();
    stopping.join().unwrap();
    assert_eq!(log.head().unwrap().count, 2);
}

#[tokio::test]
async fn an_uncertain_commit_stops_everything_before_anyone_is_answered() {
    let store = in_memory();
    let (log, _, gate) = gated(store.clone());
    let (tell, told) = channel();
    let (go, wait) = channel();
    let on_uncertain = move |uncertain: Uncertain| {
        tell.send(uncertain).unwrap();
        wait.recv().unwrap();
    };
    let (next, watched) = watch::channel(0);
    let writer = LogWriter::start(log, 64, 64, next, on_uncertain).unwrap();
    let handle = writer.handle();
    store.fail_after(0, Fault::Persisted);
    let mut inside = Box::pin(handle.append(append(0, 0)));
    assert_eq!(gate.came.recv().unwrap(), 1);
    let behind = handle.append(append(1, 0));
    gate.pass.send(()).unwrap();
    assert!(told.recv().unwrap().to_string().contains("a fault was asked for"));
    assert_eq!(answered(&mut inside).await, None, "not before the process had its chance to stop");
    assert_eq!(handle.append(append(2, 0)).await, Err(NotWritten::Stopped));
    go.send(()).unwrap();
    assert_eq!(inside.await, Err(NotWritten::Stopped));
    assert_eq!(behind.await, Err(NotWritten::Stopped));
    assert_eq!(*watched.borrow(), 0);
    writer.stop();
    assert_eq!(MemoryLog::open(store, rules(), entropy()).unwrap().head().unwrap().count, 1);
}
