//! Sentinel as a state machine without I/O, compatible with stock sentinels, servers and clients.
//!
//! [`Sentinel`] takes events with their time and gives back actions to perform in order; a driver
//! owns sockets, clock and disk, and the simulator runs the same machine by the thousand. How the
//! protocol works, what is stricter than stock, and why, is in this crate's `README.md`.

mod action;
mod address;
mod choose;
mod command;
mod config;
mod down;
mod failover;
mod group;
mod guard;
mod hello;
mod info;
mod instance;
mod links;
mod machine;
mod observe;
mod peers;
mod settings;
mod switch;
mod vote;

pub use action::{Action, ClientId, Event, Level, Line, LinkId, Reply};
pub use address::{Address, parse_host, parse_port};
pub use command::{ServerFacts, handles};
pub use config::{Config, ConfigError, GroupConfig};
pub use hello::{HELLO_CHANNEL, Hello};
pub use machine::{Options, Sentinel};
pub use settings::{GroupSettings, Periods, Settings};

#[cfg(test)]
mod tests;
