//! The replica's side of the handshake: what is said, in which order, and how answers are taken.
//!
//! ```text
//! PING                                        +PONG, or an error that asks for AUTH
//! AUTH [user] password                        +OK
//! REPLCONF listening-port P                   +OK (an error is not critical)
//! REPLCONF ip-address A                       +OK (likewise)
//! REPLCONF capa eof capa psync2               +OK (likewise)
//! REPLCONF redoubt-group-id ...               -ERR from stock, +OK redoubt-... from ours
//! PSYNC replid offset                         +FULLRESYNC, +CONTINUE, or an error
//! ```
//!
//! The middle ones are sent at once, as stock 7.0 does; each answer is then taken in order. Before
//! the answer to PSYNC a primary may send newlines to keep the link alive.

use super::{Action, Fault, FullSync, Phase, Replica, Resume, State};
use crate::encode::{command, integer};
use crate::identity::PeerIdentity;
use crate::line::LineBuffer;
use crate::{Level, OFFSET_MAX};
use base::{Millis, Offset, RunId};
use std::collections::VecDeque;

/// How much of a peer's line is shown in ours.
const SHOWN_BYTES_MAX: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Ping,
    Auth,
    ListeningPort,
    IpAddress,
    Capa,
    Redoubt,
    Psync,
}

/// A handshake in progress.
#[derive(Debug)]
pub(super) struct Handshake {
    line: LineBuffer,
    expected: VecDeque<Expect>,
    peer: Option<PeerIdentity>,
}

impl Handshake {
    /// A handshake, and the bytes that open it.
    pub(super) fn start() -> (Handshake, Vec<u8>) {
        let mut hello = Vec::new();
        command(&[b"PING"], &mut hello);
        let expected = VecDeque::from([Expect::Ping]);
        (Handshake { line: LineBuffer::default(), expected, peer: None }, hello)
    }

    pub(super) fn is_past_ping(&self) -> bool {
        self.expected.front() != Some(&Expect::Ping)
    }
}

/// A peer's line as it may be shown: cut, and without control bytes.
pub(crate) fn printable(line: &[u8]) -> String {
    let shown = line.get(..SHOWN_BYTES_MAX).unwrap_or(line);
    String::from_utf8_lossy(shown).replace(|c: char| c.is_control(), "?")
}

impl Replica {
    pub(super) fn step_handshake(&mut self, now: Millis, input: &mut &[u8]) -> Result<(), Fault> {
        let State::Handshake(handshake) = &mut self.state else { return Ok(()) };
        let line = handshake.line.take(input);
        let Some(line) = line.map_err(|error| Fault::Protocol(error.to_string()))? else {
            return Ok(());
        };
        let Some(&expect) = handshake.expected.front() else { return Ok(()) };
        if expect == Expect::Psync {
            // An empty line keeps the link alive while the primary prepares its answer.
            return if line.is_empty() { Ok(()) } else { self.take_psync_answer(now, &line) };
        }
        handshake.expected.pop_front();
        let is_error = line.first() == Some(&b'-');
        match expect {
            Expect::Ping => {
                self.take_pong(&line)?;
                self.send_introduction();
            }
            Expect::Auth if is_error => return Err(Fault::Auth(printable(&line))),
            Expect::ListeningPort if is_error => self.not_critical("listening-port", &line),
            Expect::IpAddress if is_error => self.not_critical("ip-address", &line),
            Expect::Capa if is_error => self.not_critical("capa", &line),
            Expect::Redoubt => handshake.peer = PeerIdentity::parse_answer(&line),
            _ => {}
        }
        self.send_psync_when_introduced();
        Ok(())
    }

    fn take_pong(&mut self, line: &[u8]) -> Result<(), Fault> {
        let wants_auth = [&b"-NOAUTH"[..], b"-NOPERM", b"-ERR operation not permitted"];
        let accepted =
            line.first() == Some(&b'+') || wants_auth.iter().any(|e| line.starts_with(e));
        if !accepted {
            return Err(Fault::Ping(printable(line)));
        }
        self.notice("Master replied to PING, replication can continue...".to_owned());
        Ok(())
    }

