//! A loop's mailbox: how other threads speak to the connections of a loop.
//!
//! Bounded: when it is full, pushes to subscribers are dropped and their connections closed, as a
//! client whose output limit is reached would be; other messages always find room, for each can
//! stand in it only once per cause.

use crate::blocking::Waiting;
use crate::pubsub::Kind;
use base::Offset;
use base::lock::{Mutex, Rank};
use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Bytes of undelivered pushes that one mailbox holds.
pub const MAILBOX_BYTES_MAX: usize = 256 << 20;

/// Why a connection gets a push.
#[derive(Clone, Debug)]
pub enum Via {
    /// It subscribes to a channel or pattern of that name.
    Subscription(Kind, Arc<[u8]>),
    /// It monitors.
    Monitor,
    /// It caches keys that have changed; with `true` another connection does, which has named it.
    Tracking(bool),
}

/// A push that several connections of a loop get, encoded for both protocols.
#[derive(Debug)]
pub struct Push {
    /// Who gets it: client ids. Whoever does not want it any more gets nothing.
    pub clients: Vec<u64>,
    /// Why they get it.
    pub via: Via,
    /// As RESP2 (an array).
    pub resp2: Arc<[u8]>,
    /// As RESP3 (a push).
    pub resp3: Arc<[u8]>,
}

impl Push {
    fn len_bytes(&self) -> usize {
        self.resp2.len() + self.clients.len() * size_of::<u64>()
    }
}

/// What becomes of a wait.
#[derive(Debug)]
pub enum Answer {
    /// The reply, made by whoever made the key ready.
    Served(Vec<u8>),
    /// Its time is up, or CLIENT UNBLOCK said so.
    TimedOut,
    /// CLIENT UNBLOCK with ERROR.
    Unblocked,
    /// The node has become a replica: an error, and the end of the connection.
    RoleChanged,
}

/// A message to a loop.
#[derive(Debug)]
pub enum Message {
    /// Deliver a push.
    Push(Push),
    /// Close a connection; with `true` only after its pending replies are sent.
    Close(u64, bool),
    /// Look at blocked and parked connections again.
    Recheck,
    /// The end of a wait, whose claim the sender has taken; the log's end behind what was done for it.
    Answer(Arc<Waiting>, Answer, Offset),
    /// It has changed when the connection's wait is to be looked at although its key does not change.
    Timed(u64),
    /// CLIENT UNBLOCK of a connection that waits for something else than a key; with an error.
    Unblock(u64, bool),
    /// Listening addresses or other settings of the loop have changed.
    Reconfigure,
    /// Answer a connection whose SHUTDOWN has failed.
    ShutdownFailed(u64),
}

/// Messages to one loop.
pub struct Mailbox {
    queue: Mutex<Queue>,
    /// Messages ever sent.
    sent: AtomicU64,
    /// See [`Mailbox::in_transit_bytes`].
    in_transit_bytes: AtomicUsize,
    notified: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    /// Bytes of the pushes among them.
    push_bytes: usize,
    /// The same with what they will take in outputs.
    in_transit_bytes: usize,
    /// Messages ever taken.
    taken: u64,
    /// Whom a push that found no room closes; each once.
    closing: HashSet<u64>,
}

impl Mailbox {
    /// A mailbox whose owner is woken by `wake`.
    pub fn new(wake: Box<dyn Fn() + Send + Sync>) -> Mailbox {
        Mailbox {
            queue: Mutex::new(Rank::Mailbox, Queue::default()),
            sent: AtomicU64::new(0),
            in_transit_bytes: AtomicUsize::new(0),
            notified: AtomicBool::new(false),
            wake,
        }
    }

