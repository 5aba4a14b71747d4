//! What joins two nodes: a TCP proxy that keeps its address while the node behind it comes and goes, and that can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where a node listens now; none while it is down.
pub type Address = Arc<Mutex<Option<SocketAddr>>>;

/// What becomes of bytes on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They arrive.
    Whole,
    /// Nothing arrives.
    Cut,
    /// The request arrives and is answered; the answer is lost.
    AnswersLost,
}

struct State {
    mode: Mode,
    lost: usize,
}

/// From one node to another.
pub struct Wire {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Wire {
    pub fn to(address: Address) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { mode: Mode::Whole, lost: 0 }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), state) = (client, shared.clone()) else { continue };
                let to = *address.lock().unwrap();
                std::thread::spawn(move || join(client, to, &state));
            }
        });
        Self { url, state }
    }

    pub fn set(&self, mode: Mode) {
        let mut state = self.state.lock().unwrap();
        state.mode = mode;
        state.lost = 0;
    }

    /// How many calls were lost on it since it was set.
    pub fn lost(&self) -> usize {
        self.state.lock().unwrap().lost
    }
}

fn join(client: TcpStream, to: Option<SocketAddr>, state: &Arc<Mutex<State>>) {
    if is_lost(state, true) {
        return;
    }
    let Some(server) = to.and_then(|to| TcpStream::connect(to).ok()) else { return };
    let (answers, asked, back) = (server.try_clone().unwrap(), client.try_clone().unwrap(), state.clone());
    std::thread::spawn(move || pass(answers, client, &back, false));
    pass(asked, server, state, true);
}

/// Whether what goes this way now is lost.
fn is_lost(state: &Mutex<State>, forth: bool) -> bool {
    let mut state = state.lock().unwrap();
    let lost = match state.mode {
        Mode::Whole => false,
        Mode::Cut => true,
        Mode::AnswersLost => !forth,
    };
    state.lost += usize::from(lost);
    lost
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &Mutex<State>, forth: bool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if is_lost(state, forth) || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // Either end may have gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
