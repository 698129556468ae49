//! Starting a server, serving, stopping it.

use super::data::Found;
use super::guard::{self, Verdict};
use super::oom::OomScore;
use super::services::{Order, ServerServices};
use super::shutdown::{self, Stops};
use super::{Ready, last_words, sentinel_mode, signals};
use crate::identity::Identity;
use crate::migrate::Migrator;
use crate::replication;
use crate::sentinel;
use base::Processors;
use conf::Settings;
use engine::Node;
use engine::placement::{Slices, place};
use engine::replication::Address;
use net::{LoopHandle, Loops};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

/// Loops that are run at most.
const LOOPS_MAX: usize = 128;

/// A server under way.
struct Running {
    node: Arc<Node>,
    orders: Receiver<Order>,
    loops: Vec<Arc<LoopHandle>>,
    threads: Vec<JoinHandle<()>>,
    replication: Arc<OnceLock<replication::Handle>>,
    stops: Arc<Stops>,
    sentinel: Option<sentinel::Handle>,
}

/// Runs a server until it is told to stop; gives the exit code.
pub(crate) fn run(ready: Ready) -> i32 {
    match start(&ready) {
        Ok(mut running) => {
            let code = serve(&mut running);
            end(running);
            drop(ready.pid_file);
            code
        }
        Err(text) => {
            last_words(&text);
            1
        }
    }
}

fn start(ready: &Ready) -> Result<Running, String> {
    let settings = &ready.settings;
    // Once to see that it can be had; a node that must stay away for a while is deaf meanwhile.
    drop(bind(settings)?);
    let dir = Path::new(".");
    let identity = Identity::load_or_create(dir)
        .map_err(|error| format!("cannot keep the node's id: {error}"))?;
    let sentinel = sentinel_mode::start_beside(ready)?;
    tracing::info!("Server initialized");
    // Whoever asks must know what there is; whoever does not looks while clients are told to wait.
    let beside = sentinel.as_ref().map(|handle| sentinel_mode::beside(settings, handle));
    let (looked, verdict) = match beside {
        Some(beside) => {
            let found = Found::look(settings, &ready.start)?;
            let verdict = guard::ask(settings, &beside, &found.head());
            (Some(found), verdict)
        }
        None => (None, Verdict::AsConfigured),
    };
    let bound = bind(settings)?;
    raise_file_limit(settings);
    purge_in_background(settings);
    let count = loop_count(settings, ready.loaded.says_io_threads);
    let Loops { loops, mailboxes, handles } =
        net::make_loops(count, bound).map_err(|error| format!("cannot make the loops: {error}"))?;
    let node = Arc::new(Node::new(
        Arc::clone(settings),
        ready.loaded.path.clone(),
        &commands::all(),
        &ready.loaded.renamed,
        count,
        Some(identity.node),
    ));
    node.loading.store(true, Ordering::Release);
    node.refresh();
    let (sender, orders) = channel();
    let running = Running {
        node: Arc::clone(&node),
        orders,
        loops: handles,
        threads: Vec::new(),
        replication: Arc::new(OnceLock::new()),
        stops: Arc::new(Stops::default()),
        sentinel,
    };
    node.set_mailboxes(mailboxes);
    node.set_services(Box::new(ServerServices {
        migrator: Migrator::new(&node),
        oom: oom_score(settings),
        title: Arc::clone(&ready.title),
        orders: sender.clone(),
        replication: Arc::clone(&running.replication),
        stops: Arc::clone(&running.stops),
        listening: Arc::clone(settings),
        first_loop: running.loops.first().cloned(),
    }));
    let mut running = running;
    signals::watch(&node, &running.stops, sender.clone())?;
    running.threads = run_loops(&node, loops, &sender)?;
    let primary = primary_to_follow(settings, &verdict);
    let found = looked.map_or_else(|| Found::look(settings, &ready.start), Ok)?;
    take_up(&running, found, identity, primary)?;
    tracing::info!("Ready to accept connections");
    Ok(running)
}

/// Loads the data, begins to keep it and to replicate it, and lets clients in.
fn take_up(
    running: &Running,
    found: Found,
    identity: Identity,
    primary: Option<Address>,
) -> Result<(), String> {
    let node = &running.node;
    let tail = found.load(node, primary.is_some())?;
    // The file first: nothing is in the log yet that it would not get.
    engine::append_only::start(node, tail)?;
    let handle = replication::start(Arc::clone(node), identity);
    let handle = handle.map_err(|error| format!("cannot start replication: {error}"))?;
    let _only_here = running.replication.set(handle);
    if primary.is_some() {
        let alone = node.keyspace.gate.exclusive();
        node.change_role(&alone, primary);
    }
    node.loading.store(false, Ordering::Release);
    node.refresh();
    Ok(())
}

