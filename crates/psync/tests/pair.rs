//! Both machines against each other over a pipe that fragments, stalls and breaks.
//!
//! The data set of a node is the prefix of the command stream that it applied, and a snapshot is
//! that prefix. So one comparison tells whether a replica ever got a byte too many, too few or out of
//! order: whenever its link is up, its data must be a prefix of the primary's log. After the faults
//! end it must be all of it. Every run follows from its seed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use base::random::Random;
use base::{Millis, Offset, RunId};
use psync::primary::{
    self, CutId, Format, PrimarySettings, PsyncAnswer, ReplconfAnswer, ReplicaId,
};
use psync::replica::{self, ReplicaSettings, Resume};
use psync::{History, Primary, Replica, Window};
use std::collections::{BTreeMap, VecDeque};

const RUNS: u64 = 400;
const STEPS: usize = 1500;
const HEALING_STEPS: usize = 5000;

/// What the primary still has to put into the pipe, in order.
enum Output {
    Bytes(VecDeque<u8>),
    SnapshotEnd,
}

#[derive(Default)]
struct Connection {
    id: u64,
    to_primary: VecDeque<u8>,
    to_replica: VecDeque<u8>,
    output: VecDeque<Output>,
    stream_from: Option<usize>,
}

#[derive(Default)]
struct Seen {
    full: u64,
    partial: u64,
    aborted: u64,
    diverged: u64,
}

struct World {
    random: Random,
    now: Millis,
    log: Vec<u8>,
    retained_from: Option<usize>,
    capacity: usize,
    cuts: BTreeMap<CutId, (usize, Format)>,
    primary: Primary,
    replica: Replica,
    link: Option<Connection>,
    next_connection: u64,
    /// The replica's data, what it received beyond, and the history it is under.
    data: Vec<u8>,
    unapplied: VecDeque<u8>,
    history: History,
    loading: Option<(RunId, Offset, Vec<u8>)>,
    loaded: bool,
    seen: Seen,
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::from_seed(seed);
        let history = History::new(RunId::generate(&mut random));
        let settings = PrimarySettings {
            diskless: random.one_in(2),
            diskless_delay: Millis(random.below(3000)),
            ..PrimarySettings::default()
        };
        let own = History::new(RunId::generate(&mut random));
        let capacity = usize::try_from(random.below(3000)).unwrap();
        let mut world = World {
            now: Millis(0),
            log: Vec::new(),
            retained_from: None,
            capacity,
            cuts: BTreeMap::new(),
            primary: Primary::new(settings, history),
            replica: Replica::new(ReplicaSettings::default()),
            link: None,
            next_connection: 0,
            data: Vec::new(),
            unapplied: VecDeque::new(),
            history: own,
            loading: None,
            loaded: false,
            seen: Seen::default(),
            random,
        };
        world.write(200);
        world.replica.follow(Millis(0), "primary", 6379, None);
        world
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn write(&mut self, max: usize) {
        for _ in 0..self.below(max) {
            let byte = u8::try_from(self.random.below(256)).unwrap();
            self.log.push(byte);
        }
    }

    fn window(&self) -> Option<Window> {
        let end = self.log.len();
        let first = self.retained_from?.max(end.saturating_sub(self.capacity));
        Some(Window { first: Offset(first as u64), end: Offset(end as u64) })
    }

    fn cut_link(&mut self) {
        if let Some(link) = self.link.take() {
            self.primary.handle_closed(self.now, ReplicaId(link.id));
            self.replica.handle_closed(self.now, "cut");
        }
    }

