//! A node's data: a map, the real log, and the real replication machines; its role and its INFO.
//!
//! The data set is a map of numbered values. Its digest chains every command that changed it, so
//! two nodes that hold the same bytes of one history must have one digest: the ledger compares them
//! at every offset of every history.

use crate::network::{Party, Purpose, Side};
use crate::queue::{Event, Part};
use crate::setup::{NODES, SERVER_PORT, host_name};
use crate::trace::{EMPTY_DIGEST, hash_bytes};
use crate::world::World;
use base::{Millis, Offset, RunId};
use oplog::{Batch, Framing, Log, Mode, Reader};
use psync::primary::{CutId, PrimarySettings};
use psync::replica::{ReplicaSettings, Resume};
use psync::{History, Identity, Primary, Replica};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Keys that a group holds from the beginning and that are never deleted.
pub(crate) const BASE_KEYS: u64 = 20;

pub(crate) type Keys = BTreeMap<Vec<u8>, Vec<u8>>;

/// A data set at an offset of a history, as a disk or a full sync carries it.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) replid: RunId,
    pub(crate) offset: Offset,
    pub(crate) digest: u64,
    pub(crate) keys: Keys,
}

/// A snapshot that is being received.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) replid: RunId,
    pub(crate) offset: Offset,
    pub(crate) bytes: Vec<u8>,
    pub(crate) token: u64,
}

/// A snapshot that is being sent to one replica.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sent: usize,
    pub(crate) piece: usize,
}

/// A connection to the server.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Commands after MULTI.
    pub(crate) queued: Option<Vec<Vec<Vec<u8>>>>,
    pub(crate) subscribed: bool,
    /// Bytes of a replica that are not yet a whole command.
    pub(crate) buffer: Vec<u8>,
    pub(crate) is_replica: bool,
}

/// The server of a node while its process lives.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) run_id: RunId,
    pub(crate) keys: Keys,
    pub(crate) digest: u64,
    pub(crate) log: Arc<Log>,
    pub(crate) history: History,
    pub(crate) primary: Primary,
    pub(crate) replica: Replica,
    /// The node that is followed.
    pub(crate) follows: Option<usize>,
    pub(crate) epoch: u64,
    pub(crate) link: Option<u64>,
    /// Bytes of the primary that the machine does not want yet.
    pub(crate) inbox: Vec<u8>,
    /// Bytes of the stream that are not yet a whole command.
    pub(crate) unapplied: Vec<u8>,
    pub(crate) loading: Option<Loading>,
    pub(crate) next_token: u64,
    pub(crate) sessions: BTreeMap<u64, Session>,
    /// Replicas in the stream, by connection.
    pub(crate) readers: BTreeMap<u64, Reader>,
    /// The stream from the cut on, for replicas that are sent the snapshot.
    pub(crate) waiting: BTreeMap<u64, Reader>,
    pub(crate) sending: BTreeMap<u64, Sending>,
    pub(crate) cuts: BTreeMap<CutId, Vec<u8>>,
    pub(crate) batch: Batch,
    pub(crate) armed: Option<Millis>,
}

impl Server {
    /// What stands in for a process that does not run.
    pub(crate) fn dead() -> Server {
        let history = History::new(RunId::zero());
        Server {
            run_id: RunId::zero(),
            keys: Keys::new(),
            digest: EMPTY_DIGEST,
            log: Log::new(Offset(0)),
            history,
            primary: Primary::new(PrimarySettings::default(), history),
            replica: Replica::new(ReplicaSettings::default()),
            follows: None,
            epoch: 0,
            link: None,
            inbox: Vec::new(),
            unapplied: Vec::new(),
            loading: None,
            next_token: 0,
            sessions: BTreeMap::new(),
            readers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            sending: BTreeMap::new(),
            cuts: BTreeMap::new(),
            batch: Batch::new(),
            armed: None,
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            replid: self.history.replid,
            offset: self.log.end(),
            digest: self.digest,
            keys: self.keys.clone(),
        }
    }

    /// Changes the data set as a command of the stream says. Commands that change nothing leave the
    /// digest alone.
    pub(crate) fn apply(&mut self, args: &[&[u8]]) {
        match args {
            [b"SET", key, value] => {
                self.keys.insert(key.to_vec(), value.to_vec());
            }
            [b"DEL", keys @ ..] => {
                for &key in keys {
                    self.keys.remove(key);
                }
            }
            _ => return,
        }
        for arg in args {
            self.digest = hash_bytes(self.digest, arg);
        }
    }
}

impl Snapshot {
    /// The bytes that a full sync sends.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{:016x}\n", self.digest);
        for (key, value) in &self.keys {
            let (key, value) = (String::from_utf8_lossy(key), String::from_utf8_lossy(value));
            let _ = writeln!(text, "{key}={value}");
        }
        text.into_bytes()
    }

    /// Reads them; `None` if they are not whole.
    pub(crate) fn parse(replid: RunId, offset: Offset, bytes: &[u8]) -> Option<Snapshot> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let digest = u64::from_str_radix(lines.next()?, 16).ok()?;
        let pair = |line: &str| {
            line.split_once('=').map(|(key, value)| (key.as_bytes().to_vec(), value.into()))
        };
        let keys = lines.map(pair).collect::<Option<Keys>>()?;
        Some(Snapshot { replid, offset, digest, keys })
    }
}

