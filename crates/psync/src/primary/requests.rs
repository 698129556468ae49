//! What clients ask of the primary's side: REPLCONF, PSYNC, SYNC.
//!
//! They arrive as ordinary commands on ordinary connections. REPLCONF is answered through the
//! session; a PSYNC that is taken makes the connection the machine's, which answers by actions.

use super::{Action, Facts, LINKS_MAX, Link, NEWLINE_PERIOD, Primary, ReplicaId, State};
use crate::encode::integer;
use crate::identity::PeerIdentity;
use crate::{Decision, FullReason, Level, Request, Window};
use base::{Millis, Offset};

/// The longest address a replica may announce, as in stock.
const ANNOUNCED_IP_BYTES_MAX: usize = 255;

/// The answer to REPLCONF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplconfAnswer {
    /// A simple string, without its `+`.
    Status(String),
    /// An error, without its `-`.
    Error(String),
    /// Nothing is sent: acknowledgements are not answered.
    Nothing,
    /// The client asks for our own acknowledgement (GETACK); only the link to our primary may, see
    /// [`crate::Replica::handle_getack`]. Nothing is sent.
    GetAck,
}

/// What becomes of the connection that sent PSYNC or SYNC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PsyncAnswer {
    /// It is a replica now: the machine's actions say what is sent.
    Taken,
    /// An error, without its `-`; it stays a client.
    Error(String),
    /// It is a replica already; nothing is sent.
    Ignored,
}

const SYNTAX: &str = "ERR syntax error";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

impl Primary {
    /// Takes `REPLCONF option value ...`; `args` without the name. `ip` is the peer's address and
    /// `end` the end of our log, beyond which nothing can be acknowledged.
    pub fn handle_replconf(
        &mut self,
        now: Millis,
        id: ReplicaId,
        ip: &str,
        args: &[&[u8]],
        end: Offset,
    ) -> ReplconfAnswer {
        if !args.len().is_multiple_of(2) {
            return ReplconfAnswer::Error(SYNTAX.to_owned());
        }
        let mut asked_identity = false;
        for pair in args.chunks_exact(2) {
            let &[option, value] = pair else { continue };
            let option = String::from_utf8_lossy(option).to_ascii_lowercase();
            match option.as_str() {
                "ack" => {
                    if let Some(offset) = integer(value) {
                        self.take_ack(now, id, offset, end);
                    }
                    self.take_durable(id, args, end);
                    return ReplconfAnswer::Nothing;
                }
                "getack" => return ReplconfAnswer::GetAck,
                // Told by newer replicas; nothing here depends on it.
                "version" => {}
                _ if self.links.len() >= LINKS_MAX && !self.links.contains_key(&id) => {
                    return ReplconfAnswer::Error("ERR too many replicas".to_owned());
                }
                option => {
                    asked_identity |= PeerIdentity::knows(option);
                    if let Err(error) = self.facts_of(id, ip).set(option, value) {
                        return ReplconfAnswer::Error(error);
                    }
                }
            }
        }
        match &self.settings.identity {
            Some(identity) if asked_identity => ReplconfAnswer::Status(identity.answer()),
            _ => ReplconfAnswer::Status("OK".to_owned()),
        }
    }

    /// Takes `PSYNC replid offset`; `args` without the name. `window` is what the backlog holds.
    pub fn handle_psync(
        &mut self,
        now: Millis,
        id: ReplicaId,
        ip: &str,
        args: &[&[u8]],
        window: Option<Window>,
    ) -> PsyncAnswer {
        let &[replid, offset] = args else { return PsyncAnswer::Error(SYNTAX.to_owned()) };
        if let Some(answer) = self.refuse_sync(id) {
            return answer;
        }
        self.facts_of(id, ip);
        let name = self.name(id);
        self.notice(format!("Replica {name} asks for synchronization"));
        let Some(request) = Request::parse(replid, offset) else {
            let text = format!("Replica {name} asks for synchronization but with a wrong offset");
            self.actions.push_back(Action::Log(Level::Warning, text));
            return PsyncAnswer::Error(NOT_AN_INTEGER.to_owned());
        };
        match self.history.decide(request, window) {
            Decision::Continue { from, .. } => self.accept_partial(now, id, from, window),
            Decision::FullResync(reason) => {
                self.log_refused_partial(&name, replid, request, reason, window);
                self.wait_for_snapshot(now, id, false);
            }
        }
        PsyncAnswer::Taken
    }

    /// Takes SYNC, the request of old replicas and of `redis-cli --replica`: a snapshot without the
    /// line that names history and offset.
    pub fn handle_sync(&mut self, now: Millis, id: ReplicaId, ip: &str) -> PsyncAnswer {
        if let Some(answer) = self.refuse_sync(id) {
            return answer;
        }
        self.facts_of(id, ip);
        let name = self.name(id);
        self.notice(format!("Replica {name} asks for synchronization"));
        self.wait_for_snapshot(now, id, true);
        PsyncAnswer::Taken
    }

    fn refuse_sync(&self, id: ReplicaId) -> Option<PsyncAnswer> {
        if self.links.get(&id).is_some_and(|link| link.state != State::Greeting) {
            return Some(PsyncAnswer::Ignored);
        }
        if self.chained && !self.linked {
            let text = "NOMASTERLINK Can't SYNC while not connected with my master";
            return Some(PsyncAnswer::Error(text.to_owned()));
        }
        if self.links.len() >= LINKS_MAX && !self.links.contains_key(&id) {
            return Some(PsyncAnswer::Error("ERR too many replicas".to_owned()));
        }
        None
    }

