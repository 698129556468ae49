//! One loop: its connections, its driver, its inbox, and the order of a turn.

use crate::connection::{Connection, Hold, Read};
use crate::driver::{self, Driver, Event, Sent};
use crate::listener::{BindError, Binding, Listener, bind_all};
use crate::pool::Pool;
use crate::window::Window;
use base::Millis;
use base::lock::{Mutex, Rank};
use conf::Settings;
use engine::client::Origin;
use engine::expiry::Expirer;
use engine::gates::LIMITED;
use engine::mailbox::{Mailbox, Message};
use engine::pipeline::Worker;
use engine::session::Blocked;
use engine::stats::{LONG_TURN_US, add};
use engine::{Node, Session};
use resp::request::Arguments;
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Connections accepted from one listener in one turn.
const ACCEPTS_MAX: usize = 256;
/// Milliseconds between two rounds of housekeeping.
const CRON_MS: u64 = 100;
/// Milliseconds a loop sleeps while clients are paused, who are told when the pause is lifted.
pub(crate) const PAUSED_SLEEP_MS: u64 = 10;

/// What other threads hold of a loop.
#[derive(Debug)]
pub struct LoopHandle {
    inbox: Mutex<Vec<Accepted>>,
    wake: OwnedFd,
    stopping: AtomicBool,
    connections: std::sync::atomic::AtomicUsize,
    listening: Mutex<Listening>,
}

/// What the first loop listens on, and a change it has not made yet.
#[derive(Debug, Default)]
struct Listening {
    names: Vec<String>,
    change: Option<Binding>,
}

#[derive(Debug)]
struct Accepted {
    socket: OwnedFd,
    is_unix: bool,
}