/// The keeper of the process's OOM score, which is set here for the first time.
fn oom_score(settings: &Settings) -> OomScore {
    let oom = OomScore::default();
    if let Err(error) = oom.apply(settings) {
        tracing::warn!("Unable to write the OOM score: {error}");
    }
    oom
}

/// Descriptors that are kept for files, links and listeners beside the clients' sockets.
const DESCRIPTORS_BESIDE: u64 = 32;

/// Does as `jemalloc-bg-thread` says.
pub(super) fn purge_in_background(settings: &Settings) {
    if !engine::memory::purge_in_background(settings.jemalloc_bg_thread.get()) {
        tracing::warn!("The allocator cannot have threads of its own");
    }
}

/// Lets the process have a descriptor for each of `maxclients`; gives how many clients it can have.
pub(super) fn clients_max(settings: &Settings) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = settings.maxclients.count() + DESCRIPTORS_BESIDE;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return settings.maxclients.count();
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        .map(|()| wanted)
        .or_else(|_| {
            let most = limit.maximum.unwrap_or(wanted).min(wanted);
            setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: limit.maximum })
                .map(|()| most)
        })
        .unwrap_or_else(|_| limit.current.unwrap_or(wanted));
    if raised < wanted {
        return raised.saturating_sub(DESCRIPTORS_BESIDE).max(1);
    }
    settings.maxclients.count()
}

/// Lowers `maxclients` to what the process can have.
fn raise_file_limit(settings: &Settings) {
    let clients = clients_max(settings);
    if clients < settings.maxclients.count() {
        tracing::warn!(
            "maxclients has been reduced to {clients} to compensate for low ulimit. If you need \
             higher maxclients increase 'ulimit -n'."
        );
        settings.maxclients.set(i64::try_from(clients).unwrap_or(i64::MAX));
    }
}

fn loop_count(settings: &Settings, said: bool) -> usize {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let named = Processors::parse(&settings.server_cpulist.get()).map(|named| named.count());
    let cores = named.map_or(cores, |named| named.min(cores));
    let asked = usize::try_from(settings.io_threads.get()).unwrap_or(1);
    if said { asked.clamp(1, LOOPS_MAX) } else { cores.clamp(1, LOOPS_MAX) }
}

fn run_loops(
    node: &Arc<Node>,
    loops: Vec<net::EventLoop>,
    orders: &Sender<Order>,
) -> Result<Vec<JoinHandle<()>>, String> {
    let mut threads = Vec::new();
    for (index, event_loop) in loops.into_iter().enumerate() {
        let (node, orders) = (Arc::clone(node), orders.clone());
        let body = move || {
            net::take_slices(Slices::Short);
            place(&[&node.settings.server_cpulist]);
            if let Err(error) = event_loop.run(&node) {
                // The main thread is gone only when the process ends anyway.
                let _ = orders.send(Order::LoopFailed(error.to_string()));
            }
        };
        let thread = thread::Builder::new().name(format!("loop-{index}")).spawn(body);
        threads.push(thread.map_err(|error| format!("cannot start a loop: {error}"))?);
    }
    Ok(threads)
}

fn primary_to_follow(settings: &Settings, verdict: &Verdict) -> Option<Address> {
    match verdict {
        Verdict::Primary => None,
        Verdict::Follow(primary) => Some(primary.clone()),
        Verdict::AsConfigured => {
            let configured = settings.replicaof.get()?;
            Some(Address { host: configured.host.clone(), port: configured.port })
        }
    }
}

fn bind(settings: &Settings) -> Result<net::Binding, String> {
    net::bind_all(settings, &[]).map_err(|error| {
        format!("{error}\nFailed listening on port {} (tcp), aborting.", settings.port.get())
    })
}

/// Waits for the end; gives the exit code.
fn serve(running: &mut Running) -> i32 {
    while let Ok(order) = running.orders.recv() {
        match order {
            Order::LoopFailed(text) => {
                tracing::error!("a loop has failed: {text}");
                return 1;
            }
            Order::Stop(number, request) => {
                let is_called_off = || running.stops.is_called_off(number);
                if shutdown::prepare(&running.node, &request, &is_called_off) {
                    // Before the sockets close, so that our own end is no reason to call anybody down.
                    if let Some(sentinel) = running.sentinel.take() {
                        sentinel.stop();
                    }
                    tracing::warn!("Redoubt is now ready to exit, bye bye...");
                    return 0;
                }
                running.stops.end(number);
                shutdown::report_failure(&running.node, &request);
            }
        }
    }
    0
}

fn end(running: Running) {
    if let Err(error) = running.node.append_only.stop() {
        tracing::error!("Error writing the AOF file: {error}");
    }
    running.loops.iter().for_each(|handle| handle.stop());
    for thread in running.threads {
        // A loop that panicked has said so.
        let _ = thread.join();
    }
    if let Some(replication) = running.replication.get() {
        replication.stop();
    }
}
