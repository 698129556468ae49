//! The thread's loop: events in, the machine's actions out, in their order.
//!
//! One epoll instance watches the listener, a wake-up descriptor, the links to instances and the
//! clients. After everything that may have changed the machine, its actions are performed until none
//! is left, so that a client's answer precedes the answer to its next command.

mod clients;
mod links;

use super::client::Client;
use super::connection::Connection;
use super::facts::Stats;
use super::resolver::Resolver;
use super::state::StateFile;
use super::{Exit, Options, Signal, StartError, encode, listen};
use ::sentinel::{Action, ClientId, Config, Event, Level, Line, LinkId, Sentinel};
use base::random::Random;
use base::{Millis, RunId, clock};
use resp::Decoder;
use rustix::event::{Timespec, epoll};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

/// Events taken from the system at once.
const EVENTS_MAX: usize = 256;
/// The longest sleep.
const SLEEP_MAX_MS: u64 = 1_000;

/// What an event belongs to, in the two low bits of its token.
#[derive(Clone, Copy, Debug)]
enum Token {
    Wake,
    Listener(u64),
    Link(LinkId),
    Client(ClientId),
}

impl Token {
    fn data(self) -> epoll::EventData {
        let (kind, number) = match self {
            Token::Wake => (0, 0),
            Token::Listener(index) => (1, index),
            Token::Link(link) => (2, link.0),
            Token::Client(client) => (3, client.0),
        };
        epoll::EventData::new_u64(number << 2 | kind)
    }

    fn from_data(data: u64) -> Token {
        match (data & 3, data >> 2) {
            (0, _) => Token::Wake,
            (1, index) => Token::Listener(index),
            (2, link) => Token::Link(LinkId(link)),
            (_, client) => Token::Client(ClientId(client)),
        }
    }
}

/// A connection of ours to an instance.
struct Link {
    connection: Connection,
    decoder: Decoder,
    /// Until when it must be established; `None` once it is.
    deadline: Option<Millis>,
}

pub(super) struct Driver {
    machine: Sentinel,
    state: StateFile,
    epoll: OwnedFd,
    listeners: Vec<TcpListener>,
    links: BTreeMap<LinkId, Link>,
    clients: BTreeMap<ClientId, Client>,
    resolver: Resolver,
    signal: Signal,
    options: Options,
    stats: Stats,
    next_client: u64,
    started_ms: u64,
    /// Protected mode has refused somebody, and the log says so.
    told_of_refusal: bool,
    exit: Option<Exit>,
}