impl LoopHandle {
    fn wake(&self) {
        // A full counter means that the loop is awake already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// Listens on what the settings say now. Only for the first loop.
    ///
    /// # Errors
    /// The address that cannot be opened; everything stays as it was then.
    pub fn listen_anew(&self, settings: &Settings) -> Result<(), BindError> {
        let mut listening = self.listening.lock();
        let mut binding = bind_all(settings, &listening.names)?;
        listening.names = binding.names();
        if let Some(missed) = listening.change.take() {
            let wanted = |listener: &Listener| binding.kept.contains(&listener.name);
            let (keep, _): (Vec<_>, Vec<_>) = missed.opened.into_iter().partition(wanted);
            binding.opened.extend(keep);
        }
        listening.change = Some(binding);
        drop(listening);
        self.wake();
        Ok(())
    }

    /// Ends the loop after its turn.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }
}

/// A loop, before it runs.
#[derive(Debug)]
pub struct EventLoop {
    index: usize,
    handles: Vec<Arc<LoopHandle>>,
    mailbox: Arc<Mailbox>,
    listeners: Vec<Listener>,
}

/// Loops that were made together.
#[derive(Debug)]
pub struct Loops {
    /// The loops, each to be run on a thread of its own.
    pub loops: Vec<EventLoop>,
    /// Their mailboxes.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// What others hold of them.
    pub handles: Vec<Arc<LoopHandle>>,
}

/// Makes `count` loops and their mailboxes; what is bound belongs to the first.
///
/// # Errors
/// Those of making the wake-up descriptors.
pub fn make_loops(count: usize, bound: Binding) -> io::Result<Loops> {
    let names = bound.names();
    let mut handles = Vec::new();
    for _ in 0..count {
        handles.push(Arc::new(LoopHandle {
            inbox: Mutex::new(Rank::Mailbox, Vec::new()),
            wake: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
            stopping: AtomicBool::new(false),
            connections: std::sync::atomic::AtomicUsize::new(0),
            listening: Mutex::new(Rank::Mailbox, Listening { names: names.clone(), change: None }),
        }));
    }
    let mailboxes: Vec<_> = handles
        .iter()
        .map(|handle| {
            let handle = Arc::clone(handle);
            Arc::new(Mailbox::new(Box::new(move || handle.wake())))
        })
        .collect();
    let mut listeners = Some(bound.opened);
    let loops = (0..count)
        .map(|index| EventLoop {
            index,
            handles: handles.clone(),
            mailbox: Arc::clone(&mailboxes[index]),
            listeners: listeners.take().unwrap_or_default(),
        })
        .collect();
    Ok(Loops { loops, mailboxes, handles })
}

impl EventLoop {
    /// Runs until it is stopped.
    ///
    /// # Errors
    /// Those of the driver itself; what goes wrong with one connection ends only that connection.
    pub fn run(self, node: &Arc<Node>) -> io::Result<()> {
        let Some(worker) = Worker::new(node) else {
            return Err(io::Error::other("no seat is left for this loop"));
        };
        let loops = self.handles.len();
        let mut running = Running {
            shared: Arc::clone(node),
            node,
            worker,
            driver: driver::open(node.settings.io_backend.get(), self.index == 0)?,
            expirer: Expirer::new(self.index, loops),
            expiry_pending: false,
            home: self,
            slots: Vec::new(),
            free: Vec::new(),
            by_id: ahash::HashMap::default(),
            pool: Pool::default(),
            ready: Vec::new(),
            held: Vec::new(),
            detaching: Vec::new(),
            dirty: Vec::new(),
            dead: Vec::new(),
            deaf: Vec::new(),
            retry_at: Millis(0),
            window: Window::default(),
            reply_at: None,
            arguments: Arguments::new(),
            now: base::clock::monotonic(),
            cron_at: Millis(0),
            next_home: 0,
        };
        running.start()?;
        running.run()
    }
}

/// A loop that runs.
pub(crate) struct Running<'n> {
    shared: Arc<Node>,
    pub(crate) node: &'n Node,
    pub(crate) worker: Worker<'n>,
    pub(crate) driver: Box<dyn Driver>,
    home: EventLoop,
    expirer: Expirer,
    expiry_pending: bool,
    pub(crate) slots: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    by_id: ahash::HashMap<u64, usize>,
    pub(crate) pool: Pool,
    /// Connections with input to be parsed in this turn.
    pub(crate) ready: Vec<usize>,
    /// Connections that do not go on by themselves.
    pub(crate) held: Vec<usize>,
    /// Connections that become replicas.
    pub(crate) detaching: Vec<usize>,
    /// Connections with output to be written in this turn.
    pub(crate) dirty: Vec<usize>,
    /// Connections to be freed at the end of the turn.
    pub(crate) dead: Vec<usize>,
    /// Listeners that could not accept for want of something; heard again after a while.
    deaf: Vec<usize>,
    /// Parked sessions are not tried again before this.
    pub(crate) retry_at: Millis,
    pub(crate) window: Window,
    /// The connection whose command has just run, and where its reply begins.
    pub(crate) reply_at: Option<(usize, usize)>,
    pub(crate) arguments: Arguments,
    /// Monotonic time of the turn.
    pub(crate) now: Millis,
    cron_at: Millis,
    next_home: usize,
}

