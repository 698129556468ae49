//! Loading a primary's snapshot aside, on a thread of its own.
//!
//! Whatever `repl-diskless-load` says, the snapshot is read straight from the link into a data set that
//! is not served yet, and takes the place of the old one only when it is whole: what stock calls
//! `swapdb`, the one of its ways that never leaves a replica with neither the old nor the new data. No
//! file is written. The price is memory for both data sets for as long as the load takes.

use super::Message;
use crate::replication::Shared;
use engine::snapshot::{LoadOptions, read_dataset};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Bytes that may wait for the loader; beyond, the socket is not read.
const PIPE_BYTES_MAX: usize = 4 << 20;

/// A load under way. Dropping it gives the load up.
pub(super) struct Load {
    pub(super) number: u64,
    pieces: Option<Sender<Vec<u8>>>,
    waiting_bytes: Arc<AtomicUsize>,
    given_up: Arc<AtomicBool>,
}

impl Load {
    /// Starts the loader; `None` if no thread is to be had.
    pub(super) fn start(shared: &Arc<Shared>, number: u64) -> Option<Load> {
        let (pieces, receiver) = channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let given_up = Arc::new(AtomicBool::new(false));
        let pipe = Pipe {
            shared: Arc::clone(shared),
            pieces: receiver,
            piece: Vec::new(),
            at: 0,
            waiting_bytes: Arc::clone(&waiting_bytes),
            given_up: Arc::clone(&given_up),
        };
        let spawned = thread::Builder::new()
            .name("repl-loader".into())
            .spawn(move || load(pipe, number))
            .inspect_err(|error| tracing::error!("cannot start the loader: {error}"));
        spawned.ok()?;
        Some(Load { number, pieces: Some(pieces), waiting_bytes, given_up })
    }

    /// Gives the loader the next bytes.
    pub(super) fn push(&self, bytes: Vec<u8>) {
        self.waiting_bytes.fetch_add(bytes.len(), Ordering::AcqRel);
        if let Some(pieces) = &self.pieces {
            // A loader that is gone has said why.
            let _ = pieces.send(bytes);
        }
    }

    /// The snapshot has ended.
    pub(super) fn end(&mut self) {
        self.pieces = None;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.pieces.is_none()
    }

    /// Whether more bytes should be read from the primary.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes.load(Ordering::Acquire) < PIPE_BYTES_MAX
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Release);
    }
}

/// The loader's end.
struct Pipe {
    shared: Arc<Shared>,
    pieces: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
    waiting_bytes: Arc<AtomicUsize>,
    given_up: Arc<AtomicBool>,
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if self.given_up.load(Ordering::Acquire) {
                return Err(io::Error::other("the load was given up"));
            }
            let Ok(piece) = self.pieces.recv() else { return Ok(0) };
            let before = self.waiting_bytes.fetch_sub(piece.len(), Ordering::AcqRel);
            if before >= PIPE_BYTES_MAX {
                self.shared.inbound.wake.wake();
            }
            (self.piece, self.at) = (piece, 0);
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}

fn load(pipe: Pipe, number: u64) {
    let shared = Arc::clone(&pipe.shared);
    // Only the primary says when a key ends.
    let given_up = Arc::clone(&pipe.given_up);
    let options = LoadOptions { given_up: Some(&given_up), ..LoadOptions::of(&shared.node, None) };
    let loaded = read_dataset(pipe, options, |_| {});
    let result = match loaded {
        Ok((dataset, mut rest, _)) => {
            // The link ends the snapshot; what the loader does not want is read all the same.
            let drained = io::copy(&mut rest, &mut io::sink());
            drained.map(|_| Box::new(dataset)).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    shared.inbound.send(Message::Loaded(number, result));
}