    fn send_introduction(&mut self) {
        let (settings, mut out) = (&self.settings, Vec::new());
        let mut expected = VecDeque::new();
        if let Some(password) = &settings.password {
            match &settings.user {
                Some(user) => command(&[b"AUTH", user, password], &mut out),
                None => command(&[b"AUTH", password], &mut out),
            }
            expected.push_back(Expect::Auth);
        }
        let port = settings.listening_port.to_string();
        command(&[b"REPLCONF", b"listening-port", port.as_bytes()], &mut out);
        expected.push_back(Expect::ListeningPort);
        if let Some(ip) = &settings.announce_ip {
            command(&[b"REPLCONF", b"ip-address", ip.as_bytes()], &mut out);
            expected.push_back(Expect::IpAddress);
        }
        command(&[b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"], &mut out);
        expected.push_back(Expect::Capa);
        if let Some(identity) = &settings.identity {
            identity.encode_replconf(&mut out);
            expected.push_back(Expect::Redoubt);
        }
        self.actions.push_back(Action::Send(out));
        if let State::Handshake(handshake) = &mut self.state {
            handshake.expected = expected;
        }
    }

    fn send_psync_when_introduced(&mut self) {
        let State::Handshake(handshake) = &mut self.state else { return };
        if !handshake.expected.is_empty() {
            return;
        }
        handshake.expected.push_back(Expect::Psync);
        let mut out = Vec::new();
        if let Some(Resume { replid, applied }) = self.resume {
            let next = (applied + 1).to_string();
            command(&[b"PSYNC", replid.as_str().as_bytes(), next.as_bytes()], &mut out);
            self.notice(format!("Trying a partial resynchronization (request {replid}:{next})."));
        } else {
            command(&[b"PSYNC", b"?", b"-1"], &mut out);
            self.notice("Partial resynchronization not possible (no cached master)".to_owned());
        }
        self.actions.push_back(Action::Send(out));
    }

    fn take_psync_answer(&mut self, now: Millis, line: &[u8]) -> Result<(), Fault> {
        let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (Some(b"+FULLRESYNC"), Some(replid), Some(offset)) => {
                self.take_full_resync(replid, offset, line)
            }
            (Some(b"+CONTINUE"), replid, _) => self.take_continue(now, replid, line),
            (Some(b"-NOMASTERLINK" | b"-LOADING" | b"-MASTERDOWN"), ..) => {
                Err(Fault::TryLater(printable(line)))
            }
            _ => Err(Fault::Psync(printable(line))),
        }
    }

    fn take_full_resync(&mut self, id: &[u8], offset: &[u8], line: &[u8]) -> Result<(), Fault> {
        let offset = integer(offset).and_then(|offset| u64::try_from(offset).ok()).map(Offset);
        let (Some(replid), Some(offset)) = (RunId::parse(id), offset) else {
            return Err(Fault::Protocol(printable(line)));
        };
        self.notice(format!("Full resync from master: {replid}:{offset}"));
        let State::Handshake(handshake) = &mut self.state else { return Ok(()) };
        let peer = handshake.peer;
        if let (Some(ours), Some(peer)) = (&self.settings.identity, &peer)
            && self.settings.guard
            && self.holds_data
            && ours.is_newer_than(peer)
        {
            let theirs = peer.epoch.unwrap_or(0);
            return Err(Fault::OlderPrimary { ours: ours.epoch, theirs });
        }
        let sync = FullSync { replid, offset, peer };
        self.state = State::Transfer { sync, phase: Phase::Header(LineBuffer::default()) };
        Ok(())
    }

    fn take_continue(&mut self, now: Millis, id: Option<&[u8]>, line: &[u8]) -> Result<(), Fault> {
        let State::Handshake(handshake) = &mut self.state else { return Ok(()) };
        let peer = handshake.peer;
        // To a replica that asked for anything a primary has nothing to continue.
        let Some(resume) = &mut self.resume else { return Err(Fault::Psync(printable(line))) };
        if resume.applied >= OFFSET_MAX {
            return Err(Fault::OffsetOverflow);
        }
        if let Some(id) = id {
            resume.replid = RunId::parse(id).ok_or_else(|| Fault::Protocol(printable(line)))?;
        }
        let replid = resume.replid;
        self.received = resume.applied;
        self.notice("Successful partial resynchronization with master.".to_owned());
        self.actions.push_back(Action::Continue { replid });
        self.enter_online(now, peer);
        let text = "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.";
        self.notice(text.to_owned());
        Ok(())
    }

    fn not_critical(&mut self, option: &str, line: &[u8]) {
        let reply = printable(line);
        let text = format!("(Non critical) Master does not understand REPLCONF {option}: {reply}");
        self.actions.push_back(Action::Log(Level::Notice, text));
    }
}
