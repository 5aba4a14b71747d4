//! The tokio runtime, on threads of its own, for everything that talks to other nodes: an actix worker serves one thread,
//! and a slow peer must not stand in its way.

use std::future::Future;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Threads that poll; what blocks on a disk has others.
const WORKERS: usize = 2;
/// How long a stop waits for what still blocks on a disk.
const LAST_READS: Duration = Duration::from_secs(5);

/// The running runtime. A thread of its own holds it: dropped on a thread that polls futures, it would panic.
pub struct Network {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Network {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("network")
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("network".into()).spawn(move || {
            // A sender that is dropped stops it too.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_timeout(LAST_READS);
        })?;
        Ok(Self { handle, stop, thread })
    }

    /// Where futures are spawned.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future there and blocks until it is done: for starts and stops, never for a request.
    ///
    /// # Errors
    /// None, if the runtime has stopped before.
    pub fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, answer) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Whoever asked waits.
            let _ = done.send(work.await);
        });
        answer.recv().ok()
    }

    /// Ends all tasks at their next wait; returns when the threads have ended.
    pub fn stop(self) {
        // It has ended already if it does not hear this.
        let _ = self.stop.send(());
        // It panics only where the process aborts.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_waited_for_and_stopped_where_futures_are_polled() {
        let one_thread = Builder::new_current_thread().build().unwrap();
        one_thread.block_on(async {
            let network = Network::start().unwrap();
            assert_eq!(network.wait(async { 7 }), Some(7));
            network.handle().spawn(std::future::pending::<()>());
            network.stop();
        });
    }
}
