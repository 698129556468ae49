//! A TCP proxy on loopback that can be frozen, cut and slowed: the faults a network has.
//!
//! `freeze` holds every byte, also those already received and the end of the stream, and keeps the
//! connections; `cut` closes them and refuses new ones; `delay` lets every chunk wait. Two threads per
//! connection.

use crate::failure::Outcome;
use crate::wait;
use base::lock::{Mutex, Rank};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// How long a reader sleeps before it looks at the proxy's state again.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Bytes moved at once.
const CHUNK: usize = 64 << 10;

/// What the threads look at.
struct State {
    target: u16,
    frozen: AtomicBool,
    cut: AtomicBool,
    closed: AtomicBool,
    delay_ms: AtomicU64,
    accepted: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

/// A proxy; dropping it closes its connections.
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    state: Arc<State>,
}

impl Proxy {
    /// Listens on a port of the kernel's choice and connects to `target` for each who comes.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(target: u16) -> Outcome<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            target,
            frozen: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            streams: Mutex::new(Rank::Leaf, Vec::new()),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Proxy { port, state })
    }

    /// Holds every byte, or lets them go again.
    pub fn freeze(&self, frozen: bool) {
        self.state.frozen.store(frozen, SeqCst);
    }

    /// Closes every connection and refuses new ones, or accepts them again.
    pub fn cut(&self, cut: bool) {
        self.state.cut.store(cut, SeqCst);
        if cut {
            self.state.shut();
        }
    }

    /// Lets every chunk wait for so many milliseconds.
    pub fn delay(&self, ms: u64) {
        self.state.delay_ms.store(ms, SeqCst);
    }

    /// Connections that were let through so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.closed.store(true, SeqCst);
        self.state.shut();
        // Wakes the listener, which then sees that it is closed.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl State {
    fn shut(&self) {
        for stream in self.streams.lock().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits while frozen. False when the connection is to end.
    fn passable(&self) -> bool {
        while self.frozen.load(SeqCst) && !self.ends() {
            wait::pause(LOOK_EVERY);
        }
        !self.ends()
    }

    fn ends(&self) -> bool {
        self.closed.load(SeqCst) || self.cut.load(SeqCst)
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.closed.load(SeqCst) {
            return;
        }
        if state.cut.load(SeqCst) {
            continue;
        }
        if connect(stream, state).is_ok() {
            state.accepted.fetch_add(1, SeqCst);
        }
    }
}

fn connect(near: TcpStream, state: &Arc<State>) -> Outcome {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, state.target))?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        state.streams.lock().push(stream.try_clone()?);
    }
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let state = Arc::clone(state);
        thread::spawn(move || pump(from, to, &state));
    }
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut chunk = vec![0; CHUNK];
    while state.passable() {
        let length = match from.read(&mut chunk) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                continue;
            }
            Err(_) => 0,
        };
        let delay_ms = state.delay_ms.load(SeqCst);
        if delay_ms > 0 {
            wait::pause(Duration::from_millis(delay_ms));
        }
        // Bytes that arrived before the freeze wait for its end as well.
        if !state.passable() || length == 0 || to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_are_held_and_are_cut() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port()).ok().unwrap();
        let mut near = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let mut byte = [0];
        near.write_all(b"a").unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"a");

        proxy.freeze(true);
        near.write_all(b"b").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(far.read(&mut byte).is_err(), "a frozen proxy lets nothing through");
        proxy.freeze(false);
        far.set_read_timeout(None).unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"b");

        proxy.cut(true);
        assert_eq!(near.read(&mut byte).unwrap_or(0), 0, "a cut connection ends");
        assert_eq!(proxy.accepted(), 1);
    }
}
