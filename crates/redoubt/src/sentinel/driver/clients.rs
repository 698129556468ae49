//! The clients: accepting them, cutting requests, answering, closing.

use super::{Driver, Token, flush};
use crate::sentinel::Exit;
use crate::sentinel::client::{Client, OUTPUT_BYTES_MAX, QUERY_BYTES_MAX, Session};
use crate::sentinel::connection::{Arrived, Connection};
use crate::sentinel::facts::{Origin, collect};
use crate::sentinel::session::{Target, Verdict, run};
use ::sentinel::ClientId;
use base::clock;
use resp::{Arguments, Limits, Parser, Progress, Protocol, Writer};
use rustix::event::epoll;
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Connections accepted per turn.
const ACCEPTS_MAX: usize = 64;

const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface.\r\n";

impl Driver {
    pub(super) fn accept(&mut self, index: u64) {
        for _ in 0..ACCEPTS_MAX {
            let listener = usize::try_from(index).ok().and_then(|at| self.listeners.get(at));
            let Some(Ok((stream, address))) = listener.map(TcpListener::accept) else { return };
            self.stats.connections += 1;
            if let Err(error) = self.welcome(stream, address) {
                tracing::debug!("A client could not be accepted: {error}");
            }
        }
    }

    pub(super) fn welcome(&mut self, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let mut connection = Connection::new(stream);
        let refusal = if self.options.refuses(address.ip()) {
            self.tell_of_refusal(address);
            Some(DENIED)
        } else if self.clients.len() >= self.options.clients_max {
            Some(&b"-ERR max number of clients reached\r\n"[..])
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.stats.rejected += 1;
            connection.output().extend_from_slice(refusal);
            return connection.flush();
        }
        self.next_client += 1;
        let id = ClientId(self.next_client);
        let flags = epoll::EventFlags::IN;
        epoll::add(&self.epoll, &connection.stream, Token::Client(id).data(), flags)?;
        let now = clock::monotonic().0;
        let session = Session {
            id: id.0,
            address,
            local,
            name: Vec::new(),
            library: Vec::new(),
            library_version: Vec::new(),
            protocol: Protocol::Resp2,
            authenticated: self.options.password.is_empty(),
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            created_ms: now,
            active_ms: now,
            last_command: "NULL".to_owned(),
            closing: false,
        };
        let (parser, arguments) = (Parser::new(), Arguments::new());
        self.clients.insert(id, Client { connection, parser, arguments, session });
        Ok(())
    }

    /// Says once that clients are turned away: other sentinels among them cannot say so themselves.
    fn tell_of_refusal(&mut self, address: SocketAddr) {
        if !std::mem::replace(&mut self.told_of_refusal, true) {
            tracing::warn!(
                "The sentinel refuses {address}: protected mode lets nobody in from elsewhere \
                 without a password. Other sentinels that are refused cannot vote with this one: set \
                 a password, or 'protected-mode no'. Further refusals are not logged."
            );
        }
    }

    pub(super) fn client_event(&mut self, id: ClientId, flags: epoll::EventFlags) {
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(readable) {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let before = client.connection.input.len();
            let arrived = client.connection.read();
            let read = client.connection.input.len() - before;
            self.stats.input_bytes += u64::try_from(read).unwrap_or(0);
            while self.next_command(id) {}
            if !matches!(arrived, Ok(Arrived::Open)) {
                self.clients.remove(&id);
                return;
            }
        }
        self.flush_client(id);
    }

    /// Runs the next whole command of a client. False if there is none.
    pub(super) fn next_command(&mut self, id: ClientId) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        if client.session.closing {
            return false;
        }
        let authenticated = client.session.authenticated;
        let limits = Limits { authenticated, bulk_bytes_max: QUERY_BYTES_MAX };
        let input = &client.connection.input;
        match client.parser.parse(input, &limits, &mut client.arguments) {
            Ok(Progress::Complete { consumed }) => {
                let args: Vec<Vec<u8>> = client.arguments.iter(input).map(<[u8]>::to_vec).collect();
                client.connection.consume(consumed);
                self.stats.commands += 1;
                self.command(id, &args);
                true
            }
            Ok(Progress::Empty { consumed }) => {
                client.connection.consume(consumed);
                true
            }
            Ok(Progress::Incomplete { .. }) => {
                if input.len() > QUERY_BYTES_MAX {
                    client.session.closing = true;
                }
                false
            }
            Err(error) => {
                let mut text = b"ERR ".to_vec();
                text.extend(error.message());
                Writer::new(client.connection.output(), client.session.protocol).error(text);
                client.session.closing = true;
                false
            }
        }
    }

    pub(super) fn command(&mut self, id: ClientId, args: &[Vec<u8>]) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.session.active_ms = clock::monotonic().0;
        let name = args.first().map(|name| String::from_utf8_lossy(name).to_lowercase());
        client.session.last_command = name.unwrap_or_default();
        let is_info = client.session.last_command == "info";
        let out = client.connection.output();
        match run(&mut client.session, out, args, &self.options.password) {
            Verdict::Done => {}
            Verdict::Machine => {
                let origin = Origin {
                    run_id: self.machine.my_id(),
                    port: self.addresses().first().map_or(0, SocketAddr::port),
                    config_file: self.state.path(),
                    started_ms: self.started_ms,
                };
                let facts = is_info.then(|| collect(&origin, &self.stats, self.clients.len()));
                let facts = facts.unwrap_or_default();
                self.machine.handle_command(clock::monotonic(), id, args, &facts);
                self.perform();
            }
            Verdict::List => self.list_clients(id),
            Verdict::Kill(target) => self.kill(id, &target),
            Verdict::Shutdown => self.exit = Some(Exit::Shutdown),
        }
    }

    pub(super) fn list_clients(&mut self, id: ClientId) {
        let now = clock::monotonic().0;
        let lines: String = self.clients.values().map(|client| client.session.line(now)).collect();
        if let Some(client) = self.clients.get_mut(&id) {
            let protocol = client.session.protocol;
            Writer::new(client.connection.output(), protocol).verbatim(*b"txt", lines);
        }
    }

    pub(super) fn kill(&mut self, id: ClientId, target: &Target) {
        let meant = |session: &Session| match target {
            Target::Id(id) => session.id == *id,
            Target::Address(address) | Target::OldAddress(address) => {
                session.address.to_string() == *address
            }
        };
        let mut killed: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| meant(&client.session))
            .map(|(&id, _)| id)
            .collect();
        let count = i64::try_from(killed.len()).unwrap_or(i64::MAX);
        if let Some(client) = self.clients.get_mut(&id) {
            let mut writer = Writer::new(client.connection.output(), client.session.protocol);
            match target {
                Target::OldAddress(_) if count > 0 => writer.ok(),
                Target::OldAddress(_) => writer.error("ERR No such client"),
                _ => writer.integer(count),
            }
            client.session.closing |= killed.contains(&id);
        }
        killed.retain(|&other| other != id);
        for other in killed {
            self.clients.remove(&other);
        }
    }

    pub(super) fn flush_client(&mut self, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let token = Token::Client(id);
        let failed = flush(&self.epoll, &mut client.connection, token).is_err();
        let unsent = client.connection.unsent();
        let finished = client.session.closing && unsent == 0;
        if failed || finished || unsent > OUTPUT_BYTES_MAX {
            self.clients.remove(&id);
        }
    }
}
