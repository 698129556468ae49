//! Channels: subscribing, publishing, asking who subscribes.

mod inspect;
mod publish;
mod subscribe;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &inspect::PUBSUB,
    &subscribe::PUNSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];
