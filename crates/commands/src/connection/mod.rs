//! The connection itself: greeting, authentication, names, ends.

mod auth;
mod client;
mod hello;
mod ping;
mod quit;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &auth::AUTH,
    &client::CLIENT,
    &ping::ECHO,
    &hello::HELLO,
    &ping::PING,
    &quit::QUIT,
    &quit::RESET,
];
