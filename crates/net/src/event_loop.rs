//! One loop: what it owns, and the order of a turn.
//!
//! A turn reads what has come ([`input`]), takes its mail ([`mail`]), lets those go on who have waited ([`waits`]),
//! parses and runs windows of requests ([`windows`]), writes once per connection ([`output`]), keeps house, and
//! frees connections that have ended ([`endings`]).
//!
//! Invariant: a connection belongs to one loop and has one place in its `slots`; the lists of a turn name places.
//! A connection that is killed keeps its place until the end of the turn.

mod accept;
mod endings;
mod handle;
mod input;
mod mail;
mod output;
mod waits;
mod windows;

pub use handle::{EventLoop, LoopHandle, Loops, make_loops};

use crate::connection::{Connection, Hold};
use crate::driver::{self, Driver, Event, Sent};
use crate::pool::Pool;
use crate::window::Window;
use base::Millis;
use engine::Node;
use engine::expiry::Expirer;
use engine::gates::LIMITED;
use engine::pipeline::Worker;
use engine::stats::{LONG_TURN_US, add};
use resp::request::Arguments;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use waits::Waits;

/// Milliseconds between two rounds of housekeeping.
const CRON_MS: u64 = 100;

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
            waits: Waits::default(),
            detaching: Vec::new(),
            dirty: Vec::new(),
            dead: Vec::new(),
            deaf: Vec::new(),
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
struct Running<'n> {
    shared: Arc<Node>,
    node: &'n Node,
    worker: Worker<'n>,
    driver: Box<dyn Driver>,
    home: EventLoop,
    expirer: Expirer,
    expiry_pending: bool,
    slots: Vec<Option<Box<Connection>>>,
    free: Vec<usize>,
    by_id: ahash::HashMap<u64, usize>,
    pool: Pool,
    /// Connections with input to be parsed in this turn.
    ready: Vec<usize>,
    waits: Waits,
    /// Connections that become replicas.
    detaching: Vec<usize>,
    /// Connections with output to be written in this turn.
    dirty: Vec<usize>,
    /// Connections to be freed at the end of the turn.
    dead: Vec<usize>,
    /// Listeners that could not accept for want of something; heard again after a while.
    deaf: Vec<usize>,
    window: Window,
    /// The connection whose command has just run, and where its reply begins.
    reply_at: Option<(usize, usize)>,
    arguments: Arguments,
    /// Monotonic time of the turn.
    now: Millis,
    cron_at: Millis,
    next_home: usize,
}

impl Running<'_> {
    fn start(&mut self) -> io::Result<()> {
        self.driver.watch_wake(self.home.handle().wake.as_fd())?;
        (0..self.home.listeners.len()).try_for_each(|at| self.listen(at))
    }

    fn run(&mut self) -> io::Result<()> {
        while !self.home.handle().stopping.load(Ordering::Acquire) {
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
        if !self.ready.is_empty() || self.expiry_pending {
            0
        } else if self.waits.any_parked() {
            // A shard is held for microseconds; whoever holds it may want this processor.
            std::thread::yield_now();
            0
        } else {
            let until =
                self.waits.wake_at().map_or(CRON_MS, |at| at.since(base::clock::monotonic()).0 + 1);
            until.min(self.cron_at.since(base::clock::monotonic()).0 + 1).min(CRON_MS)
        }
    }

    fn take_event(&mut self, event: Event) {
        match event {
            Event::Wake => {
                let handle = &self.home.handle();
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

    /// Where a connection of this loop is.
    fn slot_of(&self, id: u64) -> Option<usize> {
        self.by_id.get(&id).copied()
    }
}
