//! A hand-written network for the scenarios: servers that know just enough, sentinels that are the
//! real machine, a millisecond per message, and the faults the scenarios need.

use crate::{
    Action, Address, ClientId, Config, Line, LinkId, Options, Reply, Sentinel, ServerFacts,
};
use base::random::Random;
use base::{Millis, RunId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How long a message takes, unless a scenario says otherwise.
const LATENCY_MS: u64 = 1;
pub const SENTINEL_PORT: u16 = 26_000;

/// One server.
#[derive(Debug)]
pub struct Server {
    pub alive: bool,
    pub paused: bool,
    pub run_id: RunId,
    /// The port of the primary it follows; `None` for a primary.
    pub follows: Option<u16>,
    pub offset: u64,
    pub keys: u64,
    pub priority: u64,
    /// Its link to its primary is shown up from this time on.
    pub synced_at: Millis,
    /// Its link to its primary was never up since it started.
    pub never_linked: bool,
    /// What it says of that link while it is down, in seconds, if it was up.
    pub link_down_for: u64,
    /// The history it holds.
    pub replid: RunId,
    /// How long a synchronisation with a new primary takes.
    pub sync_ms: u64,
    /// The name that it announces to its primary, which lists it under its number as well: it was
    /// there without the name before.
    pub announces: Option<&'static str>,
    subscribers: Vec<(usize, LinkId)>,
}

/// One sentinel with its disk and what it said.
pub struct Node {
    pub machine: Sentinel,
    pub alive: bool,
    pub paused: bool,
    pub disk: Vec<Line>,
    pub disk_fails: bool,
    pub events: Vec<(Millis, String)>,
    links: BTreeMap<LinkId, Address>,
}

enum Delivery {
    Connected(usize, LinkId),
    Closed(usize, LinkId),
    Reply(usize, LinkId, Reply),
    ToServer(u16, usize, LinkId, Vec<Vec<u8>>),
    ToSentinel(usize, usize, LinkId, Vec<Vec<u8>>),
}

pub struct Net {
    pub now: Millis,
    pub nodes: Vec<Node>,
    pub servers: BTreeMap<u16, Server>,
    pub random: Random,
    pub latency_ms: u64,
    /// Sentinel pairs, and (sentinel, server port + 1000) pairs, that cannot talk.
    pub cut: BTreeSet<(usize, usize)>,
    /// The most replicas seen synchronising at once.
    pub syncing_max: usize,
    queue: BTreeMap<(Millis, u64), Delivery>,
    callers: BTreeMap<u64, (usize, LinkId)>,
    sequence: u64,
}

impl Net {
    /// `sentinels` sentinels watching a primary on port 1 with replicas on 2, 3, ...
    pub fn new(seed: u64, sentinels: usize, replicas: u16, extra: &str) -> Net {
        let mut random = Random::from_seed(seed);
        let mut servers = BTreeMap::new();
        let replid = RunId::generate(&mut random);
        for port in 1..=replicas + 1 {
            servers.insert(port, server(&mut random, replid, (port != 1).then_some(1)));
        }
        let mut net = Net {
            now: Millis(1_000),
            nodes: Vec::new(),
            servers,
            random,
            latency_ms: LATENCY_MS,
            cut: BTreeSet::new(),
            syncing_max: 0,
            queue: BTreeMap::new(),
            callers: BTreeMap::new(),
            sequence: 0,
        };
        let quorum = sentinels / 2 + 1;
        let text = format!(
            "sentinel monitor g 127.0.0.1 1 {quorum}\nsentinel down-after-milliseconds g 1000\n\
             sentinel failover-timeout g 10000\n{extra}"
        );
        for _ in 0..sentinels {
            net.add_sentinel(&lines(&text));
        }
        net
    }

    pub fn add_sentinel(&mut self, lines: &[Line]) {
        let machine = self.machine(lines, self.nodes.len());
        self.nodes.push(Node {
            machine,
            alive: true,
            paused: false,
            disk: Vec::new(),
            disk_fails: false,
            events: Vec::new(),
            links: BTreeMap::new(),
        });
        self.perform(self.nodes.len() - 1);
    }

    fn machine(&mut self, lines: &[Line], index: usize) -> Sentinel {
        let port = SENTINEL_PORT + u16::try_from(index).unwrap();
        let config = Config::parse(lines).unwrap();
        let options = Options { config, port, own_password: Vec::new() };
        Sentinel::new(options, Random::from_seed(self.random.next_u64()), self.now)
    }

    /// Kills a server: connections to it break at once.
    pub fn kill(&mut self, port: u16) {
        let server = self.servers.get_mut(&port).unwrap();
        server.alive = false;
        server.subscribers.clear();
        self.break_links(port);
    }

    /// Starts a killed server again with another run id.
    pub fn restart(&mut self, port: u16) {
        let run_id = RunId::generate(&mut self.random);
        let server = self.servers.get_mut(&port).unwrap();
        server.alive = true;
        server.run_id = run_id;
    }

    pub fn kill_sentinel(&mut self, index: usize) {
        self.nodes[index].alive = false;
        self.break_links(SENTINEL_PORT + u16::try_from(index).unwrap());
    }

    /// Starts a killed sentinel from its disk.
    pub fn restart_sentinel(&mut self, index: usize) {
        let disk = self.nodes[index].disk.clone();
        self.nodes[index].machine = self.machine(&disk, index);
        self.nodes[index].links.clear();
        self.nodes[index].alive = true;
        self.perform(index);
    }

    /// Closes every connection to a port from the other end.
    pub fn break_links(&mut self, port: u16) {
        for index in 0..self.nodes.len() {
            let links = &self.nodes[index].links;
            let broken: Vec<LinkId> =
                links.iter().filter(|(_, at)| at.port == port).map(|(&link, _)| link).collect();
            for link in broken {
                self.deliver(Delivery::Closed(index, link));
            }
        }
    }

    /// Lets `span` milliseconds pass.
    pub fn run(&mut self, span: u64) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until `done`, at most `span` milliseconds. True if it was reached.
    pub fn run_until(&mut self, span: u64, done: impl Fn(&Net) -> bool) -> bool {
        let end = self.now + Millis(span);
        while !done(self) {
            let timers = self.nodes.iter().filter(|node| node.alive && !node.paused);
            let timers = timers.filter_map(|node| node.machine.poll_timeout());
            let queued = self.queue.keys().next().map(|key| key.0);
            let Some(next) = timers.chain(queued).min().filter(|&next| next <= end) else {
                self.now = end;
                return done(self);
            };
            let next = next.max(self.now);
            self.now = next;
            while let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= next) {
                let delivery = entry.remove();
                self.arrive(delivery);
            }
            for index in 0..self.nodes.len() {
                let node = &mut self.nodes[index];
                let due = node.machine.poll_timeout().is_some_and(|at| at <= next);
                if node.alive && !node.paused && due {
                    node.machine.handle_timeout(next);
                    self.perform(index);
                }
            }
        }
        true
    }

    fn deliver(&mut self, delivery: Delivery) {
        self.sequence += 1;
        self.queue.insert((self.now + Millis(self.latency_ms), self.sequence), delivery);
    }

    fn reaches(&self, index: usize, port: u16) -> bool {
        let other = port.checked_sub(SENTINEL_PORT).map_or(usize::from(port) + 1000, usize::from);
        !self.cut.contains(&(index, other)) && !self.cut.contains(&(other, index))
    }

    fn perform(&mut self, index: usize) {
        while let Some(action) = self.nodes[index].machine.poll_action() {
            match action {
                Action::Persist(_) if self.nodes[index].disk_fails => {
                    self.nodes[index].machine.handle_persist_failed(self.now);
                }
                Action::Persist(lines) => self.nodes[index].disk = lines,
                Action::Connect { link, address } => self.connect(index, link, address),
                Action::Send { link, command } => self.send(index, link, command),
                Action::Disconnect(link) => {
                    self.nodes[index].links.remove(&link);
                }
                Action::Reply { client, reply, .. } => {
                    if let Some((caller, link)) = self.callers.remove(&client.0) {
                        self.deliver(Delivery::Reply(caller, link, reply));
                    }
                }
                Action::Announce(event) => {
                    let text = format!("{} {}", event.name, event.text);
                    self.nodes[index].events.push((self.now, text));
                }
                Action::Log(..) => {}
                Action::Crash => self.kill_sentinel(index),
            }
        }
    }

    fn connect(&mut self, index: usize, link: LinkId, address: Address) {
        let port = address.port;
        let listens = match port.checked_sub(SENTINEL_PORT) {
            Some(other) => self.nodes.get(usize::from(other)).is_some_and(|node| node.alive),
            None => self.servers.get(&port).is_some_and(|server| server.alive),
        };
        if listens && self.reaches(index, port) {
            self.nodes[index].links.insert(link, address);
            self.deliver(Delivery::Connected(index, link));
        } else if !listens {
            self.deliver(Delivery::Closed(index, link));
        }
    }

    fn send(&mut self, index: usize, link: LinkId, command: Vec<Vec<u8>>) {
        let Some(address) = self.nodes[index].links.get(&link) else { return };
        let port = address.port;
        match port.checked_sub(SENTINEL_PORT) {
            Some(other) => {
                self.deliver(Delivery::ToSentinel(usize::from(other), index, link, command));
            }
            None => self.deliver(Delivery::ToServer(port, index, link, command)),
        }
    }

    fn arrive(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Connected(index, link) => {
                if self.nodes[index].alive {
                    self.nodes[index].machine.handle_connected(self.now, link, "127.0.0.1");
                    self.perform(index);
                }
            }
            Delivery::Closed(index, link) => {
                self.nodes[index].links.remove(&link);
                if self.nodes[index].alive {
                    self.nodes[index].machine.handle_closed(self.now, link);
                    self.perform(index);
                }
            }
            Delivery::Reply(index, link, reply) => {
                let Some(at) = self.nodes[index].links.get(&link) else { return };
                if self.nodes[index].alive && self.reaches(index, at.port) {
                    self.nodes[index].machine.handle_reply(self.now, link, &reply);
                    self.perform(index);
                }
            }
            Delivery::ToServer(port, index, link, command) => {
                if self.reaches(index, port) {
                    self.serve(port, index, link, &command);
                }
            }
            Delivery::ToSentinel(index, caller, link, command) => {
                let port = SENTINEL_PORT + u16::try_from(index).unwrap();
                if !self.nodes[index].alive || !self.reaches(caller, port) {
                    return;
                }
                self.sequence += 1;
                self.callers.insert(self.sequence, (caller, link));
                let client = ClientId(self.sequence);
                let facts = ServerFacts::default();
                self.nodes[index].machine.handle_command(self.now, client, &command, &facts);
                self.perform(index);
            }
        }
    }

    fn serve(&mut self, port: u16, index: usize, link: LinkId, command: &[Vec<u8>]) {
        let info = self.info(port);
        let now = self.now;
        let server = self.servers.get_mut(&port).unwrap();
        if !server.alive || server.paused {
            return;
        }
        let reply = match command[0].as_slice() {
            b"PING" => Reply::Status("PONG".to_owned()),
            b"INFO" => Reply::bulk(info),
            b"SUBSCRIBE" => {
                server.subscribers.push((index, link));
                return;
            }
            b"PUBLISH" => {
                let message = Reply::Array(vec![
                    Reply::bulk("message"),
                    Reply::bulk(&command[1]),
                    Reply::bulk(&command[2]),
                ]);
                for (node, link) in server.subscribers.clone() {
                    self.deliver(Delivery::Reply(node, link, message.clone()));
                }
                Reply::Integer(1)
            }
            b"SLAVEOF" => {
                let port: Option<u16> = std::str::from_utf8(&command[2]).unwrap().parse().ok();
                if server.follows != port {
                    server.follows = port;
                    server.synced_at = now + Millis(server.sync_ms);
                }
                let synced = |s: &&Server| s.follows.is_some() && s.alive && s.synced_at > now;
                self.syncing_max =
                    self.syncing_max.max(self.servers.values().filter(synced).count());
                Reply::Status("QUEUED".to_owned())
            }
            _ => Reply::ok(),
        };
        self.deliver(Delivery::Reply(index, link, reply));
    }

    fn info(&self, port: u16) -> String {
        let server = &self.servers[&port];
        let mut text =
            format!("run_id:{}\r\nslave_priority:{}\r\n", server.run_id, server.priority);
        if let Some(primary) = server.follows {
            let leader = self.servers.get(&primary);
            let up = leader.is_some_and(|s| s.alive && s.follows.is_none())
                && self.now >= server.synced_at
                && !server.never_linked;
            let status = if up { "up" } else { "down" };
            let _ = write!(
                text,
                "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:{primary}\r\n\
                 master_link_status:{status}\r\nslave_repl_offset:{}\r\n",
                server.offset
            );
            if !up {
                let since = server.link_down_for.to_string();
                let since = if server.never_linked { "-1" } else { &since };
                let _ = write!(text, "master_link_down_since_seconds:{since}\r\n");
            }
        } else {
            text += "role:master\r\n";
            let replicas = self.servers.iter().filter(|(_, s)| s.follows == Some(port) && s.alive);
            for (index, (replica, _)) in replicas.enumerate() {
                let _ = write!(text, "slave{index}:ip=127.0.0.1,port={replica},state=online\r\n");
            }
            let named = self.servers.iter().filter_map(|(port, s)| Some((port, s.announces?)));
            for (index, (replica, name)) in named.enumerate() {
                let _ = write!(text, "slave9{index}:ip={name},port={replica},state=online\r\n");
            }
        }
        let _ = write!(
            text,
            "master_replid:{}\r\nmaster_repl_offset:{}\r\ndb0:keys={},expires=0\r\n",
            server.replid, server.offset, server.keys
        );
        text
    }

    /// The port of the primary as a sentinel tells clients.
    pub fn primary_seen_by(&self, index: usize) -> u16 {
        self.nodes[index].machine.primary_of("g").unwrap().0.port
    }

    /// True if every living sentinel names the same primary, other than `old`.
    pub fn moved_from(&self, old: u16) -> bool {
        let living = (0..self.nodes.len()).filter(|&index| self.nodes[index].alive);
        let seen: BTreeSet<u16> = living.map(|index| self.primary_seen_by(index)).collect();
        seen.len() == 1 && !seen.contains(&old)
    }

    /// How often an event beginning with `text` happened, over all sentinels.
    pub fn count(&self, text: &str) -> usize {
        let events = self.nodes.iter().flat_map(|node| &node.events);
        events.filter(|(_, event)| event.starts_with(text)).count()
    }

    pub fn has(&self, index: usize, text: &str) -> bool {
        self.nodes[index].events.iter().any(|(_, event)| event == text)
    }
}

fn server(random: &mut Random, replid: RunId, follows: Option<u16>) -> Server {
    Server {
        alive: true,
        paused: false,
        run_id: RunId::generate(random),
        follows,
        offset: 100,
        keys: 10,
        priority: 100,
        synced_at: Millis(0),
        never_linked: false,
        link_down_for: 1,
        replid,
        sync_ms: 0,
        announces: None,
        subscribers: Vec::new(),
    }
}

/// Configuration text as lines.
pub fn lines(text: &str) -> Vec<Line> {
    let line = |line: &str| line.split_whitespace().map(|w| w.as_bytes().to_vec()).collect();
    text.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
}
