//! The primary's stream: bytes in, commands applied, the same bytes in the log.

use base::Millis;
use engine::Session;
use engine::args::Request;
use engine::client::ClientInfo;
use engine::pipeline::{Applied, Worker};
use psync::Replica;
use resp::request::{Arguments, Limits, Parser, Progress};
use std::sync::Arc;

/// Commands that are applied before others may have the keyspace alone.
const WINDOW_COMMANDS_MAX: usize = 128;
/// Bytes of a command or transaction that is not complete yet; a longer one ends the link.
const INPUT_BYTES_MAX: usize = 2 << 30;
/// An input buffer that grew beyond this is given back.
const INPUT_BYTES_KEPT: usize = 1 << 20;

const LIMITS: Limits = Limits { authenticated: true, bulk_bytes_max: usize::MAX };

/// What became of bytes.
pub(super) enum Fed {
    /// They were applied, as far as they are whole commands.
    Applied,
    /// This node does not follow that primary any more.
    Overtaken,
    /// They cannot be applied.
    Failed(String),
}

/// The stream of one connection; between connections there is no session.
pub(super) struct Stream<'n> {
    worker: Worker<'n>,
    session: Option<Session>,
    parser: Parser,
    arguments: Arguments,
    ranges: Vec<(u32, u32)>,
    /// Bytes that the log lacks: a transaction that is not complete, then up to one command.
    input: Vec<u8>,
    /// Where in `input` the next command begins.
    at: usize,
}

impl<'n> Stream<'n> {
    pub(super) fn new(worker: Worker<'n>) -> Stream<'n> {
        Stream {
            worker,
            session: None,
            parser: Parser::new(),
            arguments: Arguments::new(),
            ranges: Vec::new(),
            input: Vec::new(),
            at: 0,
        }
    }

    /// A connection begins. A partial resync goes on in the database in which the last one stood.
    pub(super) fn begin(&mut self, info: &Arc<ClientInfo>) {
        self.end();
        let mut session = Session::new(Arc::clone(info), true);
        session.db = self.worker.node().replication.stream_db();
        self.session = Some(session);
    }

    /// The connection ends: what is not applied is dropped.
    pub(super) fn end(&mut self) {
        self.session = None;
        self.parser.reset();
        self.input = Vec::new();
        self.at = 0;
    }

    /// A full sync was loaded: the stream stands in this database.
    pub(super) fn go_on_in(&mut self, db: u32) {
        if let Some(session) = &mut self.session {
            session.db = db;
        }
    }

    /// Applies what is whole of the bytes so far.
    pub(super) fn feed(
        &mut self,
        now: Millis,
        bytes: &[u8],
        machine: &mut Replica,
        current: &dyn Fn() -> bool,
    ) -> Fed {
        if self.session.is_none() {
            return Fed::Overtaken;
        }
        self.input.extend_from_slice(bytes);
        let node = self.worker.node();
        let mut done = 0;
        self.worker.enter();
        let mut commands = 0;
        let result = loop {
            match self.step(now, &mut done, machine, current) {
                Ok(true) => {}
                Ok(false) => break Fed::Applied,
                Err(fed) => break fed,
            }
            commands += 1;
            if commands % WINDOW_COMMANDS_MAX == 0 {
                self.worker.leave();
                self.worker.enter();
            }
        };
        self.worker.leave();
        self.input.drain(..done);
        self.at -= done;
        if self.input.is_empty() && self.input.capacity() > INPUT_BYTES_KEPT {
            self.input = Vec::new();
        }
        if matches!(result, Fed::Applied) {
            machine.applied(node.log.end());
            if self.input.len() > INPUT_BYTES_MAX {
                return Fed::Failed("a command or transaction exceeds all bounds".to_owned());
            }
        }
        result
    }

    /// Applies the next command, if it is whole. `done` is the end of what the log has.
    fn step(
        &mut self,
        now: Millis,
        done: &mut usize,
        machine: &mut Replica,
        current: &dyn Fn() -> bool,
    ) -> Result<bool, Fed> {
        let Some(session) = &mut self.session else { return Err(Fed::Overtaken) };
        let front = self.input.get(self.at..).unwrap_or_default();
        let parsed = self.parser.parse(front, &LIMITS, &mut self.arguments);
        let end = match parsed {
            Ok(Progress::Complete { consumed }) => self.at + consumed,
            Ok(Progress::Empty { consumed }) => {
                self.at += consumed;
                if session.queue.is_none() {
                    if !current() {
                        return Err(Fed::Overtaken);
                    }
                    let raw = self.input.get(*done..self.at).unwrap_or_default();
                    self.worker.node().log.append_raw(raw);
                    *done = self.at;
                }
                return Ok(true);
            }
            Ok(Progress::Incomplete { .. }) => return Ok(false),
            Err(error) => return Err(Fed::Failed(error.to_string())),
        };
        if u32::try_from(end - self.at).is_err() {
            return Err(Fed::Failed("a request of 4 GB or more".to_owned()));
        }
        self.ranges.clear();
        for range in self.arguments.ranges() {
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            self.ranges.push((place(range.start), place(range.end)));
        }
        let request = Request { bytes: self.arguments.bytes(front), ranges: &self.ranges };
        if is_getack(request) {
            machine.applied(self.worker.node().log.end());
            machine.handle_getack(now);
        }
        let raw = self.input.get(*done..end).unwrap_or_default();
        match self.worker.apply(session, request, raw, current) {
            Applied::Done => *done = end,
            Applied::Queued => {}
            Applied::Overtaken => return Err(Fed::Overtaken),
            Applied::Failed(error) => return Err(Fed::Failed(error)),
        }
        self.at = end;
        Ok(true)
    }
}

fn is_getack(request: Request<'_>) -> bool {
    request.word(0).eq_ignore_ascii_case(b"replconf")
        && request.word(1).eq_ignore_ascii_case(b"getack")
}
