//! PSYNC replid offset and SYNC: the connection asks to be a replica, and leaves its loop.
//!
//! The words are kept in the session; the replication driver that adopts the connection answers.

use engine::context::Outcome;
use engine::error::CommandError;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// PSYNC.
pub const PSYNC: Command = Command {
    spec: CommandSpec {
        name: "psync",
        since: "2.8.0",
        group: Group::Server,
        summary: "Internal: asks for the stream from an offset, or for everything.",
        complexity: "O(1)",
        flags: &[Flag::Admin, Flag::NoScript, Flag::NoAsyncLoading, Flag::NoMulti],
        args: &[
            Arg::bytes("replicationid"),
            Arg::integer("offset"),
            Arg::word("failover", "FAILOVER").optional(),
        ],
        reply: &[ReplyShape::Status("CONTINUE or FULLRESYNC, then the stream.")],
        ..CommandSpec::EMPTY
    },
    run: sync,
    subcommands: &[],
};

/// SYNC.
pub const SYNC: Command = Command {
    spec: CommandSpec {
        name: "sync",
        since: "1.0.0",
        group: Group::Server,
        summary: "Internal: asks for everything, in the form from before PSYNC.",
        complexity: "O(1)",
        flags: &[Flag::Admin, Flag::NoScript, Flag::NoAsyncLoading, Flag::NoMulti],
        reply: &[ReplyShape::Bulk("A snapshot, then the stream.")],
        ..CommandSpec::EMPTY
    },
    run: sync,
    subcommands: &[],
};

fn sync(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if cx.node.replication.is_replica() && !cx.node.replication.is_link_up() {
        return Err(CommandError::text(
            "NOMASTERLINK Can't SYNC while not connected with my master",
        ));
    }
    let request = args.request();
    if request.len() > 2 && values::string::parse_i64(request.word(2)).is_none() {
        return Err(CommandError::NotInteger);
    }
    let replica = cx.session.replica.get_or_insert_default();
    replica.request = request.words().iter().map(|word| word.to_vec()).collect();
    *cx.outcome = Outcome::Detach;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::context::Outcome;
    use engine::replication::{Link, LinkState};

    #[test]
    fn the_connection_is_handed_over_with_its_words() {
        let mut server = Server::new();
        server.check("psync a b", "-ERR value is not an integer or out of range\r\n");
        let (reply, outcome) = server.run(&[b"PSYNC", b"?", b"-1"]);
        assert_eq!(reply, b"");
        assert!(matches!(outcome, Outcome::Detach));
        let request = &server.session.replica.as_ref().expect("a request").request;
        assert_eq!(request[..], [b"PSYNC".to_vec(), b"?".to_vec(), b"-1".to_vec()]);
    }

    #[test]
    fn a_replica_without_a_link_has_nothing_to_give() {
        let mut server = Server::new();
        server.check("replicaof 127.0.0.1 7000", "+OK\r\n");
        let refusal = "-NOMASTERLINK Can't SYNC while not connected with my master\r\n";
        server.check("psync ? -1", refusal);
        server.check("sync", refusal);
        let link = Link { state: LinkState::Connected, ..Link::default() };
        server.node().replication.publish_link(link);
        assert!(matches!(server.run(&[b"sync"]).1, Outcome::Detach));
    }

    #[test]
    fn not_inside_a_transaction() {
        let mut server = Server::new();
        server.check("multi", "+OK\r\n");
        server.check("sync", "-ERR Command not allowed inside a transaction\r\n");
    }
}
