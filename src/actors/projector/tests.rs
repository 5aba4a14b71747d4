//! The projector follows the log, halts loudly where it must, and keeps nobody waiting for what has halted.

use std::time::Duration;

use dta_projections::{History, Identities, Orders, all};
use tempfile::TempDir;

use super::super::log::memory::MemoryLog;
use super::super::views::tests::rebuild::Garbled;
use super::super::views::tests::{Act, Stand, all_bytes, catch_up, log_of, memory, story, tell};
use super::*;

const LONG: Duration = Duration::from_secs(60);

struct World {
    folder: TempDir,
    log: Arc<MemoryLog>,
    head: watch::Sender<u64>,
    projector: Projector,
}

impl World {
    fn over(log: MemoryLog, projections: &[&'static dyn Projection]) -> Self {
        let log = Arc::new(log);
        Self::reading(log.clone(), log, projections)
    }

    fn reading(
        log: Arc<MemoryLog>,
        read: Arc<dyn LogReader>,
        projections: &[&'static dyn Projection],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let views = Views::open(folder.path(), projections).unwrap();
        let (head, follows) = watch::channel(0);
        let projector = Projector::start(read, views, follows).unwrap();
        Self { folder, log, head, projector }
    }

    /// What the log's writer does.
    fn tell(&self, acts: &[Act]) -> u64 {
        tell(&*self.log, acts);
        let next = self.log.head().unwrap().count;
        self.head.send_replace(next);
        next
    }

    fn wait(&self, sequence: u64, timeout: Duration) -> Result<(), Waited> {
        block_on(self.projector.handle().wait_for(sequence, timeout))
    }

    fn positions(&self) -> Vec<u64> {
        self.projector.handle().status().iter().map(|one| one.position).collect()
    }

    fn halted(&self) -> Vec<Option<String>> {
        self.projector.handle().status().into_iter().map(|one| one.halted).collect()
    }

    fn until(&self, reached: impl FnMut(&Vec<ProjectionStatus>) -> bool) {
        let mut status = self.projector.handle().watch();
        block_on(async {
            tokio::time::timeout(LONG, status.wait_for(reached)).await.unwrap().unwrap();
        });
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn it_follows_and_who_wrote_reads() {
    let world = World::over(log_of(&story()[..5]), &all());
    world.wait(4, LONG).unwrap();
    for act in &story()[5..] {
        let next = world.tell(&[*act]);
        world.wait(next - 1, LONG).unwrap();
        assert!(world.positions().iter().all(|position| *position == next));
    }
    assert_eq!(world.wait(20, Duration::ZERO), Err(Waited::TimedOut));
    let folder = tempfile::tempdir().unwrap();
    let views = Views::open(folder.path(), &all()).unwrap();
    catch_up(&views, &*world.log);
    for (status, projection) in world.projector.handle().status().into_iter().zip(all()) {
        let standing = views.apply(projection, &[]).unwrap();
        assert_eq!(status, status_of(projection, standing));
    }
    world.projector.stop();
    let followed = Views::open(world.folder.path(), &all()).unwrap();
    assert_eq!(all_bytes(&followed), all_bytes(&views));
}

#[test]
fn many_records_are_many_batches() {
    let log = log_of(&story());
    tell(&log, &[Act::Refused(1); 600]);
    let world = World::over(log, &all());
    world.wait(619, LONG).unwrap();
    assert_eq!(world.positions(), [620; 4]);
}

#[test]
fn stopping_runs_to_the_head() {
    let world = World::over(log_of(&story()[..1]), &all());
    world.tell(&story()[1..]);
    let handle = world.projector.handle();
    world.projector.stop();
    assert!(handle.status().iter().all(|one| one.position == 20));
    block_on(handle.wait_for(19, Duration::ZERO)).unwrap();
    assert_eq!(block_on(handle.wait_for(20, LONG)), Err(Waited::Halted), "nothing projects any more");
}

#[test]
fn it_outlives_the_writer() {
    let World { head, projector, folder: _folder, log } = World::over(log_of(&story()[..1]), &all());
    tell(&*log, &story()[1..]);
    head.send_replace(20);
    drop(head);
    block_on(projector.handle().wait_for(19, LONG)).unwrap();
    assert_eq!(block_on(projector.handle().wait_for(20, Duration::ZERO)), Err(Waited::TimedOut));
    projector.stop();
}

#[test]
fn one_that_halts_blocks_neither_the_others_nor_those_who_wait() {
    let halting = Stand { for_: &Identities, schema: 1, halts_at: Some(6) }.leak();
    let world = World::over(log_of(&story()[..3]), &[&Orders, halting, &History]);
    world.tell(&story()[3..]);
    world.wait(19, LONG).unwrap();
    assert_eq!(world.positions(), [20, 6, 20]);
    let [None, Some(why), None] = &world.halted()[..] else { panic!("{:?}", world.halted()) };
    assert!(why.starts_with("read model identities halts at sequence 6: "), "{why}");
    let next = world.tell(&[Act::Placed(7)]);
    world.wait(next - 1, LONG).unwrap();
    assert_eq!(world.positions(), [21, 6, 21]);
    world.projector.stop();

    // Code that can take the record goes on at the next start.
    let views = Views::open(world.folder.path(), &all()).unwrap();
    let (_head, follows) = watch::channel(0);
    let projector = Projector::start(world.log.clone(), views, follows).unwrap();
    block_on(projector.handle().wait_for(20, LONG)).unwrap();
    assert!(projector.handle().status().iter().all(|one| one.position == 21 && one.halted.is_none()));
}

#[test]
fn nobody_waits_when_all_have_halted() {
    let at = |for_, sequence| Stand { for_, schema: 1, halts_at: Some(sequence) }.leak();
    let world = World::over(log_of(&story()), &[at(&Orders, 3), at(&History, 0)]);
    world.until(|all| all.iter().all(|one| one.halted.is_some()));
    assert_eq!(world.positions(), [3, 0]);
    assert_eq!(world.wait(19, LONG), Err(Waited::Halted));
    // Also one that had it before it halted: what comes after is not told apart.
    assert_eq!(world.wait(1, LONG), Err(Waited::Halted));
    world.projector.stop();
}

#[test]
fn a_record_that_is_nonsense_halts_all_of_them_there() {
    for at in [0, 7, 19] {
        let log = Arc::new(log_of(&story()));
        let world = World::reading(log.clone(), Arc::new(Garbled { log, at }), &all());
        world.until(|all| all.iter().all(|one| one.halted.is_some()));
        assert_eq!(world.positions(), [at; 4]);
        for why in world.halted() {
            assert!(why.as_ref().unwrap().starts_with(&format!("log, sequence {at}: ")), "{why:?}");
        }
        world.projector.stop();
    }
}

#[test]
fn a_log_shorter_than_its_head_halts_them() {
    let log = Arc::new(log_of(&story()));
    let world = World::reading(log.clone(), Arc::new(Garbled { log, at: u64::MAX }), &all());
    world.until(|all| all.iter().all(|one| one.halted.is_some()));
    assert_eq!(world.positions(), [20; 4]);
}

#[test]
fn read_models_of_another_log_begin_anew() {
    let log = log_of(&story());
    let folder = tempfile::tempdir().unwrap();
    let other = memory(1);
    tell(&other, &story());
    tell(&other, &[Act::Placed(8)]);
    catch_up(&Views::open(folder.path(), &all()).unwrap(), &other);
    let (_head, follows) = watch::channel(0);
    let views = Views::open(folder.path(), &all()).unwrap();
    let projector = Projector::start(Arc::new(log), views, follows).unwrap();
    block_on(projector.handle().wait_for(19, LONG)).unwrap();
    assert!(projector.handle().status().iter().all(|one| (one.generation, one.position) == (2, 20)));
}

#[test]
fn it_ends_with_its_owner() {
    let World { projector, .. } = World::over(log_of(&story()), &all());
    let mut status = projector.handle().watch();
    drop(projector);
    block_on(async { while status.changed().await.is_ok() {} });
}