    fn step(&mut self, faults: bool) {
        self.now = self.now + Millis(self.random.below(200));
        self.primary.handle_timeout(self.now);
        self.replica.handle_timeout(self.now);
        assert!(self.primary.poll_timeout().is_none_or(|at| at > self.now), "the primary spins");
        assert!(self.replica.poll_timeout().is_none_or(|at| at > self.now), "the replica spins");
        if faults {
            match self.random.below(120) {
                0..30 => self.write(300),
                30 => self.cut_link(),
                31 => self.promote(),
                32 => self.diverge(),
                33 => self.primary.request_acks(),
                _ => {}
            }
        }
        self.perform();
        self.pump_to_primary();
        self.perform();
        self.pump_output();
        self.pump_to_replica();
        self.perform();
        self.apply();
        self.finish_load();
        self.perform();
        self.check();
    }

    /// The primary goes on under a new id, as after a failover to a node with the same log.
    fn promote(&mut self) {
        let mut history = *self.primary.history();
        let replid = RunId::generate(&mut self.random);
        history.shift(Offset(self.log.len() as u64), replid);
        self.primary.set_history(history);
        self.primary.disconnect_all(self.now, "new history");
    }

    /// The replica is promoted, writes on its own, and is told to follow again.
    fn diverge(&mut self) {
        self.replica.unfollow();
        self.perform();
        let replid = RunId::generate(&mut self.random);
        self.history.shift(Offset(self.data.len() as u64), replid);
        let writes = self.below(3);
        self.data.extend(std::iter::repeat_n(b'!', writes));
        let applied = Offset(self.data.len() as u64);
        let resume = Some(Resume { replid, applied });
        self.replica.follow(self.now, "primary", 6379, resume);
        self.seen.diverged += 1;
    }

    fn perform(&mut self) {
        while let Some(action) = self.primary.poll_action() {
            self.perform_primary(action);
        }
        while let Some(action) = self.replica.poll_action() {
            self.perform_replica(action);
        }
        if self.primary.poll_timeout().is_none() && self.link.is_some() {
            assert_eq!(self.primary.replica_count(), 0);
        }
    }

    fn send(&mut self, id: ReplicaId, bytes: Vec<u8>) {
        if let Some(link) = self.link.as_mut().filter(|link| link.id == id.0) {
            link.output.push_back(Output::Bytes(bytes.into()));
        }
    }

    fn perform_primary(&mut self, action: primary::Action) {
        match action {
            primary::Action::Send(id, bytes) => self.send(id, bytes),
            primary::Action::StartStream { id, from } => {
                if let Some(link) = self.link.as_mut().filter(|link| link.id == id.0) {
                    link.stream_from = Some(usize::try_from(from.0).unwrap());
                }
            }
            primary::Action::Cut { cut, format, .. } => {
                let mark = RunId::generate(&mut self.random);
                if self.random.one_in(10) {
                    self.primary.handle_cut(self.now, cut, Err("drawn".into()), mark);
                    return;
                }
                let at = self.log.len();
                self.cuts.insert(cut, (at, format));
                self.primary.handle_cut(self.now, cut, Ok(Offset(at as u64)), mark);
                if self.random.one_in(20) {
                    self.primary.handle_snapshot_failed(self.now, cut, "drawn");
                } else if format == Format::Length {
                    self.primary.handle_snapshot_length(self.now, cut, at as u64);
                }
            }
            primary::Action::SendSnapshot { cut, replicas, mark } => {
                let mut bytes = self.log[..self.cuts[&cut].0].to_vec();
                bytes.extend(mark.iter().flat_map(|mark| mark.as_str().bytes()));
                for id in replicas {
                    self.send(id, bytes.clone());
                    if let Some(link) = self.link.as_mut().filter(|link| link.id == id.0) {
                        link.output.push_back(Output::SnapshotEnd);
                    }
                }
            }
            primary::Action::CancelCut(cut) => {
                self.cuts.remove(&cut);
            }
            primary::Action::RetainBacklog(_) => {
                self.retained_from.get_or_insert(self.log.len());
            }
            primary::Action::ReleaseBacklog => self.retained_from = None,
            primary::Action::AppendPing => self.log.extend(b"*1\r\n$4\r\nPING\r\n"),
            primary::Action::AppendGetAck => self.log.extend(b"GETACK"),
            primary::Action::Disconnect { id, .. } => {
                if self.link.as_ref().is_some_and(|link| link.id == id.0) {
                    self.link = None;
                    self.replica.handle_closed(self.now, "closed by the primary");
                }
            }
            primary::Action::Log(..) => {}
        }
    }