    /// Sends `message` and wakes the loop. A push that finds no room closes its receivers instead.
    pub fn send(&self, message: Message) {
        {
            let mut queue = self.queue.lock();
            match message {
                Message::Push(push) if queue.push_bytes + push.len_bytes() > MAILBOX_BYTES_MAX => {
                    for id in push.clients {
                        if queue.closing.insert(id) {
                            queue.messages.push_back(Message::Close(id, false));
                        }
                    }
                }
                Message::Push(push) => {
                    queue.push_bytes += push.len_bytes();
                    let in_transit_bytes = push.len_bytes() * (1 + push.clients.len());
                    queue.in_transit_bytes += in_transit_bytes;
                    self.in_transit_bytes.fetch_add(in_transit_bytes, Ordering::Relaxed);
                    queue.messages.push_back(Message::Push(push));
                }
                Message::Recheck if matches!(queue.messages.back(), Some(Message::Recheck)) => {}
                other => queue.messages.push_back(other),
            }
            self.sent.store(queue.taken + queue.messages.len() as u64, Ordering::Release);
        }
        if !self.notified.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Whether something may be waiting. One load.
    #[inline]
    pub fn has_mail(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// How many messages were ever sent: each has the number of those before it.
    #[inline]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    /// Bytes of pushes that wait here, or were taken since [`Mailbox::settle`] was called last, and of
    /// their copies in the outputs of those who get them.
    pub fn in_transit_bytes(&self) -> usize {
        self.in_transit_bytes.load(Ordering::Relaxed)
    }

    /// Says that what was taken has been delivered.
    pub fn settle(&self) {
        if self.in_transit_bytes() > 0 {
            let queue = self.queue.lock();
            self.in_transit_bytes.store(queue.in_transit_bytes, Ordering::Relaxed);
        }
    }

    /// Takes every message.
    pub fn take(&self) -> VecDeque<Message> {
        self.take_numbered().1
    }

    /// Takes every message; gives the number of the first.
    pub fn take_numbered(&self) -> (u64, VecDeque<Message>) {
        self.notified.store(false, Ordering::Release);
        let mut queue = self.queue.lock();
        (queue.push_bytes, queue.in_transit_bytes) = (0, 0);
        queue.closing.clear();
        let first = queue.taken;
        queue.taken += queue.messages.len() as u64;
        (first, std::mem::take(&mut queue.messages))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(clients: &[u64], len: usize) -> Message {
        let bytes: Arc<[u8]> = vec![0; len].into();
        let (name, resp3) = (Arc::clone(&bytes), Arc::clone(&bytes));
        let (clients, via) = (clients.to_vec(), Via::Subscription(Kind::Channel, name));
        Message::Push(Push { clients, via, resp2: bytes, resp3 })
    }

    #[test]
    fn a_full_mailbox_closes_each_receiver_once() {
        let mailbox = Mailbox::new(Box::new(|| {}));
        mailbox.send(push(&[1], MAILBOX_BYTES_MAX - 100));
        for _ in 0..1_000 {
            mailbox.send(push(&[1, 2], 200));
        }
        let mail = mailbox.take();
        assert!(matches!(mail.front(), Some(Message::Push(_))));
        let closed: Vec<u64> = mail
            .iter()
            .filter_map(|message| match message {
                Message::Close(id, false) => Some(*id),
                _ => None,
            })
            .collect();
        assert_eq!((mail.len(), closed), (3, vec![1, 2]));
        // It is empty again.
        mailbox.send(push(&[1], 200));
        assert!(matches!(mailbox.take().front(), Some(Message::Push(_))));
    }

    #[test]
    fn its_owner_is_woken_once_until_it_looks() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let mailbox = Mailbox::new(Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        (0..5).for_each(|_| mailbox.send(Message::Recheck));
        assert!(mailbox.has_mail());
        let (first, mail) = mailbox.take_numbered();
        assert_eq!((wakes.load(Ordering::Relaxed), first, mail.len()), (1, 0, 1));
        assert_eq!(mailbox.sent(), 1);
        mailbox.send(Message::Reconfigure);
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn pushes_are_in_transit_until_they_are_settled() {
        let mailbox = Mailbox::new(Box::new(|| ()));
        mailbox.send(push(&[1], 100));
        let bytes = mailbox.in_transit_bytes();
        assert!(bytes >= 200);
        mailbox.take();
        mailbox.send(push(&[1], 100));
        assert_eq!(mailbox.in_transit_bytes(), 2 * bytes);
        mailbox.settle();
        assert_eq!(mailbox.in_transit_bytes(), bytes);
        mailbox.take();
        mailbox.settle();
        assert_eq!(mailbox.in_transit_bytes(), 0);
    }
}