impl Driver {
    /// Listens, and makes the identity durable; nothing runs yet.
    pub(super) fn new(
        options: Options,
        config: Config,
        signal: Signal,
    ) -> Result<Driver, StartError> {
        let listeners = open_listeners(&options)?;
        let port = listeners.first().and_then(|l| l.local_addr().ok()).map_or(0, |a| a.port());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        let watch = |fd: BorrowedFd<'_>, token: Token| {
            epoll::add(&epoll, fd, token.data(), epoll::EventFlags::IN).map_err(io::Error::from)
        };
        watch(signal.wake.as_fd(), Token::Wake)?;
        for (index, listener) in (0..).zip(&listeners) {
            watch(listener.as_fd(), Token::Listener(index))?;
        }
        let machine_options =
            ::sentinel::Options { config, port, own_password: options.password.clone() };
        let now = clock::monotonic();
        let machine = Sentinel::new(machine_options, Random::from_system(), now);
        let mut driver = Driver {
            machine,
            state: StateFile::new(options.state.clone()),
            epoll,
            listeners,
            links: BTreeMap::new(),
            clients: BTreeMap::new(),
            resolver: Resolver::new(signal.clone()),
            signal,
            options,
            stats: Stats::default(),
            next_client: 0,
            started_ms: now.0,
            told_of_refusal: false,
            exit: None,
        };
        let lines = driver.machine.config().to_lines();
        let path = driver.state.path().to_owned();
        driver.state.write(lines).map_err(|error| StartError::File { path, error })?;
        Ok(driver)
    }

    pub(super) fn id(&self) -> RunId {
        self.machine.my_id()
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Runs until told to end.
    pub(super) fn run(mut self) -> Exit {
        let exit = loop {
            self.perform();
            if self.signal.stop.load(Ordering::Acquire) {
                break Exit::Stopped;
            }
            if let Some(exit) = self.exit {
                break exit;
            }
            if let Err(error) = self.turn() {
                tracing::error!("The sentinel's event queue failed: {error}");
                break Exit::Failed;
            }
        };
        if let Some(on_exit) = self.options.on_exit.take() {
            on_exit(exit);
        }
        exit
    }

    /// Waits for events or the next timer, and handles them.
    fn turn(&mut self) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let sleep = self.sleep();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&sleep)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events {
            let flags = event.flags;
            match Token::from_data(event.data.u64()) {
                Token::Wake => self.woken(),
                Token::Listener(index) => self.accept(index),
                Token::Link(link) => self.link_event(link, flags),
                Token::Client(client) => self.client_event(client, flags),
            }
            self.perform();
        }
        self.close_late_links();
        let now = clock::monotonic();
        if self.machine.poll_timeout().is_some_and(|at| now >= at) {
            self.machine.handle_timeout(now);
        }
        Ok(())
    }

    fn sleep(&self) -> Timespec {
        let now = clock::monotonic();
        let timer = self.machine.poll_timeout().into_iter();
        let deadlines = self.links.values().filter_map(|link| link.deadline);
        let next = timer.chain(deadlines).min().unwrap_or(now + Millis(SLEEP_MAX_MS));
        let span = next.since(now).0.min(SLEEP_MAX_MS);
        let nanoseconds = i64::try_from(span % 1000 * 1_000_000).unwrap_or(0);
        Timespec { tv_sec: i64::try_from(span / 1000).unwrap_or(1), tv_nsec: nanoseconds }
    }

    /// Performs the machine's actions, in order, until there are none.
    fn perform(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Persist(lines) => self.persist(lines),
                Action::Connect { link, address } => self.connect(link, &address),
                Action::Send { link, command } => self.send(link, &command),
                Action::Disconnect(link) => self.forget_link(link),
                Action::Reply { client, reply, .. } => {
                    if let Some(client) = self.clients.get_mut(&client) {
                        let protocol = client.session.protocol;
                        encode::write(client.connection.output(), protocol, &reply);
                    }
                    self.flush_client(client);
                }
                Action::Announce(event) => self.announce(&event),
                Action::Log(level, text) => log(level, &text),
                Action::Crash => {
                    self.exit = Some(Exit::Crash);
                    return;
                }
            }
        }
    }

    fn persist(&mut self, lines: Vec<Line>) {
        if let Err(error) = self.state.write(lines) {
            let path = self.state.path().display();
            tracing::warn!(
                "WARNING: Sentinel was not able to save the new configuration on disk!!!: {path}: {error}"
            );
            self.machine.handle_persist_failed(clock::monotonic());
        }
    }

    fn announce(&mut self, event: &Event) {
        log(event.level, &format!("{} {}", event.name, event.text));
        if event.level == Level::Debug {
            return;
        }
        let subscribed = self.clients.iter_mut().filter(|(_, c)| c.session.is_subscribed());
        let mut told = Vec::new();
        for (&id, client) in subscribed {
            client.publish(event.name, &event.text);
            told.push(id);
        }
        for id in told {
            self.flush_client(id);
        }
    }

    fn woken(&mut self) {
        let mut counter = [0; 8];
        // The counter is only there to wake; what it was does not matter.
        let _ = rustix::io::read(&self.signal.wake, &mut counter);
        while let Some((link, address)) = self.resolver.answer() {
            match address {
                Some(address) => self.connect_to(link, address),
                None => self.link_failed(link),
            }
        }
    }
}

/// Writes what the socket takes, and watches for room if something is left.
fn flush(queue: &OwnedFd, connection: &mut Connection, token: Token) -> io::Result<()> {
    connection.flush()?;
    let wants = connection.unsent() > 0;
    if wants != connection.watches_write {
        let write = if wants { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        epoll::modify(queue, &connection.stream, token.data(), epoll::EventFlags::IN | write)?;
        connection.watches_write = wants;
    }
    Ok(())
}

fn open_listeners(options: &Options) -> Result<Vec<TcpListener>, StartError> {
    let failed = |address: String, error| StartError::Listen { address, port: options.port, error };
    let addresses = listen::addresses(&options.bind)
        .map_err(|text| failed(text, io::ErrorKind::InvalidInput.into()))?;
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut port = options.port;
    for (address, optional) in addresses {
        match listen::listen(SocketAddr::new(address, port)) {
            Ok(listener) => {
                // With port 0 the first listener chooses for all.
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(_) if optional => {}
            Err(error) => return Err(failed(address.to_string(), error)),
        }
    }
    if listeners.is_empty() {
        return Err(failed("any address".to_owned(), io::ErrorKind::AddrNotAvailable.into()));
    }
    Ok(listeners)
}

/// At stock's levels: warning, notice, verbose, debug.
fn log(level: Level, text: &str) {
    match level {
        Level::Warning => tracing::warn!("{text}"),
        Level::Notice => tracing::info!("{text}"),
        Level::Verbose => tracing::debug!("{text}"),
        Level::Debug => tracing::trace!("{text}"),
    }
}
