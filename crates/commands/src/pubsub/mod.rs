//! Channels: subscribing, publishing, asking who subscribes.

mod inspect;
mod publish;
mod subscribe;

use engine::Command;

/// The group's commands.
pub const COMMANDS: &[&Command] = &[
    &subscribe::PSUBSCRIBE,
    &publish::PUBLISH,
    &publish::SPUBLISH,
    &inspect::PUBSUB,
    &subscribe::PUNSUBSCRIBE,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::SUNSUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::mailbox::{Message, Via};

    /// The events that the loop is to deliver, as `event key`.
    fn events(server: &Server) -> Vec<String> {
        let mail = server.node().mailboxes()[0].take();
        let pushes = mail.into_iter().filter_map(|message| match message {
            Message::Push(push) => Some(push),
            _ => None,
        });
        pushes
            .map(|push| {
                assert!(matches!(push.via, Via::Subscription(..)));
                let text = String::from_utf8_lossy(&push.resp2).into_owned();
                let words: Vec<&str> = text.lines().skip(2).step_by(2).collect();
                let event = words[2].strip_prefix("__keyevent@0__:").expect("an event");
                format!("{event} {}", words[3])
            })
            .collect()
    }

    #[test]
    fn keys_missed_and_made_have_events_before_the_commands_own() {
        let mut server = Server::new();
        server.node().settings.notify_keyspace_events.set(b"AEmn"[..].into());
        server.node().refresh();
        server.line("hello 3");
        server.line("psubscribe *");
        for (line, expected) in [
            ("get a", &["keymiss a"][..]),
            ("set a 1", &["new a", "set a"]),
            ("set a 2 get", &["set a"]),
            ("set b 2 get", &["keymiss b", "new b", "set b"]),
            ("mset a 1 c 2 d 3", &["set a", "new c", "set c", "new d", "set d"]),
            ("append e x", &["new e", "append e"]),
            ("del e nothing", &["del e"]),
            ("mget a x y", &["keymiss x", "keymiss y"]),
            ("rename a z", &["new z", "rename_from a", "rename_to z"]),
        ] {
            server.line(line);
            assert_eq!(events(&server), expected, "{line}");
        }
    }
}
