//! Administration: settings, statistics, saving, stopping, and what commands there are.

mod command;
mod commandlog;
mod config;
mod debug;
mod hotkeys;
mod info;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod save;
mod shutdown;
mod slowlog;
mod time;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &save::BGREWRITEAOF,
    &save::BGSAVE,
    &command::COMMAND,
    &commandlog::COMMANDLOG,
    &config::CONFIG,
    &debug::DEBUG,
    &hotkeys::HOTKEYS,
    &info::INFO,
    &save::LASTSAVE,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &module::MODULE,
    &monitor::MONITOR,
    &save::SAVE,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &time::TIME,
];