    fn accept_partial(&mut self, now: Millis, id: ReplicaId, from: Offset, window: Option<Window>) {
        self.counts.partial_ok += 1;
        self.gain_replica(now);
        let replid = self.history.replid;
        let Some(link) = self.links.get_mut(&id) else { return };
        // What it asked for says what it holds, of a history that was just found to be ours.
        link.state = State::Online { acked: from, acked_at: now };
        let line = if link.facts.psync2 {
            format!("+CONTINUE {replid}\r\n")
        } else {
            "+CONTINUE\r\n".to_owned()
        };
        let name = link.name();
        self.actions.push_back(Action::Send(id, line.into_bytes()));
        self.actions.push_back(Action::StartStream { id, from });
        let bytes = window.map_or(0, |window| window.end - from);
        self.notice(format!(
            "Partial resynchronization request from {name} accepted. Sending {bytes} bytes of \
             backlog starting from offset {}.",
            from + 1
        ));
    }

    fn wait_for_snapshot(&mut self, now: Millis, id: ReplicaId, legacy: bool) {
        self.counts.full += 1;
        self.gain_replica(now);
        if let Some(link) = self.links.get_mut(&id) {
            link.legacy = legacy;
            link.state = State::WaitSnapshot { since: now, next_newline: now + NEWLINE_PERIOD };
        }
        self.start_due_cut(now);
        if self.links.get(&id).is_some_and(|link| link.state.cut().is_none()) {
            self.notice("Delay next BGSAVE for diskless SYNC".to_owned());
        }
    }

    fn log_refused_partial(
        &mut self,
        name: &str,
        replid: &[u8],
        request: Request,
        reason: FullReason,
        window: Option<Window>,
    ) {
        if reason == FullReason::Asked {
            self.notice(format!("Full resync requested by replica {name}"));
            return;
        }
        self.counts.partial_err += 1;
        let asked = crate::replica::printable(replid);
        let from = match request {
            Request::Continue { from, .. } => (from + 1).to_string(),
            Request::Anything => "-1".to_owned(),
        };
        let history = self.history;
        self.notice(match (reason, window) {
            (FullReason::OutOfBacklog, Some(window)) => format!(
                "Unable to partial resync with replica {name} for lack of backlog (Replica request \
                 was: {from}, the backlog holds {} to {}).",
                window.first + 1,
                window.end
            ),
            (FullReason::OutOfBacklog, None) => {
                format!("Unable to partial resync with replica {name}: there is no backlog.")
            }
            _ => format!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
                 '{asked}', my replication IDs are '{}' and '{}')",
                history.replid, history.replid2
            ),
        });
    }

    fn take_ack(&mut self, now: Millis, id: ReplicaId, offset: i64, end: Offset) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let told = u64::try_from(offset).map_or(Offset(0), Offset);
        // More than we have: it follows another history, or lies. Its link lives, its word not.
        let told = if told <= end { told } else { Offset(0) };
        match &mut link.state {
            State::Online { acked, acked_at } => {
                *acked = (*acked).max(told);
                *acked_at = now;
            }
            State::AwaitAck { offset, .. } => {
                let from = *offset;
                link.state = State::Online { acked: told.max(from), acked_at: now };
                self.start_stream(id, from);
            }
            State::Sending { progress, offset, has_acked, .. } => {
                *progress = now;
                *has_acked |= told == *offset;
            }
            _ => {}
        }
    }

    /// Takes what a replica says behind its acknowledgement of its append-only file (`FACK`).
    fn take_durable(&mut self, id: ReplicaId, args: &[&[u8]], end: Offset) {
        let is_fack =
            |pair: &&[&[u8]]| pair.first().is_some_and(|w| w.eq_ignore_ascii_case(b"fack"));
        let told = args.chunks_exact(2).find(is_fack).and_then(|pair| integer(pair.get(1)?));
        let told = told.and_then(|told| u64::try_from(told).ok()).map(Offset);
        if let (Some(link), Some(told)) =
            (self.links.get_mut(&id), told.filter(|told| *told <= end))
        {
            link.durable = link.durable.max(Some(told));
        }
    }

    fn facts_of(&mut self, id: ReplicaId, ip: &str) -> &mut Facts {
        let link = self.links.entry(id).or_insert_with(|| Link {
            facts: Facts::default(),
            state: State::Greeting,
            legacy: false,
            durable: None,
        });
        ip.clone_into(&mut link.facts.ip);
        &mut link.facts
    }

    pub(super) fn name(&self, id: ReplicaId) -> String {
        self.links.get(&id).map(Link::name).unwrap_or_default()
    }
}

impl Facts {
    /// Takes over one option of REPLCONF.
    fn set(&mut self, option: &str, value: &[u8]) -> Result<(), String> {
        match option {
            "listening-port" => {
                let port = integer(value).and_then(|port| u16::try_from(port).ok());
                self.port = port.ok_or_else(|| NOT_AN_INTEGER.to_owned())?;
            }
            "ip-address" => {
                if value.len() > ANNOUNCED_IP_BYTES_MAX {
                    return Err(format!(
                        "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
                        value.len()
                    ));
                }
                let ip = crate::replica::printable(value);
                self.announced_ip = Some(ip).filter(|ip| !ip.is_empty());
            }
            "capa" => match value.to_ascii_lowercase().as_slice() {
                b"eof" => self.eof = true,
                b"psync2" => self.psync2 = true,
                // Unknown abilities are those of the future.
                _ => {}
            },
            "rdb-only" => self.rdb_only = integer(value) == Some(1),
            option if PeerIdentity::knows(option) => self.peer.set(option, value),
            option => {
                let shown = crate::replica::printable(option.as_bytes());
                return Err(format!("ERR Unrecognized REPLCONF option: {shown}"));
            }
        }
        Ok(())
    }
}
