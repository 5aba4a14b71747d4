//! Crash points: every place where it matters that the process ends there, by name, so that a test can end it there.
//!
//! Only with the feature `crash-points`; without it [`reached`] is empty and compiles to nothing. With it a process looks at
//! four variables of its environment, which are no settings and stand in no `config.toml`:
//!
//! | variable | |
//! |---|---|
//! | `DTA_CRASH_POINT` | the name of a point, or `name:n` for the n-th time that this process comes by it |
//! | `DTA_CRASH_PIPE` | a named pipe: when it comes by, it writes the name and a line feed there, and that thread goes no further |
//! | `DTA_CRASH_TRACE` | a file: the name of each point that is passed is appended to it, a line each |
//!
//! The test that reads the pipe then kills the process by SIGKILL: what was written before the point stands, nothing after it
//! is done. See `tests/crash` and docs/adr/0018.

macro_rules! crash_points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// Where a crash matters. What is said of each is what would be lost or doubled if it were not handled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum CrashPoint {
            $($(#[doc = $doc])+ $point,)+
        }

        impl CrashPoint {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its name in the environment and in traces.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

crash_points! {
    /// `dta init`: the node's seed is sealed in its file, and there is no log. A second try that drew another seed would
    /// leave the operator's backup of the first one worthless.
    InitSeedSealed = "init-seed-sealed",
    /// `dta init`: the log is built beside its place, with an identity in it. A second try that made another identity
    /// could not open custody that is bound to the first.
    InitLogBuilt = "init-log-built",
    /// `dta init`: custody is made, the log is not in its place. Taken for a node that lost its log, the home could never
    /// be initialised.
    InitCustodyMade = "init-custody-made",
    /// `dta init`: all but the log is in its place. The home must not count as a node yet.
    InitBeforeRename = "init-before-rename",
    /// `dta init`: the log is in its place, and its folder is not synced. The home is a node now; a second try must not
    /// begin another.
    InitRenamed = "init-renamed",

    /// A private file is written and synced under its temporary name. What is left of it must be no obstacle, and never
    /// be read as the file.
    FileWritten = "file-written",
    /// A private file has its name, and the folder is not synced: the old file or the new one, whole.
    FileRenamed = "file-renamed",

    /// The home is open, and nothing runs. Locks must go with the process.
    StartOpened = "start-opened",
    /// Everything runs, and nobody is told that it listens.
    StartServing = "start-serving",
    /// A stop has finished what was under way. Read models, mirror and log are still open: what the next start finds must
    /// be what a crash at any other time leaves.
    StopDrained = "stop-drained",
    /// A stop has closed all but the log.
    StopClosed = "stop-closed",

    /// A command of a client is read, and nobody has judged it: the client asks again, and it is the first time.
    CommandReceived = "command-received",
    /// What a command led to is in the log and the read models, and its answer has not left. The client asks again: a
    /// second order, identity or redemption would be made of one request.
    CommandAnswering = "command-answering",

    /// The rules have named the work, and nothing is signed or sealed.
    OrderPrepared = "order-prepared",
    /// A step is sealed and signed, and custody has its seed if it is a commitment, but the log does not have it. It is
    /// signed again, to another CID: had the first one left the node, there would be two statements for one slot. The
    /// seed must be found again, or the order would have two.
    OrderSigned = "order-signed",
    /// A step is in the log, and memory does not know it: what follows from it must be found by whoever reads the log.
    OrderAppended = "order-appended",

    /// A checkpoint is sealed and signed, and the log does not have it: another one takes its number, and nobody saw this one.
    CheckpointSigned = "checkpoint-signed",
    /// A checkpoint is in the log, and the file beside the log is older: the next start brings it up to date.
    CheckpointAppended = "checkpoint-appended",

    /// A batch is checked and numbered, and nothing is written: it never was.
    LogBeforeWrite = "log-before-write",
    /// A batch is synced, and nobody is told, not even the note beside the log. It stands: a request that is repeated must
    /// meet it.
    LogSynced = "log-synced",
    /// The note of how long the log was is written, too. A log shorter than that is refused from now on, so the note must
    /// never come first.
    LogNoted = "log-noted",
    /// Those who waited for a batch are told.
    LogReplied = "log-replied",

    /// A seed is drawn, and on no disk. No commitment may exist of it.
    SeedMade = "seed-made",
    /// A seed is written to one more copy, and none is synced. The copies differ: they must be brought together, by the
    /// seed that one of them has, never by a second one.
    SeedCopyWritten = "seed-copy-written",
    /// A seed is synced in all copies, and its commitment is in no record. The order that is committed again must get this
    /// seed.
    SeedSynced = "seed-synced",
    /// The file of one more copy of a new store is made. A store whose making was interrupted must not look like one.
    SeedFileMade = "seed-file-made",

    /// What an order has for another node is packed, and not sent. It must be found to be due again.
    OutboxSending = "outbox-sending",
    /// The other node has answered, and the answer is not taken. The other node has done its part: sending again must not
    /// make it do it twice.
    OutboxAnswered = "outbox-answered",
    /// The answer is taken.
    OutboxTaken = "outbox-taken",

    /// Steps of another node are verified as a call, and nobody has judged them.
    PeerCallReceived = "peer-call-received",
    /// Steps of another node are taken, what follows is done, and the answer has not left. The sender sends again: the
    /// same steps must be answered by what stands, not done twice.
    PeerCallAnswering = "peer-call-answering",
    /// What another node asked for is packed, and has not left. What it says to have had before is marked as told.
    DeliveriesAnswering = "deliveries-answering",
    /// What another node has for this one is here, and not taken. The cursor must not have moved over it.
    CollectFetched = "collect-fetched",
    /// What was fetched is taken, and the next is not asked for: the other node gives it once more.
    CollectTaken = "collect-taken",

    /// A read model has taken records in memory. Rows, position and digest must change together.
    ProjectionBeforeBatch = "projection-before-batch",
    /// They are written, not synced.
    ProjectionBatchWritten = "projection-batch-written",
    /// A new generation of a read model is there, empty, and not the current one: it must be cleared away.
    GenerationMade = "generation-made",
    /// The new generation is whole, and the former is current still.
    GenerationFilled = "generation-filled",
    /// The new generation is current, and the former is still there: it must be cleared away.
    GenerationSwapped = "generation-swapped",
    /// The former generation is gone.
    GenerationDropped = "generation-dropped",

    /// `dta log reindex` has dropped the indexes. A log in this state must not be appended to: claims that are missing
    /// would let a key be taken twice.
    ReindexCleared = "reindex-cleared",
    /// The indexes are whole, and the log still says that they are not.
    ReindexFilled = "reindex-filled",

    /// The mirror has read a block, and not put it.
    MirrorBeforePut = "mirror-before-put",
    /// The block exchange has it, and the position does not say so: it is put again, which must change nothing.
    MirrorPut = "mirror-put",
    /// The position says so.
    MirrorNoted = "mirror-noted",
}

/// The process comes by a crash point. It goes no further if the environment says so.
#[cfg(feature = "crash-points")]
pub fn reached(point: CrashPoint) {
    armed::reached(point);
}

/// The process comes by a crash point: nothing, in a build without the feature.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn reached(_: CrashPoint) {}

#[cfg(feature = "crash-points")]
mod armed {
    use std::fs::{File, OpenOptions};
    use std::io::{self, Write as _};
    use std::path::{Path, PathBuf};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::CrashPoint;

    /// What the environment says.
    struct Armed {
        trap: Option<Trap>,
        trace: Option<File>,
    }

    struct Trap {
        point: CrashPoint,
        /// Which passing of the point it is, from 1.
        nth: usize,
        passed: AtomicUsize,
        pipe: PathBuf,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();

    pub(super) fn reached(point: CrashPoint) {
        let armed = ARMED.get_or_init(|| Armed::from_environment().unwrap_or_else(|why| give_up(&why)));
        // One write a line: threads do not mix theirs.
        let line = format!("{}\n", point.name());
        if let Some(mut trace) = armed.trace.as_ref()
            && let Err(error) = trace.write_all(line.as_bytes())
        {
            give_up(&error);
        }
        if let Some(trap) = &armed.trap
            && trap.point == point
            && trap.passed.fetch_add(1, Ordering::SeqCst) + 1 == trap.nth
        {
            trap.spring();
        }
    }

    impl Armed {
        fn from_environment() -> io::Result<Self> {
            let variable = |name| std::env::var_os(name).map(PathBuf::from);
            let trace = variable("DTA_CRASH_TRACE")
                .map(|path| OpenOptions::new().create(true).append(true).open(path))
                .transpose()?;
            let trap = match (std::env::var("DTA_CRASH_POINT"), variable("DTA_CRASH_PIPE")) {
                (Ok(point), Some(pipe)) => Some(Trap::of(&point, pipe)?),
                (Ok(_), None) => return Err(io::Error::other("DTA_CRASH_POINT without DTA_CRASH_PIPE")),
                (Err(_), _) => None,
            };
            Ok(Self { trap, trace })
        }
    }

    impl Trap {
        fn of(text: &str, pipe: PathBuf) -> io::Result<Self> {
            let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
            let point = CrashPoint::ALL.iter().copied().find(|point| point.name() == name);
            let (Some(point), Ok(nth @ 1..)) = (point, nth.parse()) else {
                return Err(io::Error::other(format!("DTA_CRASH_POINT {text:?}: no such point")));
            };
            Ok(Self { point, nth, passed: AtomicUsize::new(0), pipe })
        }

        fn spring(&self) -> ! {
            if let Err(error) = tell(&self.pipe, self.point.name()) {
                give_up(&error);
            }
            loop {
                std::thread::park();
            }
        }
    }

    fn tell(pipe: &Path, name: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(pipe)?.write_all(format!("{name}\n").as_bytes())
    }

    /// A test that is set up wrongly must not pass.
    fn give_up(why: &dyn std::fmt::Display) -> ! {
        tracing::error!(%why, "crash points");
        std::process::abort();
    }
}
