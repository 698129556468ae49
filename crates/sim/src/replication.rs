//! The driver of the replication machines: what `redoubt` does with sockets and threads, here with
//! the simulated network.

use crate::network::{Notice, Payload, Side};
use crate::queue::Event;
use crate::server::{Loading, Sending, Snapshot};
use crate::setup::between;
use crate::world::World;
use base::{Millis, Offset, RunId};
use psync::primary::{self, CutId, Format, PsyncAnswer, ReplconfAnswer, ReplicaId};
use psync::{History, Window, replica};
use resp::request::{Arguments, Limits, Parser, Progress};

/// The most bytes of the stream that travel in one packet.
const STREAM_PIECE_BYTES: usize = 4096;
/// A snapshot is sent in so many pieces.
const SNAPSHOT_PIECES: usize = 5;

impl World {
    /// Performs what both machines want done, until they want nothing.
    pub(crate) fn perform_replication(&mut self, node: usize) {
        loop {
            let server = &mut self.nodes[node].server;
            let follows = server.follows.is_some();
            server.primary.set_chained(self.now, follows, server.replica.is_link_up());
            if let Some(action) = server.replica.poll_action() {
                self.perform_replica(node, action);
            } else if let Some(action) = server.primary.poll_action() {
                self.perform_primary(node, action);
            } else {
                return;
            }
        }
    }

    fn perform_replica(&mut self, node: usize, action: replica::Action) {
        let server = &mut self.nodes[node].server;
        match action {
            replica::Action::Log(_, text) => {
                self.trace.note(self.now, format_args!("R{node} log {text}"));
            }
            replica::Action::Connect { host, .. } => self.open_primary_link(node, &host),
            replica::Action::Send(bytes) => {
                if let Some(link) = server.link {
                    self.send(link, Side::Callee, Payload::Bytes(bytes));
                }
            }
            replica::Action::Persist { epoch } => self.raise_epoch(node, epoch),
            replica::Action::StartSnapshot { replid, offset, .. } => {
                server.next_token += 1;
                let token = server.next_token;
                server.loading = Some(Loading { replid, offset, bytes: Vec::new(), token });
            }
            replica::Action::SnapshotBytes(bytes) => {
                if let Some(loading) = &mut server.loading {
                    loading.bytes.extend(bytes);
                }
            }
            replica::Action::EndSnapshot => {
                let Some(token) = server.loading.as_ref().map(|loading| loading.token) else {
                    return;
                };
                let life = self.nodes[node].life;
                let span = between(&mut self.random, 1, self.setup.load_max);
                self.queue.plan(self.now + Millis(span), Event::Loaded { node, life, token });
            }
            replica::Action::AbortSnapshot => server.loading = None,
            replica::Action::Continue { replid } => self.continue_history(node, replid),
            replica::Action::Stream(bytes) => {
                server.unapplied.extend(bytes);
                self.apply_stream(node);
            }
            replica::Action::Disconnect { .. } => {
                server.unapplied.clear();
                server.inbox.clear();
                if let Some(link) = server.link.take() {
                    self.close(link, Side::Caller);
                }
            }
        }
    }

