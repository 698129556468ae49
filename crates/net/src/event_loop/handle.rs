//! Loops as others see them: how they are made, woken, told to listen anew, and stopped.

use crate::listener::{BindError, Binding, Listener, bind_all};
use base::lock::{Mutex, Rank};
use conf::Settings;
use engine::mailbox::Mailbox;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What other threads hold of a loop.
#[derive(Debug)]
pub struct LoopHandle {
    pub(super) inbox: Mutex<Vec<Accepted>>,
    pub(super) wake: OwnedFd,
    pub(super) stopping: AtomicBool,
    pub(super) connections: AtomicUsize,
    pub(super) listening: Mutex<Listening>,
}

/// What the first loop listens on, and a change it has not made yet.
#[derive(Debug, Default)]
pub(super) struct Listening {
    names: Vec<String>,
    pub(super) change: Option<Binding>,
}

/// A connection on its way to its loop.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) socket: OwnedFd,
    pub(super) is_unix: bool,
}

impl LoopHandle {
    pub(super) fn wake(&self) {
        // A full counter means that the loop is awake already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Listens on what the settings say now. Only for the first loop.
    ///
    /// # Errors
    /// The address that cannot be opened; everything stays as it was then.
    pub fn listen_anew(&self, settings: &Settings) -> Result<(), BindError> {
        let mut listening = self.listening.lock();
        let mut binding = bind_all(settings, &listening.names)?;
        listening.names = binding.names();
        if let Some(missed) = listening.change.take() {
            let wanted = |listener: &Listener| binding.kept.contains(&listener.name);
            let (keep, _): (Vec<_>, Vec<_>) = missed.opened.into_iter().partition(wanted);
            binding.opened.extend(keep);
        }
        listening.change = Some(binding);
        drop(listening);
        self.wake();
        Ok(())
    }

    /// Ends the loop after its turn.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }
}

/// A loop, before it runs.
#[derive(Debug)]
pub struct EventLoop {
    pub(super) index: usize,
    pub(super) handles: Vec<Arc<LoopHandle>>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) listeners: Vec<Listener>,
}

/// Loops that were made together.
#[derive(Debug)]
pub struct Loops {
    /// The loops, each to be run on a thread of its own.
    pub loops: Vec<EventLoop>,
    /// Their mailboxes.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// What others hold of them.
    pub handles: Vec<Arc<LoopHandle>>,
}

/// Makes `count` loops and their mailboxes; what is bound belongs to the first.
///
/// # Errors
/// Those of making the wake-up descriptors.
pub fn make_loops(count: usize, bound: Binding) -> io::Result<Loops> {
    let names = bound.names();
    let mut handles = Vec::new();
    for _ in 0..count {
        handles.push(Arc::new(LoopHandle {
            inbox: Mutex::new(Rank::Mailbox, Vec::new()),
            wake: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            listening: Mutex::new(Rank::Mailbox, Listening { names: names.clone(), change: None }),
        }));
    }
    let mailboxes: Vec<_> = handles
        .iter()
        .map(|handle| {
            let handle = Arc::clone(handle);
            Arc::new(Mailbox::new(Box::new(move || handle.wake())))
        })
        .collect();
    let mut listeners = Some(bound.opened);
    let loops = (0..count)
        .map(|index| EventLoop {
            index,
            handles: handles.clone(),
            mailbox: Arc::clone(&mailboxes[index]),
            listeners: listeners.take().unwrap_or_default(),
        })
        .collect();
    Ok(Loops { loops, mailboxes, handles })
}

impl EventLoop {
    /// What others hold of it.
    pub(super) fn handle(&self) -> &LoopHandle {
        &self.handles[self.index]
    }
}