    fn perform_replica(&mut self, action: replica::Action) {
        match action {
            replica::Action::Connect { .. } => {
                assert!(self.link.is_none(), "one link at a time");
                if self.random.one_in(10) {
                    self.replica.handle_closed(self.now, "refused");
                } else {
                    let id = self.next_connection;
                    self.next_connection += 1;
                    self.link = Some(Connection { id, ..Connection::default() });
                    self.replica.handle_connected(self.now);
                }
            }
            replica::Action::Send(bytes) => {
                if let Some(link) = &mut self.link {
                    link.to_primary.extend(bytes);
                }
            }
            replica::Action::StartSnapshot { replid, offset, .. } => {
                assert!(self.loading.is_none(), "one snapshot at a time");
                self.loading = Some((replid, offset, Vec::new()));
            }
            replica::Action::SnapshotBytes(bytes) => {
                self.loading.as_mut().unwrap().2.extend(bytes);
            }
            replica::Action::EndSnapshot => self.loaded = true,
            replica::Action::AbortSnapshot => {
                assert!(self.loading.take().is_some());
                self.loaded = false;
                self.seen.aborted += 1;
            }
            replica::Action::Continue { replid } => {
                if replid != self.history.replid {
                    self.history.shift(Offset(self.data.len() as u64), replid);
                }
                self.seen.partial += 1;
            }
            replica::Action::Stream(bytes) => self.unapplied.extend(bytes),
            replica::Action::Disconnect { .. } => {
                self.unapplied.clear();
                if let Some(link) = self.link.take() {
                    self.primary.handle_closed(self.now, ReplicaId(link.id));
                }
            }
            replica::Action::Persist { .. } | replica::Action::Log(..) => {}
        }
    }

    /// Moves bytes of the primary's output, then of its stream, into the pipe.
    fn pump_output(&mut self) {
        let budget = self.below(400);
        let Some(link) = &mut self.link else { return };
        let id = ReplicaId(link.id);
        for _ in 0..budget {
            match link.output.front_mut() {
                Some(Output::Bytes(bytes)) => match bytes.pop_front() {
                    Some(byte) => link.to_replica.push_back(byte),
                    None => drop(link.output.pop_front()),
                },
                Some(Output::SnapshotEnd) => {
                    link.output.pop_front();
                    return self.primary.handle_snapshot_sent(self.now, id);
                }
                None => {
                    let Some(at) = &mut link.stream_from else { return };
                    let Some(&byte) = self.log.get(*at) else { return };
                    link.to_replica.push_back(byte);
                    *at += 1;
                }
            }
        }
        self.primary.handle_progress(self.now, id);
    }

    fn pump_to_replica(&mut self) {
        let count = self.below(300);
        let Some(link) = &mut self.link else { return };
        if self.replica.wants_bytes() && !link.to_replica.is_empty() {
            let count = count.min(link.to_replica.len());
            let bytes: Vec<u8> = link.to_replica.drain(..count).collect();
            self.replica.handle_bytes(self.now, &bytes);
        }
    }