impl Running<'_> {
    fn start(&mut self) -> io::Result<()> {
        self.driver.watch_wake(self.home.handles[self.home.index].wake.as_fd())?;
        (0..self.home.listeners.len()).try_for_each(|at| self.listen(at))
    }

    fn listen(&mut self, at: usize) -> io::Result<()> {
        let Some(listener) = self.home.listeners.get(at) else { return Ok(()) };
        self.driver.listen(at, listener.socket.as_fd())
    }

    fn change_listeners(&mut self, binding: Binding) {
        for (at, listener) in self.home.listeners.iter().enumerate() {
            // One that the driver does not know was stopped for a lack of descriptors.
            self.driver.stop_listening(at, listener.socket.as_fd());
        }
        self.deaf.clear();
        self.home.listeners.retain(|listener| binding.kept.contains(&listener.name));
        self.home.listeners.extend(binding.opened);
        for at in 0..self.home.listeners.len() {
            if let Err(error) = self.listen(at) {
                tracing::warn!("Cannot watch a listening socket: {error}");
            }
        }
    }

    fn run(&mut self) -> io::Result<()> {
        while !self.home.handles[self.home.index].stopping.load(Ordering::Acquire) {
            self.driver.wait(self.sleep_ms())?;
            let began_us = base::clock::monotonic_us();
            let measures = self.node.stats.measures_turn_cpu.load(Ordering::Relaxed);
            let began_cpu_us = measures.then(base::clock::thread_cpu_us);
            self.now = Millis(began_us / 1000);
            let before = self.worker.stats().processed.load(Ordering::Relaxed);
            while let Some(event) = self.driver.next_event() {
                self.take_event(event);
            }
            self.take_sent();
            if self.home.mailbox.has_mail() {
                self.take_mail();
            }
            self.retry_held();
            self.pool.set_tight(self.node.shut_gates() & LIMITED != 0);
            self.run_windows();
            self.limit_clients();
            self.write_all();
            self.limit_clients();
            if self.now >= self.cron_at || self.expiry_pending {
                let began_us = base::clock::monotonic_us();
                self.cron();
                add(
                    &self.worker.stats().cron_us,
                    base::clock::monotonic_us().saturating_sub(began_us),
                );
                self.write_all();
            }
            self.free_dead();
            self.flush()?;
            self.home.mailbox.settle();
            self.count_turn(began_us, began_cpu_us, before);
        }
        self.close_all();
        Ok(())
    }

    /// Lets the driver carry out what the turn has begun, and looks after what is done at once.
    fn flush(&mut self) -> io::Result<()> {
        self.driver.flush()?;
        while self.take_sent() {
            self.write_all();
            self.free_dead();
            self.driver.flush()?;
        }
        Ok(())
    }

    /// Looks after sends that have ended. True if there is something to be written or ended since.
    fn take_sent(&mut self) -> bool {
        let mut has_more = false;
        while let Some(Sent { slot, mut bytes, result, .. }) = self.driver.next_sent() {
            self.pool.give(&mut bytes);
            let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else {
                continue;
            };
            connection.in_flight = 0;
            if result.is_err() {
                // Nobody will read it.
                connection.output.clear();
                self.end(slot);
                has_more = true;
            } else if !connection.output.is_empty()
                || connection.closing
                || connection.ended
                || connection.hold == Hold::Draining
            {
                self.mark_dirty(slot);
                has_more = true;
            }
        }
        has_more
    }

    /// Notes how long a turn took, how long this thread ran in it if that is measured, and how many
    /// commands it had.
    fn count_turn(&self, began_us: u64, began_cpu_us: Option<u64>, commands_before: u64) {
        let stats = self.worker.stats();
        let spent = base::clock::monotonic_us().saturating_sub(began_us);
        let commands = stats.processed.load(Ordering::Relaxed).saturating_sub(commands_before);
        add(&stats.cycles, 1);
        add(&stats.cycle_us, spent);
        let cpu =
            began_cpu_us.map_or(0, |began| base::clock::thread_cpu_us().saturating_sub(began));
        if cpu > LONG_TURN_US {
            add(&stats.cycles_cpu_long, 1);
        }
        for (most, now) in [
            (&stats.cycle_us_max, spent),
            (&stats.cycle_cpu_us_max, cpu),
            (&stats.commands_per_cycle_max, commands),
        ] {
            if now > most.load(Ordering::Relaxed) {
                most.store(now, Ordering::Relaxed);
            }
        }
    }

    fn sleep_ms(&self) -> u64 {
        let parked = |postponed| {
            let mut held = self.held.iter().filter_map(|&slot| self.slots[slot].as_ref());
            held.any(|one| one.hold == Hold::Parked && one.session.postponed == postponed)
        };
        if !self.ready.is_empty() || self.expiry_pending {
            0
        } else if parked(false) {
            // A shard is held for microseconds; whoever holds it may want this processor.
            std::thread::yield_now();
            0
        } else {
            let deadline = self.held.iter().filter_map(|&slot| self.wake_at(slot)).min();
            let deadline = deadline.into_iter().chain(parked(true).then_some(self.retry_at)).min();
            let until = deadline.map_or(CRON_MS, |at| at.since(base::clock::monotonic()).0 + 1);
            until.min(self.cron_at.since(base::clock::monotonic()).0 + 1).min(CRON_MS)
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Wake => {
                let handle = &self.home.handles[self.home.index];
                let mut counter = [0; 8];
                // Nothing to be read means that somebody else's wake was merged with it.
                let _ = rustix::io::read(&handle.wake, &mut counter);
                let accepted = std::mem::take(&mut *handle.inbox.lock());
                let change = handle.listening.lock().change.take();
                for accepted in accepted {
                    self.adopt(accepted);
                }
                if let Some(binding) = change {
                    self.change_listeners(binding);
                }
            }
            Event::Accept(at) => self.accept(at),
            Event::Ready { slot, readable, writable, gone } => {
                if writable {
                    self.mark_dirty(slot);
                }
                if readable {
                    self.read(slot, gone);
                }
            }
            Event::Received { slot, buffer, len } => {
                self.receive(slot, buffer, len);
                self.driver.recycle(buffer);
            }
            Event::End { slot } => self.end(slot),
        }
    }

    /// Takes bytes that the driver has read.
    fn receive(&mut self, slot: usize, buffer: u16, len: usize) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.closing {
            // What a connection sends that is being closed is thrown away.
            if connection.unsent() == 0 {
                self.kill(slot);
            }
            return;
        }
        let taken = connection.take_in(self.driver.bytes(buffer, len), &mut self.pool);
        self.after_read(slot, &taken);
    }

    /// Reads from a connection; `gone` says that it can no longer be written to.
    fn read(&mut self, slot: usize, gone: bool) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        if connection.hold == Hold::Draining && !connection.closing {
            // What is not read keeps the peer from sending more.
            if gone {
                self.kill(slot);
            }
            return;
        }
        if connection.closing {
            // Input of a connection that is being closed is thrown away so that epoll stays quiet.
            let mut trash = Vec::with_capacity(4096);
            let end = rustix::net::recv(
                connection.socket.as_fd(),
                spare_capacity(&mut trash),
                rustix::net::RecvFlags::empty(),
            );
            if matches!(end, Ok((0, _))) || connection.unsent() == 0 {
                self.kill(slot);
            }
            return;
        }
        let result = connection.read(&mut self.pool);
        self.after_read(slot, &result);
    }

    fn after_read(&mut self, slot: usize, result: &Read) {
        let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut) else { return };
        let stats = self.worker.stats();
        add(&stats.reads, 1);
        match *result {
            Read::Some(count) => {
                add(&stats.bytes_in, count as u64);
                let info = &connection.session.info;
                info.total_in.fetch_add(count as u64, Ordering::Relaxed);
                info.last_interaction.store(self.now.0, Ordering::Relaxed);
                let limit = self.node.settings.client_query_buffer_limit.get().unsigned_abs();
                if (connection.input.len() - connection.consumed) as u64 > limit {
                    self.node
                        .stats
                        .query_buffer_limit_disconnections
                        .fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(
                        "Closing client that reached max query buffer length: id={} addr={}",
                        info.id,
                        info.address
                    );
                    self.kill(slot);
                } else if connection.hold == Hold::None && !connection.queued {
                    connection.queued = true;
                    self.ready.push(slot);
                }
            }
            Read::Nothing => {}
            Read::End => self.end(slot),
        }
    }

    fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = self.home.listeners.get(at) else { return };
            let is_unix = listener.is_unix();
            let socket = match listener.accept() {
                Ok(socket) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that went away before it was taken.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!("Accepting client connection: {error}");
                    // Descriptors or memory are wanting: the connection keeps waiting, and the driver
                    // would tell of it without end.
                    if self.driver.stop_listening(at, listener.socket.as_fd()) {
                        self.deaf.push(at);
                    }
                    return;
                }
            };
            let accepted = Accepted { socket, is_unix };
            let home = self.choose_home();
            if home == self.home.index {
                self.adopt(accepted);
            } else {
                let handle = &self.home.handles[home];
                handle.inbox.lock().push(accepted);
                handle.wake();
            }
        }
    }

    /// The loop with the fewest connections, the next in turn among equals.
    fn choose_home(&mut self) -> usize {
        let loops = self.home.handles.len();
        let load = |home: usize| self.home.handles[home].connections.load(Ordering::Relaxed);
        let chosen = (0..loops)
            .map(|step| (self.next_home + step) % loops)
            .min_by_key(|&home| load(home))
            .unwrap_or(0);
        self.next_home = (chosen + 1) % loops;
        self.home.handles[chosen].connections.fetch_add(1, Ordering::Relaxed);
        chosen
    }

    fn adopt(&mut self, accepted: Accepted) {
        let Accepted { socket, is_unix } = accepted;
        let settings = &self.node.settings;
        let (address, local_address, is_local) = describe(&socket, is_unix, settings);
        let refusal =
            if self.node.clients.count() as u64 >= settings.maxclients.get().unsigned_abs() {
                self.node.clients.rejected.fetch_add(1, Ordering::Relaxed);
                Some("-ERR max number of clients reached\r\n")
            } else if settings.protected_mode.get()
                && settings.requirepass.get().is_empty()
                && !is_local
            {
                Some(PROTECTED)
            } else {
                None
            };
        if let Some(text) = refusal {
            // Best effort: the peer may be gone.
            let _ = rustix::net::send(&socket, text.as_bytes(), rustix::net::SendFlags::NOSIGNAL);
            self.forget_connection();
            return;
        }
        if !is_unix {
            tune(&socket, u64::try_from(settings.tcp_keepalive.get()).unwrap_or(0));
        }
        let info = self.node.clients.add(Origin {
            address,
            local_address,
            fd: socket.as_raw_fd(),
            loop_index: self.home.index,
            unix_socket: is_unix,
            primary: false,
        });
        let id = info.id;
        let session = Session::new(info, settings.requirepass.get().is_empty());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if let Err(error) = self.driver.add(slot, socket.as_fd()) {
            tracing::warn!("Cannot watch a client's socket: {error}");
            self.node.clients.remove(id);
            self.free.push(slot);
            self.forget_connection();
            return;
        }
        self.by_id.insert(id, slot);
        self.slots[slot] = Some(Box::new(Connection::new(socket, session)));
    }

    fn forget_connection(&self) {
        self.home.handles[self.home.index].connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.home.mailbox
    }

    /// Delivers what other threads, and this one, have sent to connections of this loop.
    pub(crate) fn take_mail(&mut self) {
        let (first, messages) = self.home.mailbox.take_numbered();
        for (number, message) in (first..).zip(messages) {
            match message {
                Message::Push(push) => {
                    for id in &push.clients {
                        if let Some(&slot) = self.by_id.get(id) {
                            self.push_to(slot, &push, number);
                        }
                    }
                }
                Message::Close(id, gently) => {
                    if let Some(&slot) = self.by_id.get(&id) {
                        self.close_on_demand(slot, gently);
                    }
                }
                Message::Answer(waiting, answer, tag) => {
                    if let Some(&slot) = self.by_id.get(&waiting.client.id) {
                        self.end_wait(slot, &waiting, answer, tag);
                    }
                }
                Message::Unblock(id, with_error) => {
                    if let Some(&slot) = self.by_id.get(&id) {
                        self.unblock(slot, with_error);
                    }
                }
                Message::ShutdownFailed(id) => {
                    if let Some(&slot) = self.by_id.get(&id) {
                        self.shutdown_failed(slot);
                    }
                }
                Message::Recheck | Message::Reconfigure => {
                    self.retry_at = self.now;
                    self.recheck_blocked();
                }
            }
        }
    }

    /// Asks the driver to tell of what the connection waits for: of input unless its output must drain
    /// first, and of room in its socket if `wants_write`.
    pub(crate) fn watch(&mut self, slot: usize, wants_write: bool) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let interest = (connection.hold != Hold::Draining, wants_write);
        if connection.interest == interest || connection.ended {
            return;
        }
        connection.interest = interest;
        let fd = connection.socket.as_fd();
        if self.driver.watch(slot, fd, interest.0, interest.1).is_err() {
            self.kill(slot);
        }
    }

    /// The peer is gone. As in stock, what was read before is still run, unless clients are paused.
    pub(crate) fn end(&mut self, slot: usize) {
        let Some(connection) = self.slots[slot].as_mut() else { return };
        let is_parked = connection.hold == Hold::Parked && !self.node.pause.is_running(self.now);
        if !is_parked && !connection.queued {
            return self.kill(slot);
        }
        if !connection.ended {
            connection.ended = true;
            self.driver.ignore(slot, connection.socket.as_fd());
        }
    }

    /// Ends a connection at the end of the turn.
    pub(crate) fn kill(&mut self, slot: usize) {
        if let Some(connection) = self.slots.get_mut(slot).and_then(Option::as_mut)
            && !connection.dead
        {
            connection.dead = true;
            self.node.clients.set_memory(&connection.session.info, 0);
            self.dead.push(slot);
        }
    }

    /// Where a connection of this loop is.
    pub(crate) fn slot_of(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    fn free_dead(&mut self) {
        for slot in std::mem::take(&mut self.dead) {
            if let Some(connection) = self.take_out(slot) {
                self.driver.forget(slot, connection.socket.as_fd());
                self.end_session(connection);
            }
        }
    }

    /// Takes a connection out of the loop, its socket still open and known to the driver.
    pub(crate) fn take_out(&mut self, slot: usize) -> Option<Box<Connection>> {
        let connection = self.slots.get_mut(slot)?.take()?;
        self.by_id.remove(&connection.session.info.id);
        self.held.retain(|&held| held != slot);
        self.ready.retain(|&ready| ready != slot);
        self.dirty.retain(|&dirty| dirty != slot);
        self.free.push(slot);
        self.forget_connection();
        Some(connection)
    }

    fn end_session(&mut self, mut connection: Box<Connection>) {
        let session = &mut connection.session;
        match session.blocked.take() {
            Some(Blocked::Keys(waiting)) if waiting.abandon() => self.node.waiters.remove(&waiting),
            Some(Blocked::Replicas { .. } | Blocked::Shutdown) => {
                self.node.replication.note_waiting(false);
            }
            Some(Blocked::Keys(_)) | None => {}
        }
        self.node.pubsub.forget(session);
        self.node.monitors.remove(session);
        self.node.tracking.end(self.node, session);
        engine::transaction::unwatch(self.node, session);
        self.node.clients.set_memory(&session.info, 0);
        self.node.clients.remove(session.info.id);
        self.pool.give(&mut connection.input);
        self.pool.give(&mut connection.output);
    }

    fn close_all(&mut self) {
        // What the driver has begun comes first; what fails now is lost either way.
        let _ = self.driver.wait(0);
        self.take_sent();
        for slot in 0..self.slots.len() {
            if let Some(mut connection) = self.slots[slot].take() {
                // What is left is sent as far as the socket takes it.
                if connection.in_flight == 0 {
                    let _ = connection.write();
                }
                self.end_session(connection);
            }
        }
    }

    fn cron(&mut self) {
        self.worker.enter();
        self.expiry_pending = self.expirer.step(&mut self.worker);
        self.expiry_pending |= self.worker.evict_step();
        self.worker.leave();
        if self.now < self.cron_at {
            return;
        }
        self.cron_at = self.now + Millis(CRON_MS);
        for at in std::mem::take(&mut self.deaf) {
            if let Err(error) = self.listen(at) {
                tracing::warn!("Cannot watch a listening socket: {error}");
                self.deaf.push(at);
            }
        }
        if self.node.cron_paused.load(Ordering::Relaxed) {
            return;
        }
        if self.home.index == 0 {
            engine::cron::tick(&self.shared);
        }
        self.close_idle();
    }

    fn close_idle(&mut self) {
        let timeout_ms = self.node.settings.timeout.get().unsigned_abs() * 1000;
        for slot in 0..self.slots.len() {
            let Some(connection) = self.slots[slot].as_mut() else { continue };
            connection.tidy(&mut self.pool, self.now);
            connection.publish(&self.node.clients);
            let session = &connection.session;
            let last = Millis(session.info.last_interaction.load(Ordering::Relaxed));
            let exempt = session.blocked.is_some() || !session.subscriptions.is_empty();
            let idle = timeout_ms > 0 && !exempt && self.now.since(last).0 > timeout_ms;
            if idle {
                tracing::debug!("Closing idle client");
            }
            let over = connection.exceeds_output_limit(&self.node.settings, self.now);
            if over {
                self.close_for_output(slot);
            } else if idle {
                self.kill(slot);
            }
        }
    }
}

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is \
enabled and no password is set for the default user. In this mode connections are only accepted \
from the loopback interface. If you want to connect from external computers to Redis you may adopt \
one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
protected-mode no' from the loopback interface by connecting to Redis from the same host the server \
is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use \
CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected \
mode by editing the Redis configuration file, and setting the protected mode option to 'no', and \
then restarting the server. 3) If you started the server manually just for testing, restart it with \
the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: \
You only need to do one of the above things in order for the server to start accepting connections \
from the outside.\r\n";

