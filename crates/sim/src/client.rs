//! Clients: ask a sentinel who is primary, write numbered values there, note what was acknowledged.
//!
//! As the client libraries do: any error, silence or lost connection sends them back to the
//! sentinels. A write without an answer counts as neither written nor lost.

use crate::network::{Notice, Party, Payload, Purpose, Side};
use crate::queue::Event;
use crate::setup::{GROUP, NODES, between, host_of};
use crate::world::World;
use base::Millis;
use sentinel::Reply;

/// How long a client waits for an answer.
const ANSWER_TIMEOUT_MS: u64 = 1_000;
/// How long it waits before it asks again.
const RETRY_MS: u64 = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    /// The question to a sentinel is under way.
    Asking,
    /// Connected to whom it believes primary; the time of the next write is planned.
    Ready,
    /// A write is under way.
    Writing,
}

/// One client.
#[derive(Debug, Default)]
pub(crate) struct Client {
    state: State,
    connection: Option<u64>,
    /// Counts its timers, so that an old one is known as such.
    turn: u64,
    /// The number of its last write.
    number: u64,
}

impl World {
    /// Wakes a client after `span`, and not at any time planned before.
    pub(crate) fn client_wakes_at(&mut self, client: usize, span: u64) {
        self.clients[client].turn += 1;
        let turn = self.clients[client].turn;
        self.queue.plan(self.now + Millis(span), Event::ClientTurn { client, turn });
    }

    /// A client's timer.
    pub(crate) fn client_turn(&mut self, client: usize, turn: u64) {
        if self.clients[client].turn != turn {
            return;
        }
        match self.clients[client].state {
            State::Idle if self.clients_write => {
                let sentinel = self.random.below(NODES as u64);
                let sentinel = usize::try_from(sentinel).unwrap_or(0);
                let callee = Party::Watcher(sentinel);
                let connection = self.open(Party::Client(client), callee, Purpose::Client);
                self.clients[client].connection = Some(connection);
                self.clients[client].state = State::Asking;
                self.client_wakes_at(client, ANSWER_TIMEOUT_MS);
            }
            State::Ready if self.clients_write => self.write(client),
            State::Idle | State::Ready => self.client_wakes_at(client, RETRY_MS),
            State::Asking | State::Writing => self.client_starts_over(client),
        }
    }

    fn client_starts_over(&mut self, client: usize) {
        if let Some(connection) = self.clients[client].connection.take() {
            self.close(connection, Side::Caller);
        }
        self.clients[client].state = State::Idle;
        self.client_wakes_at(client, RETRY_MS);
    }

    fn write(&mut self, client: usize) {
        let here = &mut self.clients[client];
        here.number += 1;
        here.state = State::Writing;
        let number = here.number;
        let Some(connection) = here.connection else { return };
        let (key, value) = (key_of(client, number), number.to_string().into_bytes());
        let command = vec![b"SET".to_vec(), key, value];
        self.ledger.tried += 1;
        self.send(connection, Side::Callee, Payload::Command(command));
        self.client_wakes_at(client, ANSWER_TIMEOUT_MS);
    }

    /// Something happened on a client's connection.
    pub(crate) fn client_notice(&mut self, client: usize, connection: u64, notice: Notice) {
        let here = &self.clients[client];
        if here.connection != Some(connection) {
            return;
        }
        match (here.state, notice) {
            (State::Asking, Notice::Opened) => {
                let words = ["SENTINEL", "get-master-addr-by-name", GROUP];
                let command = words.map(|word| word.as_bytes().to_vec()).to_vec();
                self.send(connection, Side::Callee, Payload::Command(command));
            }
            (State::Asking, Notice::Data(Payload::Reply(reply))) => {
                self.close(connection, Side::Caller);
                let Some(primary) = named(&reply) else { return self.client_starts_over(client) };
                let callee = Party::Server(primary);
                let connection = self.open(Party::Client(client), callee, Purpose::Client);
                self.clients[client].connection = Some(connection);
                self.clients[client].state = State::Ready;
                // Replaced as soon as the connection is open.
                self.client_wakes_at(client, ANSWER_TIMEOUT_MS);
            }
            (State::Ready, Notice::Opened) => self.client_wakes_at(client, 1),
            (State::Writing, Notice::Data(Payload::Reply(Reply::Status(_)))) => {
                let number = self.clients[client].number;
                self.ledger.note_acknowledged(key_of(client, number));
                self.clients[client].state = State::Ready;
                let span = between(&mut self.random, 1, self.setup.write_period * 2);
                self.client_wakes_at(client, span);
            }
            _ => self.client_starts_over(client),
        }
    }
}

/// The key of a write: each is written once, so that its loss can be seen.
fn key_of(client: usize, number: u64) -> Vec<u8> {
    format!("client{client}:{number}").into_bytes()
}

fn named(reply: &Reply) -> Option<usize> {
    let Reply::Array(items) = reply else { return None };
    host_of(items.first()?.as_text()?)
}