impl World {
    /// A server as it is after it has loaded what its disk holds.
    pub(crate) fn fresh_server(&mut self, node: usize) -> Server {
        let run_id = RunId::generate(&mut self.random);
        let fresh = RunId::generate(&mut self.random);
        let mut server = Server::dead();
        server.run_id = run_id;
        server.history = History::new(fresh);
        server.epoch = self.nodes[node].disk.epoch;
        if let Some(saved) = &self.nodes[node].disk.snapshot {
            server.keys = saved.keys.clone();
            server.digest = saved.digest;
            server.log = Log::new(saved.offset);
            server.history = History::new(saved.replid);
        }
        server.log.retain(self.setup.backlog_bytes);
        let settings = self.primary_settings(node, server.epoch);
        server.primary = Primary::new(settings, server.history);
        server.replica = Replica::new(self.replica_settings(node, server.epoch));
        server
    }

    fn identity(&self, node: usize, epoch: u64) -> Identity {
        Identity { group: self.group, node: self.nodes[node].identity, epoch }
    }

    fn primary_settings(&self, node: usize, epoch: u64) -> PrimarySettings {
        PrimarySettings {
            timeout: self.setup.repl_timeout,
            diskless: self.setup.diskless,
            diskless_delay: self.setup.diskless_delay,
            backlog_bytes: self.setup.backlog_bytes,
            identity: Some(self.identity(node, epoch)),
            ..PrimarySettings::default()
        }
    }

    fn replica_settings(&self, node: usize, epoch: u64) -> ReplicaSettings {
        ReplicaSettings {
            listening_port: SERVER_PORT,
            announce_ip: Some(host_name(node)),
            timeout: self.setup.repl_timeout,
            identity: Some(self.identity(node, epoch)),
            ..ReplicaSettings::default()
        }
    }

    /// The node knows of an epoch; it is durable before it is told to anybody.
    pub(crate) fn raise_epoch(&mut self, node: usize, epoch: u64) {
        self.nodes[node].disk.epoch = epoch;
        self.nodes[node].server.epoch = epoch;
        let (primary, replica) =
            (self.primary_settings(node, epoch), self.replica_settings(node, epoch));
        self.nodes[node].server.primary.set_settings(primary);
        self.nodes[node].server.replica.set_settings(replica);
    }

    /// A primary takes its epoch from its own sentinel, once that names it.
    pub(crate) fn take_epoch(&mut self, node: usize) {
        let here = &self.nodes[node];
        let named = here.sentinel.as_ref().and_then(|s| s.primary_of(crate::setup::GROUP));
        let Some((address, epoch)) = named else { return };
        let ours = address.host == host_name(node) && here.server.follows.is_none();
        if ours && epoch > here.server.epoch {
            self.raise_epoch(node, epoch);
        }
    }

    /// The server begins to listen in its role.
    pub(crate) fn open_for_business(&mut self, node: usize, follows: Option<usize>) {
        self.nodes[node].starting = None;
        self.nodes[node].listening = true;
        self.trace.note(self.now, format_args!("node {node} serves, follows {follows:?}"));
        if let Some(primary) = follows {
            self.follow(node, primary);
        } else {
            // A restarted primary begins a new history at what it loaded.
            let replid = RunId::generate(&mut self.random);
            let server = &mut self.nodes[node].server;
            if server.log.end() > Offset(0) {
                server.history.shift(server.log.end(), replid);
                server.primary.set_history(server.history);
            }
            self.nodes[node].disk.follows = None;
            self.take_epoch(node);
        }
        self.server_turn(node);
    }

