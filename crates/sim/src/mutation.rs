//! Rules broken on purpose, to see that the checks notice.
//!
//! The machines are not changed: the driver between them and the world lies. It alters votes on
//! their way out, replies and hellos on their way in, or what reaches the disk, so that the machine
//! acts as one without the rule would.

use crate::setup::{GROUP, host_of};
use base::RunId;
use sentinel::{HELLO_CHANNEL, Hello, Line, Reply, Sentinel};

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A sentinel adopts a configuration whatever its epoch.
    NoEpochCheck,
    /// A sentinel votes for everybody who asks.
    VoteTwice,
    /// A vote is not on disk before it is told, only the next configuration is.
    VoteNotDurable,
    /// A sentinel believes that the others agree and vote for it.
    PromoteWithoutQuorum,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Mutation; 4] = [
        Mutation::NoEpochCheck,
        Mutation::VoteTwice,
        Mutation::VoteNotDurable,
        Mutation::PromoteWithoutQuorum,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mutation::NoEpochCheck => "no-epoch-check",
            Mutation::VoteTwice => "vote-twice",
            Mutation::VoteNotDurable => "vote-not-durable",
            Mutation::PromoteWithoutQuorum => "promote-without-quorum",
        }
    }

    /// The mutation of that name.
    pub fn parse(name: &str) -> Option<Mutation> {
        Mutation::ALL.into_iter().find(|mutation| mutation.name() == name)
    }
}

/// What is on disk if votes are not: the epochs of the last configuration.
pub(crate) fn without_vote(disk: &[Line], lines: Vec<Line>) -> Vec<Line> {
    let find = |lines: &[Line], name: &[u8]| {
        lines.iter().find(|line| line.get(1).is_some_and(|word| word == name)).cloned()
    };
    if find(disk, b"config-epoch") != find(&lines, b"config-epoch") {
        return lines;
    }
    let old = |line: Line| match line.get(1).map(Vec::as_slice) {
        Some(name @ (b"current-epoch" | b"leader-epoch")) => find(disk, name).unwrap_or(line),
        _ => line,
    };
    lines.into_iter().map(old).collect()
}

/// An answer to `is-master-down-by-addr` that agrees and votes for the one who asked.
pub(crate) fn forged_vote(reply: Reply, own: (RunId, Option<u64>)) -> Reply {
    let Reply::Array(items) = &reply else { return reply };
    let [Reply::Integer(_), _, Reply::Integer(_)] = items.as_slice() else { return reply };
    let (leader, epoch) = match own {
        (id, Some(epoch)) => (Reply::bulk(id.as_str()), epoch),
        (_, None) => (Reply::bulk("*"), 0),
    };
    let epoch = i64::try_from(epoch).unwrap_or(i64::MAX);
    Reply::Array(vec![Reply::Integer(1), leader, Reply::Integer(epoch)])
}

/// A message of the hello channel, its hello made newer than what the sentinel knows.
pub(crate) fn ageless_message(reply: Reply, sentinel: &Sentinel) -> Reply {
    match reply {
        Reply::Array(mut items) => {
            if let [kind, _, payload] = items.as_mut_slice()
                && kind.as_bytes() == Some(b"message")
                && let Some(text) = payload.as_bytes().and_then(|text| ageless(text, sentinel))
            {
                *payload = Reply::bulk(text);
            }
            Reply::Array(items)
        }
        other => other,
    }
}

/// A PUBLISH to a sentinel, its hello made newer than what the sentinel knows.
pub(crate) fn ageless_command(command: Vec<Vec<u8>>, sentinel: &Sentinel) -> Vec<Vec<u8>> {
    let mut command = command;
    if let [_, channel, text] = command.as_mut_slice()
        && channel == HELLO_CHANNEL.as_bytes()
        && let Some(newer) = ageless(text, sentinel)
    {
        *text = newer.into_bytes();
    }
    command
}

fn ageless(text: &[u8], sentinel: &Sentinel) -> Option<String> {
    let (known, epoch) = sentinel.primary_of(GROUP)?;
    let mut hello = Hello::parse(text, false)?;
    if host_of(&hello.primary.host) == host_of(&known.host) || hello.config_epoch > epoch {
        return None;
    }
    hello.config_epoch = epoch + 1;
    Some(hello.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for mutation in Mutation::ALL {
            assert_eq!(Mutation::parse(mutation.name()), Some(mutation));
        }
        assert_eq!(Mutation::parse("vote-thrice"), None);
    }

    #[test]
    fn a_vote_that_is_not_durable_comes_to_disk_with_the_next_configuration() {
        let lines = |config: &str, leader: &str| -> Vec<Line> {
            let text = format!(
                "sentinel config-epoch g {config}\nsentinel leader-epoch g {leader}\n\
                 sentinel current-epoch {leader}"
            );
            let words = |line: &str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            text.lines().map(words).collect()
        };
        let disk = lines("1", "1");
        assert_eq!(without_vote(&disk, lines("1", "2")), disk);
        assert_eq!(without_vote(&disk, lines("2", "2")), lines("2", "2"));
        assert_eq!(without_vote(&[], lines("1", "2")), lines("1", "2"));
    }

    #[test]
    fn forged_votes_replace_answers_and_nothing_else() {
        let own = (RunId::zero(), Some(3));
        let answer = |down, leader: Reply, epoch| {
            Reply::Array(vec![Reply::Integer(down), leader, Reply::Integer(epoch)])
        };
        let forged = forged_vote(answer(0, Reply::bulk("*"), 0), own);
        assert_eq!(forged, answer(1, Reply::bulk(RunId::zero().as_str()), 3));
        assert_eq!(forged_vote(Reply::ok(), own), Reply::ok());
    }
}