    fn continue_history(&mut self, node: usize, replid: RunId) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        server.unapplied.clear();
        if server.history.replid != replid {
            server.history.shift(server.log.end(), replid);
            server.primary.set_history(server.history);
            server.primary.disconnect_all(now, "history continues under another id");
        }
        self.note_contents(node);
    }

    /// A received snapshot was loaded: it replaces the data set.
    pub(crate) fn loaded(&mut self, node: usize, token: u64) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        if server.loading.as_ref().is_none_or(|loading| loading.token != token) {
            return;
        }
        let Some(Loading { replid, offset, bytes, .. }) = server.loading.take() else { return };
        let Some(snapshot) = Snapshot::parse(replid, offset, &bytes) else {
            return self.violate(format!("node {node} received a snapshot that is not whole"));
        };
        if snapshot.keys.is_empty() && !server.keys.is_empty() {
            self.ledger.note_emptied(node);
        }
        let server = &mut self.nodes[node].server;
        server.keys = snapshot.keys;
        server.digest = snapshot.digest;
        server.log.reset(offset);
        server.history = History::new(replid);
        server.unapplied.clear();
        server.primary.set_history(server.history);
        server.primary.disconnect_all(now, "the data set was replaced");
        server.replica.handle_loaded(now, Ok(()));
        self.note_contents(node);
        self.ledger.full_syncs += 1;
        self.server_turn(node);
        self.drain_inbox(node);
    }

    /// Applies the whole commands that have arrived.
    fn apply_stream(&mut self, node: usize) {
        let now = self.now;
        let mut at = 0;
        let mut parsed = Arguments::new();
        let server = &mut self.nodes[node].server;
        let bytes = std::mem::take(&mut server.unapplied);
        let mut broken = false;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let consumed = match Parser::new().parse(rest, &Limits::default(), &mut parsed) {
                Ok(Progress::Complete { consumed } | Progress::Empty { consumed }) => consumed,
                Ok(Progress::Incomplete { .. }) => break,
                Err(_) => {
                    broken = true;
                    break;
                }
            };
            let args: Vec<&[u8]> = parsed.iter(rest).collect();
            let server = &mut self.nodes[node].server;
            if args.first() == Some(&&b"REPLCONF"[..]) {
                server.replica.handle_getack(now);
            }
            server.apply(&args);
            let end = server.log.append_raw(&rest[..consumed]);
            server.replica.applied(end);
            at += consumed;
            self.note_contents(node);
        }
        self.nodes[node].server.unapplied = bytes[at..].to_vec();
        if broken {
            self.violate(format!("node {node} received a stream that is no command"));
        }
    }

    /// Something happened on the link to the primary.
    pub(crate) fn primary_link(&mut self, node: usize, connection: u64, notice: Notice) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        if server.link != Some(connection) {
            return;
        }
        match notice {
            Notice::Opened => server.replica.handle_connected(now),
            Notice::Closed => {
                server.link = None;
                server.inbox.clear();
                server.replica.handle_closed(now, "closed by the other side");
            }
            Notice::Data(Payload::Bytes(bytes)) => {
                server.inbox.extend(bytes);
                self.drain_inbox(node);
            }
            Notice::Data(_) => self.violate(format!("node {node} got no bytes from its primary")),
        }
        self.server_turn(node);
    }

    fn drain_inbox(&mut self, node: usize) {
        let server = &mut self.nodes[node].server;
        if server.replica.wants_bytes() && !server.inbox.is_empty() {
            let bytes = std::mem::take(&mut server.inbox);
            server.replica.handle_bytes(self.now, &bytes);
            self.server_turn(node);
        }
    }

    /// Bytes of a replica: whole commands are answered.
    pub(crate) fn replica_bytes(&mut self, node: usize, connection: u64, bytes: &[u8]) {
        let server = &mut self.nodes[node].server;
        let session = server.sessions.entry(connection).or_default();
        session.is_replica = true;
        session.buffer.extend(bytes);
        let mut parsed = Arguments::new();
        loop {
            let Some(session) = self.nodes[node].server.sessions.get_mut(&connection) else {
                return;
            };
            let buffer = std::mem::take(&mut session.buffer);
            let progress = Parser::new().parse(&buffer, &Limits::default(), &mut parsed);
            let (consumed, whole) = match progress {
                Ok(Progress::Complete { consumed }) => (consumed, true),
                Ok(Progress::Empty { consumed }) => (consumed, false),
                Ok(Progress::Incomplete { .. }) => {
                    session.buffer = buffer;
                    return;
                }
                Err(error) => return self.violate(format!("a replica spoke nonsense: {error}")),
            };
            session.buffer = buffer[consumed..].to_vec();
            if whole {
                let args: Vec<&[u8]> = parsed.iter(&buffer).collect();
                self.replica_command(node, connection, &args);
            }
            self.perform_replication(node);
        }
    }

    fn replica_command(&mut self, node: usize, connection: u64, args: &[&[u8]]) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        let id = ReplicaId(connection);
        let answer = match args {
            [b"PING"] => "+PONG\r\n".to_owned(),
            [b"REPLCONF", rest @ ..] => {
                let end = server.log.end();
                match server.primary.handle_replconf(now, id, "10.0.0.0", rest, end) {
                    ReplconfAnswer::Status(text) => format!("+{text}\r\n"),
                    ReplconfAnswer::Error(text) => format!("-{text}\r\n"),
                    ReplconfAnswer::Nothing | ReplconfAnswer::GetAck => String::new(),
                }
            }
            [b"PSYNC", rest @ ..] => {
                let window = server.log.backlog();
                let window = window.map(|held| Window { first: held.first, end: held.end });
                match server.primary.handle_psync(now, id, "10.0.0.0", rest, window) {
                    PsyncAnswer::Taken | PsyncAnswer::Ignored => String::new(),
                    PsyncAnswer::Error(text) => format!("-{text}\r\n"),
                }
            }
            _ => return self.violate("a replica sent an unknown command".to_owned()),
        };
        if !answer.is_empty() {
            self.send(connection, Side::Caller, Payload::Bytes(answer.into_bytes()));
        }
    }

    fn perform_primary(&mut self, node: usize, action: primary::Action) {
        let server = &mut self.nodes[node].server;
        match action {
            primary::Action::Log(_, text) => {
                self.trace.note(self.now, format_args!("P{node} log {text}"));
            }
            primary::Action::Send(id, bytes) => {
                self.send(id.0, Side::Caller, Payload::Bytes(bytes));
            }
            primary::Action::StartStream { id, from } => self.start_stream(node, id, from),
            primary::Action::Cut { cut, replicas, format } => {
                self.make_cut(node, cut, &replicas, format);
            }
            primary::Action::SendSnapshot { cut, replicas, mark } => {
                let mut bytes = server.cuts.get(&cut).cloned().unwrap_or_default();
                if let Some(mark) = mark {
                    bytes.extend_from_slice(mark.as_str().as_bytes());
                }
                let life = self.nodes[node].life;
                for replica in replicas {
                    let piece = bytes.len() / SNAPSHOT_PIECES + 1;
                    let sending = Sending { bytes: bytes.clone(), sent: 0, piece };
                    self.nodes[node].server.sending.insert(replica.0, sending);
                    self.queue.plan(self.now, Event::Piece { node, life, replica: replica.0 });
                }
            }
            primary::Action::CancelCut(cut) => {
                server.cuts.remove(&cut);
            }
            primary::Action::RetainBacklog(bytes) => {
                if server.log.backlog().is_none() {
                    server.log.retain(bytes);
                }
            }
            primary::Action::ReleaseBacklog => server.log.release(),
            primary::Action::AppendPing => self.append_keyless(node, &[b"PING"]),
            primary::Action::AppendGetAck => {
                self.append_keyless(node, &[b"REPLCONF", b"GETACK", b"*"]);
            }
            primary::Action::Disconnect { id, .. } => self.drop_session(node, id.0),
        }
    }

    fn append_keyless(&mut self, node: usize, args: &[&[u8]]) {
        let server = &mut self.nodes[node].server;
        server.batch.begin();
        server.batch.keyless(args);
        server.batch.finish(oplog::Framing::Plain);
        server.log.append(&server.batch);
        self.note_contents(node);
    }

    fn make_cut(&mut self, node: usize, cut: CutId, replicas: &[ReplicaId], format: Format) {
        let mark = RunId::generate(&mut self.random);
        let server = &mut self.nodes[node].server;
        let (bytes, offset) = (server.snapshot().to_bytes(), server.log.end());
        server.log.force_select();
        for replica in replicas {
            if let Ok(reader) = server.log.reader(offset) {
                server.waiting.insert(replica.0, reader);
            }
        }
        let length = bytes.len() as u64;
        server.cuts.insert(cut, bytes);
        server.primary.handle_cut(self.now, cut, Ok(offset), mark);
        if format == Format::Length {
            server.primary.handle_snapshot_length(self.now, cut, length);
        }
    }

    fn start_stream(&mut self, node: usize, id: ReplicaId, from: Offset) {
        let server = &mut self.nodes[node].server;
        let waiting = server.waiting.remove(&id.0).filter(|reader| reader.position() == from);
        match waiting.map_or_else(|| server.log.reader(from), Ok) {
            Ok(reader) => {
                server.readers.insert(id.0, reader);
            }
            Err(error) => {
                self.violate(format!("a stream cannot start where it was agreed: {error}"));
            }
        }
    }

    /// Sends the next piece of a snapshot.
    pub(crate) fn send_piece(&mut self, node: usize, replica: u64) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        let Some(sending) = server.sending.get_mut(&replica) else { return };
        let end = (sending.sent + sending.piece).min(sending.bytes.len());
        let piece = sending.bytes[sending.sent..end].to_vec();
        sending.sent = end;
        let done = end == sending.bytes.len();
        if done {
            server.sending.remove(&replica);
        }
        self.send(replica, Side::Caller, Payload::Bytes(piece));
        let server = &mut self.nodes[node].server;
        if done {
            server.primary.handle_snapshot_sent(now, ReplicaId(replica));
        } else {
            server.primary.handle_progress(now, ReplicaId(replica));
            let pause = between(&mut self.random, 0, self.setup.piece_max);
            let life = self.nodes[node].life;
            self.queue.plan(now + Millis(pause), Event::Piece { node, life, replica });
        }
        self.server_turn(node);
    }

    /// Sends what the log gained to every replica that is in the stream.
    pub(crate) fn pump_streams(&mut self, node: usize) {
        for id in self.nodes[node].server.readers.keys().copied().collect::<Vec<_>>() {
            loop {
                let mut bytes = Vec::new();
                let Some(reader) = self.nodes[node].server.readers.get_mut(&id) else { break };
                match reader.read(STREAM_PIECE_BYTES, &mut bytes) {
                    Ok(0) => break,
                    Ok(_) => self.send(id, Side::Caller, Payload::Bytes(bytes)),
                    Err(error) => {
                        self.violate(format!("node {node} lost its place in the log: {error}"));
                        break;
                    }
                }
            }
        }
    }
}
