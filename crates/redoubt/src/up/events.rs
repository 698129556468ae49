//! From one look at the group to the next: what has happened, in words.

use super::Options;
use super::observe::NodeView;
use base::Millis;

/// What is known of the group over time.
#[derive(Debug, Default)]
pub(crate) struct Story {
    before: Vec<NodeView>,
    /// The index of the primary that serves.
    pub(crate) primary: Option<u16>,
    /// The last primary, and since when it is gone.
    lost: Option<(u16, Millis)>,
    /// The last failover: from, to, how long nobody served.
    pub(crate) last_failover: Option<(u16, u16, Millis)>,
    was_ready: bool,
}

impl Story {
    /// The event of node `index` having ended at `now`.
    pub(crate) fn node_ended(&mut self, now: Millis, index: u16) {
        if self.primary == Some(index) {
            self.lost = Some((index, now));
            self.primary = None;
        }
    }

    /// Compares `views` with those before; gives what to say.
    pub(crate) fn update(
        &mut self,
        options: &Options,
        now: Millis,
        views: &[NodeView],
    ) -> Vec<String> {
        let mut lines = Vec::new();
        self.tell_nodes(views, &mut lines);
        let serving = believed_primary(options, views);
        if let Some(index) = serving {
            match (self.primary, self.lost) {
                (Some(old), _) if old != index => {
                    self.last_failover = Some((old, index, Millis(0)));
                    lines.push(format!(
                        "failover: the primary was node-{old} and is now node-{index} ({})",
                        address(options, index)
                    ));
                }
                (None, Some((old, since))) if old != index => {
                    let took = now.since(since);
                    self.last_failover = Some((old, index, took));
                    lines.push(format!(
                        "failover: node-{index} ({}) is the primary, {}.{:03} s after node-{old} was lost",
                        address(options, index),
                        took.0 / 1000,
                        took.0 % 1000
                    ));
                }
                (None, Some((old, _))) => lines.push(format!("node-{old} is the primary again")),
                _ => {}
            }
            self.primary = Some(index);
            self.lost = None;
        } else if let Some(old) = self.primary.take() {
            self.lost.get_or_insert((old, now));
        }
        self.before = views.to_vec();
        lines
    }

    fn tell_nodes(&self, views: &[NodeView], lines: &mut Vec<String>) {
        let none = NodeView::default();
        for (index, view) in views.iter().enumerate() {
            let old = self.before.get(index).unwrap_or(&none);
            if view.serves && !old.serves {
                lines.push(format!("node-{index} serves as {}", role(view)));
            } else if !view.serves && old.serves {
                lines.push(format!("node-{index} does not answer"));
            } else if view.serves && view.role != old.role {
                lines.push(format!("node-{index} is now {}", role(view)));
            }
            if view.role == "slave" && old.role == "slave" && view.link != old.link {
                lines.push(format!("node-{index} link to its primary is {}", view.link));
            }
            if view.flags != old.flags && !view.flags.is_empty() && !old.flags.is_empty() {
                lines.push(format!("sentinel {index} sees the primary as {}", view.flags));
            }
        }
    }

    /// Whether the group has become whole with this look; true once.
    pub(crate) fn becomes_ready(&mut self, options: &Options, views: &[NodeView]) -> bool {
        let others = u64::from(options.nodes) - 1;
        let whole = believed_primary(options, views).is_some_and(|primary| {
            views.iter().enumerate().all(|(index, view)| {
                let linked = index == usize::from(primary) || view.link == "up";
                let seen = view.other_sentinels == others && view.known_replicas >= others;
                view.serves && linked && seen
            })
        });
        let first = whole && !self.was_ready;
        self.was_ready |= whole;
        first
    }
}

/// The node that calls itself primary and that most sentinels point to.
fn believed_primary(options: &Options, views: &[NodeView]) -> Option<u16> {
    (0..options.nodes).find(|&index| {
        let port = options.port + index;
        let votes = views
            .iter()
            .filter(|view| view.primary.as_ref().is_some_and(|(_, other)| *other == port))
            .count();
        let view = views.get(usize::from(index));
        view.is_some_and(|view| view.serves && view.role == "master")
            && votes >= usize::from(options.quorum())
    })
}

/// A node's role in our words.
pub(crate) fn role(view: &NodeView) -> &'static str {
    match view.role.as_str() {
        "master" => "primary",
        "slave" => "replica",
        _ => "-",
    }
}

/// The address of a node.
pub(crate) fn address(options: &Options, index: u16) -> String {
    let (host, port) = options.server(index);
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn view(role: &str, primary: u16) -> NodeView {
        NodeView {
            serves: !role.is_empty(),
            role: role.into(),
            link: if role == "slave" { "up".into() } else { String::new() },
            primary: Some(("127.0.0.1".into(), primary)),
            other_sentinels: 2,
            known_replicas: 2,
            flags: "master".into(),
            ..NodeView::default()
        }
    }

    #[test]
    fn a_failover_is_told_with_its_length() {
        let options = Options::parse_from(["redoubt up", "--port", "7000"]);
        let mut story = Story::default();
        let whole = [view("master", 7000), view("slave", 7000), view("slave", 7000)];
        story.update(&options, Millis(0), &whole);
        assert!(story.becomes_ready(&options, &whole) && !story.becomes_ready(&options, &whole));
        story.node_ended(Millis(1000), 0);
        let torn = [NodeView::default(), view("slave", 7000), view("slave", 7000)];
        story.update(&options, Millis(1100), &torn);
        let healed = [NodeView::default(), view("slave", 7002), view("master", 7002)];
        let lines = story.update(&options, Millis(2750), &healed);
        let told =
            "failover: node-2 (127.0.0.1:7002) is the primary, 1.750 s after node-0 was lost";
        assert!(lines.iter().any(|line| line == told), "{lines:?}");
        assert_eq!(story.last_failover, Some((0, 2, Millis(1750))));
    }

    #[test]
    fn a_lonely_believer_is_no_primary() {
        let options = Options::parse_from(["redoubt up", "--port", "7000"]);
        let views = [view("master", 7000), view("slave", 7001), view("slave", 7001)];
        assert_eq!(believed_primary(&options, &views), None);
    }
}
