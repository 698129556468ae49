//! Writing one snapshot to several replicas at once.
//!
//! Each piece goes to every replica before the next is asked for, so all move at the pace of the
//! slowest; one that takes nothing for `repl-timeout` is left out, as is one whose connection ends.

use crate::replication::Shared;
use crate::replication::outbound::Message;
use crate::replication::wake::{Watch, wait};
use base::Millis;
use base::lock::{Mutex, Rank};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How often a writer that waits for replicas looks whether it was told to stop.
const LOOK_MS: Millis = Millis(100);

/// A replica that is sent a snapshot.
pub(super) struct Target {
    client: u64,
    socket: Arc<OwnedFd>,
    /// What is sent before the snapshot.
    before: Mutex<Vec<u8>>,
    sent: AtomicU64,
    given_up: AtomicBool,
}

impl Target {
    pub(super) fn new(client: u64, socket: Arc<OwnedFd>, before: Vec<u8>) -> Target {
        Target {
            client,
            socket,
            before: Mutex::new(Rank::Leaf, before),
            sent: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
        }
    }

    /// Bytes sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// Its connection is ended elsewhere.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }
}

/// The sink of a snapshot.
pub(super) struct Fan {
    shared: Arc<Shared>,
    targets: Vec<Arc<Target>>,
    cancelled: Arc<AtomicBool>,
    timeout: Millis,
}

impl Fan {
    /// A sink that goes to `targets`.
    pub(super) fn new(
        shared: &Arc<Shared>,
        targets: Vec<Arc<Target>>,
        cancelled: Arc<AtomicBool>,
    ) -> Fan {
        let timeout = Millis(shared.node.settings.repl_timeout.get().unsigned_abs() * 1000);
        Fan { shared: Arc::clone(shared), targets, cancelled, timeout }
    }

    /// Sends what each replica is to be sent before the snapshot.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let pieces: Vec<Vec<u8>> =
            self.targets.iter().map(|target| std::mem::take(&mut *target.before.lock())).collect();
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        self.send(&pieces)
    }

    /// Says that everybody who is still there was sent everything.
    pub(super) fn finish(self) {
        for target in &self.targets {
            self.shared.outbound.send(Message::Sent(target.client));
        }
    }

    fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let pieces = vec![bytes; self.targets.len()];
        self.send(&pieces)
    }

    /// Sends each target its piece.
    fn send(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        let mut owed: Vec<(Arc<Target>, &[u8])> =
            self.targets.iter().cloned().zip(pieces.iter().copied()).collect();
        let mut last = base::clock::monotonic();
        loop {
            let mut moved = false;
            owed.retain_mut(|(target, rest)| match push(target, rest) {
                Ok(count) => {
                    moved |= count > 0;
                    !rest.is_empty()
                }
                Err(error) => {
                    self.leave_out(target.client, &error.to_string());
                    false
                }
            });
            if self.cancelled.load(Ordering::Acquire) {
                return Err(io::Error::other("the full sync was given up"));
            }
            if self.targets.is_empty() {
                return Err(io::Error::other("no replica is left"));
            }
            if owed.is_empty() {
                return Ok(());
            }
            let now = base::clock::monotonic();
            if moved {
                last = now;
            } else if now.since(last) > self.timeout {
                for (target, _) in std::mem::take(&mut owed) {
                    self.leave_out(target.client, "it took nothing for repl-timeout");
                }
                continue;
            }
            let watches: Vec<_> = owed
                .iter()
                .map(|(target, _)| Watch { fd: target.socket.as_fd(), read: false, write: true })
                .collect();
            wait(None, &watches, LOOK_MS);
        }
    }

    fn leave_out(&mut self, client: u64, reason: &str) {
        self.targets.retain(|target| target.client != client);
        self.shared.outbound.send(Message::SendFailed(client, reason.to_owned()));
    }
}

/// Sends what the socket takes.
fn push(target: &Target, rest: &mut &[u8]) -> io::Result<usize> {
    let mut count = 0;
    while !rest.is_empty() {
        if target.given_up.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        match send(&*target.socket, rest, SendFlags::NOSIGNAL) {
            Ok(sent) => {
                count += sent;
                *rest = rest.get(sent..).unwrap_or_default();
                target.sent.fetch_add(sent as u64, Ordering::AcqRel);
            }
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

impl io::Write for Fan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
