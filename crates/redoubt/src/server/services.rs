//! What the engine asks of the program around it: role changes, replicas, the end.

use super::oom::OomScore;
use super::shutdown::Stops;
use crate::migrate::Migrator;
use crate::replication;
use crate::title::Title;
use conf::Settings;
use engine::Services;
use engine::migration::Migration;
use engine::node::{Refused, ShutdownRequest};
use engine::placement::Slices;
use engine::replication::Address;
use engine::session::ReplicaFacts;
use net::LoopHandle;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

/// What the main thread is told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Stop, for the stop of that number.
    Stop(u64, ShutdownRequest),
    /// A loop has ended by itself.
    LoopFailed(String),
}

/// The services of a server.
pub(crate) struct ServerServices {
    pub(crate) orders: Sender<Order>,
    pub(crate) replication: Arc<OnceLock<replication::Handle>>,
    pub(crate) stops: Arc<Stops>,
    pub(crate) listening: Arc<Settings>,
    pub(crate) migrator: Migrator,
    pub(crate) oom: OomScore,
    pub(crate) title: Arc<Title>,
    pub(crate) first_loop: Option<Arc<LoopHandle>>,
}

impl Services for ServerServices {
    fn follow(&self, primary: Option<Address>) {
        crate::logging::set_role(if primary.is_some() { b'S' } else { b'M' });
        self.oom.set_role(&self.listening, primary.is_some());
        if let Some(replication) = self.replication.get() {
            replication.follow(primary);
        }
    }

    fn hand_over(&self) {
        if let Some(replication) = self.replication.get() {
            replication.hand_over();
        }
    }

    fn adopt_replica(&self, client: u64, facts: ReplicaFacts, socket: OwnedFd, unread: Vec<u8>) {
        if let Some(replication) = self.replication.get() {
            replication.adopt_replica(client, facts, socket, unread);
        }
    }

    fn kill_link(&self, client: u64) {
        if let Some(replication) = self.replication.get() {
            replication.kill_link(client);
        }
    }

    fn migrate(&self, migration: Box<Migration>) -> Result<(), Box<Migration>> {
        self.migrator.begin(migration)
    }

    fn shut_down(&self, request: ShutdownRequest) {
        // The main thread is gone only when the process ends anyway.
        let _ = self.orders.send(Order::Stop(self.stops.ask(), request));
    }

    fn abort_shutdown(&self) -> bool {
        let calls_off = self.stops.call_off();
        if calls_off {
            tracing::warn!("Shutdown manually aborted.");
        }
        calls_off
    }

    fn take_slices(&self, slices: Slices) {
        net::take_slices(slices);
    }

    fn settings_changed(&self, names: &[&str]) -> Result<(), Refused> {
        let refused = |name, text: &str| Refused { name, text: text.to_owned() };
        let settings = &self.listening;
        if names.contains(&"dir") {
            super::enter_directory(settings)
                .map_err(|error| refused("dir", &base::reason(&error)))?;
        }
        if names.contains(&"maxclients") {
            let (wanted, most) = (settings.maxclients.count(), super::start::clients_max(settings));
            if most < wanted {
                let text = format!(
                    "The operating system is not able to handle the specified number of clients, \
                     try with {most}"
                );
                return Err(refused("maxclients", &text));
            }
        }
        if let Some(replication) = self.replication.get() {
            replication.settings_changed();
        }
        if names.iter().any(|name| name.starts_with("oom-score-adj"))
            && let Err(error) = self.oom.apply(settings)
        {
            tracing::warn!("Unable to write the OOM score: {error}");
            let text = "Failed to set current oom_score_adj. Check server logs.";
            return Err(refused("oom-score-adj", text));
        }
        if names.contains(&"jemalloc-bg-thread") {
            super::start::purge_in_background(settings);
        }
        let Some(first) = &self.first_loop else { return Ok(()) };
        if names.iter().any(|name| matches!(*name, "port" | "bind")) {
            first.listen_anew(settings).map_err(|error| {
                tracing::warn!("{error}");
                if names.contains(&"port") {
                    refused("port", "Unable to listen on this port. Check server logs.")
                } else {
                    refused("bind", "Failed to bind to specified addresses.")
                }
            })?;
        }
        if names.iter().any(|name| matches!(*name, "proc-title-template" | "port" | "bind")) {
            self.title.show(settings);
        }
        Ok(())
    }
}