fn describe(socket: &OwnedFd, is_unix: bool, settings: &conf::Settings) -> (String, String, bool) {
    if is_unix {
        let path = String::from_utf8_lossy(&settings.unixsocket.get()).into_owned();
        return (format!("{path}:0"), format!("{path}:0"), true);
    }
    let text = |address: rustix::io::Result<rustix::net::SocketAddrAny>| {
        let address = address.ok().and_then(|any| std::net::SocketAddr::try_from(any).ok());
        let local = address.is_some_and(|address| address.ip().to_canonical().is_loopback());
        (address.map_or_else(|| "?:0".to_owned(), |address| address.to_string()), local)
    };
    let (peer, is_local) = text(
        rustix::net::getpeername(socket).and_then(|any| any.ok_or(rustix::io::Errno::NOTCONN)),
    );
    let (own, _) = text(rustix::net::getsockname(socket));
    (peer, own, is_local)
}

fn tune(socket: &OwnedFd, keepalive_s: u64) {
    use rustix::net::sockopt;
    use std::time::Duration;
    // A socket that refuses an option works without it.
    let _ = sockopt::set_tcp_nodelay(socket, true);
    if keepalive_s > 0 {
        let _ = sockopt::set_socket_keepalive(socket, true);
        let _ = sockopt::set_tcp_keepidle(socket, Duration::from_secs(keepalive_s));
        let interval = (keepalive_s / 3).max(1);
        let _ = sockopt::set_tcp_keepintvl(socket, Duration::from_secs(interval));
        let _ = sockopt::set_tcp_keepcnt(socket, 3);
    }
}
