//! Host names are looked up on a thread of their own, because a lookup may take seconds and the
//! sentinel must go on. With numeric addresses, the default, the thread is never started.

use super::Signal;
use ::sentinel::LinkId;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Lookups waiting at once; further ones fail and are tried again by the machine.
pub(super) const LOOKUPS_MAX: usize = 64;

type Question = (LinkId, String, u16);
type Answer = (LinkId, Option<SocketAddr>);

/// The lookups under way.
#[derive(Debug)]
pub(super) struct Resolver {
    signal: Signal,
    questions: Option<SyncSender<Question>>,
    answers: Receiver<Answer>,
    answer_to: Sender<Answer>,
}

impl Resolver {
    pub(super) fn new(signal: Signal) -> Resolver {
        let (answer_to, answers) = channel();
        Resolver { signal, questions: None, answers, answer_to }
    }

    /// Begins to look up a host. False if that cannot be done now.
    pub(super) fn ask(&mut self, link: LinkId, host: &str, port: u16) -> bool {
        if self.questions.is_none() {
            self.questions = self.start();
        }
        let Some(questions) = &self.questions else { return false };
        questions.try_send((link, host.to_owned(), port)).is_ok()
    }

    /// The next lookup that is done.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    fn start(&self) -> Option<SyncSender<Question>> {
        let (sender, questions) = sync_channel::<Question>(LOOKUPS_MAX);
        let (answer_to, signal) = (self.answer_to.clone(), self.signal.clone());
        let thread = std::thread::Builder::new().name("sentinel-dns".to_owned());
        // The thread ends when the driver, and with it the sender, is gone.
        let started = thread.spawn(move || {
            for (link, host, port) in questions {
                let found = (host.as_str(), port).to_socket_addrs().ok();
                let address = found.and_then(|mut addresses| addresses.next());
                if answer_to.send((link, address)).is_err() {
                    return;
                }
                signal.wake();
            }
        });
        started.ok().map(|_| sender)
    }
}