    /// REPLICAOF host port.
    pub(crate) fn follow(&mut self, node: usize, primary: usize) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        if server.follows == Some(primary) {
            return;
        }
        let applied = server.log.end();
        let holds = applied > Offset(0) || !server.keys.is_empty();
        let resume = holds.then_some(Resume { replid: server.history.replid, applied });
        server.follows = Some(primary);
        server.log.set_mode(Mode::Proxy);
        server.replica.set_holds_data(!server.keys.is_empty());
        server.replica.follow(now, &host_name(primary), SERVER_PORT, resume);
        self.server_turn(node);
    }

    /// REPLICAOF NO ONE.
    pub(crate) fn promote(&mut self, node: usize) {
        let now = self.now;
        let server = &mut self.nodes[node].server;
        if server.follows.is_none() {
            return;
        }
        server.replica.unfollow();
        self.server_turn(node);
        let replid = RunId::generate(&mut self.random);
        let server = &mut self.nodes[node].server;
        server.follows = None;
        server.log.set_mode(Mode::Originate);
        server.history.shift(server.log.end(), replid);
        server.primary.set_history(server.history);
        server.primary.disconnect_all(now, "promoted");
        self.take_epoch(node);
        self.server_turn(node);
    }

    /// A command of the server's own, or of a client, on a primary.
    pub(crate) fn originate(&mut self, node: usize, args: &[&[u8]]) {
        let server = &mut self.nodes[node].server;
        server.batch.begin();
        server.batch.command(0, args);
        server.batch.finish(Framing::Plain);
        server.log.append(&server.batch);
        server.apply(args);
        self.note_contents(node);
    }

    /// Whoever holds so many bytes of this history must hold what the others held there.
    pub(crate) fn note_contents(&mut self, node: usize) {
        let server = &self.nodes[node].server;
        let (replid, offset) = (server.history.replid, server.log.end());
        if let Err(what) = self.ledger.note_contents(node, replid, offset, server.digest) {
            self.violate(what);
        }
    }

    /// The data that the group begins with.
    pub(crate) fn seed_data(&mut self, node: usize) {
        for number in 0..BASE_KEYS {
            let key = format!("base:{number}");
            self.originate(node, &[b"SET", key.as_bytes(), b"0"]);
        }
        self.server_turn(node);
    }

    /// Saves the data set, unless a snapshot is being received, and plans the next time.
    pub(crate) fn save(&mut self, node: usize) {
        let here = &mut self.nodes[node];
        if here.listening {
            here.disk.snapshot = Some(here.server.snapshot());
        }
        let (life, at) = (here.life, self.now + Millis(self.setup.save_period));
        self.queue.plan(at, Event::Save { node, life });
    }

    /// Closes a connection to the server and forgets it.
    pub(crate) fn drop_session(&mut self, node: usize, connection: u64) {
        let server = &mut self.nodes[node].server;
        server.sessions.remove(&connection);
        server.readers.remove(&connection);
        server.waiting.remove(&connection);
        server.sending.remove(&connection);
        self.close(connection, Side::Callee);
    }

    /// Opens the link to the primary.
    pub(crate) fn open_primary_link(&mut self, node: usize, host: &str) {
        let Some(primary) = crate::setup::host_of(host) else { return };
        let connection =
            self.open(Party::Server(node), Party::Server(primary), Purpose::Replication);
        if let Some(old) = self.nodes[node].server.link.replace(connection) {
            self.close(old, Side::Caller);
        }
        self.nodes[node].server.inbox.clear();
    }

    /// INFO: the fields that sentinels and starting nodes read.
    pub(crate) fn info(&self, node: usize) -> String {
        let server = &self.nodes[node].server;
        let mut text = format!("run_id:{}\r\nloading:0\r\nslave_priority:100\r\n", server.run_id);
        if let Some(primary) = server.follows {
            let facts = server.replica.facts(self.now);
            let up = server.replica.is_link_up();
            let _ = write!(
                text,
                "role:slave\r\nmaster_host:{}\r\nmaster_port:{SERVER_PORT}\r\n\
                 master_link_status:{}\r\nslave_repl_offset:{}\r\n",
                host_name(primary),
                if up { "up" } else { "down" },
                facts.applied_offset,
            );
            if !up {
                let since = facts.link_down_since_seconds;
                let _ = write!(text, "master_link_down_since_seconds:{since}\r\n");
            }
        } else {
            text += "role:master\r\n";
            for (index, row) in server.primary.rows(self.now).iter().enumerate().take(NODES) {
                let _ = write!(text, "slave{index}:{row}\r\n");
            }
        }
        let (end, keys) = (server.log.end(), server.keys.len());
        let History { replid, replid2, .. } = server.history;
        let _ = write!(
            text,
            "master_replid:{replid}\r\nmaster_replid2:{replid2}\r\nmaster_repl_offset:{end}\r\n"
        );
        if keys > 0 {
            let _ = write!(text, "db0:keys={keys},expires=0,avg_ttl=0\r\n");
        }
        text
    }

    /// After anything happened to a server: its machines' actions, its replicas' streams, its timer.
    pub(crate) fn server_turn(&mut self, node: usize) {
        if !self.nodes[node].alive {
            return;
        }
        self.perform_replication(node);
        self.pump_streams(node);
        self.arm(node, Part::Server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_back_and_its_parts_are_refused() {
        let mut server = Server::dead();
        server.apply(&[b"SET", b"k", b"v"]);
        server.apply(&[b"SET", b"empty", b""]);
        let snapshot = server.snapshot();
        let bytes = snapshot.to_bytes();
        let back = Snapshot::parse(snapshot.replid, snapshot.offset, &bytes).unwrap();
        assert_eq!((back.digest, back.keys), (snapshot.digest, snapshot.keys));
        let part = &bytes[..bytes.len() - 1];
        assert!(Snapshot::parse(snapshot.replid, snapshot.offset, part).is_none());
    }

    #[test]
    fn the_digest_follows_what_changes_the_data() {
        let mut server = Server::dead();
        for (args, changes) in [
            (&[&b"SET"[..], b"k", b"v"][..], true),
            (&[b"PING"], false),
            (&[b"SELECT", b"0"], false),
            (&[b"DEL", b"k"], true),
        ] {
            let before = server.digest;
            server.apply(args);
            assert_eq!(server.digest != before, changes, "{args:?}");
        }
        assert!(server.keys.is_empty());
    }
}