    /// The session of the primary: parses whole commands and answers them.
    fn pump_to_primary(&mut self) {
        let Some(link) = &mut self.link else { return };
        let id = ReplicaId(link.id);
        let bytes = link.to_primary.make_contiguous();
        let Some((args, used)) = parse(bytes) else { return };
        link.to_primary.drain(..used);
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let end = Offset(self.log.len() as u64);
        let answer = match args[..] {
            [] => String::new(),
            [b"PING"] => "+PONG\r\n".to_owned(),
            [b"REPLCONF", ref rest @ ..] => {
                match self.primary.handle_replconf(self.now, id, "10.0.0.1", rest, end) {
                    ReplconfAnswer::Status(text) => format!("+{text}\r\n"),
                    ReplconfAnswer::Error(text) => format!("-{text}\r\n"),
                    ReplconfAnswer::Nothing | ReplconfAnswer::GetAck => String::new(),
                }
            }
            [b"PSYNC", ref rest @ ..] => {
                let window = self.window();
                match self.primary.handle_psync(self.now, id, "10.0.0.1", rest, window) {
                    PsyncAnswer::Taken | PsyncAnswer::Ignored => String::new(),
                    PsyncAnswer::Error(text) => format!("-{text}\r\n"),
                }
            }
            _ => panic!("the replica said {args:?}"),
        };
        self.send(id, answer.into_bytes());
    }

    fn apply(&mut self) {
        let count = self.below(300).min(self.unapplied.len());
        if count > 0 {
            self.data.extend(self.unapplied.drain(..count));
            self.replica.applied(Offset(self.data.len() as u64));
        }
    }

    fn finish_load(&mut self) {
        if !self.loaded || !self.random.one_in(3) {
            return;
        }
        self.loaded = false;
        if self.random.one_in(20) {
            self.replica.handle_loaded(self.now, Err("drawn".into()));
            return;
        }
        let (replid, offset, bytes) = self.loading.take().unwrap();
        assert_eq!(bytes.len() as u64, offset.0);
        self.data = bytes;
        self.history = History::new(replid);
        self.replica.handle_loaded(self.now, Ok(()));
        self.seen.full += 1;
    }

    fn check(&self) {
        if self.replica.is_link_up() {
            assert!(self.log.starts_with(&self.data), "the replica's data is not the primary's");
            let facts = self.replica.facts(self.now);
            assert_eq!(facts.applied_offset.0, self.data.len() as u64);
            assert!(facts.applied_offset <= facts.read_offset);
            assert!(facts.read_offset.0 <= self.log.len() as u64);
        }
        if let Some(acked) = self.primary.acked(1) {
            assert!(acked.0 <= self.log.len() as u64);
        }
    }
}

/// One RESP array of bulk strings (or nothing, for a newline) and its length.
fn parse(bytes: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let text = String::from_utf8_lossy(bytes);
    if text.starts_with('\n') {
        return Some((Vec::new(), 1));
    }
    let mut lines = text.split_inclusive("\r\n");
    let count: usize = lines.next()?.strip_prefix('*')?.strip_suffix("\r\n")?.parse().ok()?;
    let (mut args, mut used) = (Vec::new(), text.find("\r\n")? + 2);
    for _ in 0..count {
        let (header, value) = (lines.next()?, lines.next()?);
        args.push(value.strip_suffix("\r\n")?.as_bytes().to_vec());
        used += header.len() + value.len();
    }
    Some((args, used))
}

#[test]
fn a_replica_always_holds_a_prefix_and_in_the_end_everything() {
    let mut total = Seen::default();
    for seed in 0..RUNS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step(true);
        }
        let mut healed = false;
        for _ in 0..HEALING_STEPS {
            world.step(false);
            healed = world.replica.is_link_up() && world.data.len() == world.log.len();
            if healed && world.primary.count_acked(Offset(world.log.len() as u64)) == 1 {
                break;
            }
        }
        assert!(healed, "seed {seed}: the replica did not catch up");
        total.full += world.seen.full;
        total.partial += world.seen.partial;
        total.aborted += world.seen.aborted;
        total.diverged += world.seen.diverged;
    }
    // The faults really happened: otherwise the test proves nothing.
    let Seen { full, partial, aborted, diverged } = total;
    println!("full {full}, partial {partial}, aborted {aborted}, diverged {diverged}");
    assert!(full > RUNS && partial > RUNS && aborted > RUNS / 4 && diverged > RUNS);
}
