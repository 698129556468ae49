//! REPLICAOF host port | NO ONE, and SLAVEOF, its older name: changes the node's role.
//!
//! The role changes with the whole keyspace alone, so that no command runs half under the old role;
//! inside MULTI too, where sentinels send it.

use engine::error::CommandError;
use engine::replication::Address;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

const ARGS: &[Arg] = &[Arg::one_of(
    "args",
    &[
        Arg::block("host-port", &[Arg::bytes("host"), Arg::integer("port")]),
        Arg::block("no-one", &[Arg::word("no", "NO"), Arg::word("one", "ONE")]),
    ],
)];

const ROW: CommandSpec = CommandSpec {
    name: "replicaof",
    since: "5.0.0",
    group: Group::Server,
    summary: "Makes the server a replica of another, or a primary.",
    complexity: "O(1)",
    flags: &[Flag::Admin, Flag::NoScript, Flag::Stale, Flag::NoAsyncLoading, Flag::WholeKeyspace],
    args: ARGS,
    reply: &[ReplyShape::Status("OK")],
    ..CommandSpec::EMPTY
};

/// REPLICAOF.
pub const REPLICAOF: Command = Command { spec: ROW, run: replicaof, subcommands: &[] };

/// SLAVEOF.
pub const SLAVEOF: Command = Command {
    spec: CommandSpec {
        name: "slaveof",
        since: "1.0.0",
        summary: "Makes the server a replica of another, or a primary.",
        deprecated: Some(("5.0.0", "`REPLICAOF`")),
        ..ROW
    },
    run: replicaof,
    subcommands: &[],
};

fn replicaof(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (host, port) = (args.bytes()?, args.bytes()?);
    let primary = if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        None
    } else {
        let port = values::string::parse_i64(port).and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| CommandError::text("ERR Invalid master port"))?;
        Some(Address { host: String::from_utf8_lossy(host).into_owned(), port })
    };
    let present = cx.node.replication.state().primary.clone();
    if present == primary {
        if present.is_some() {
            cx.reply.simple("OK Already connected to specified master");
        } else {
            cx.reply.ok();
        }
        return Ok(());
    }
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    cx.keys.release();
    if let Some(Address { host, port }) = &primary {
        tracing::info!("REPLICAOF {host}:{port} enabled");
    } else {
        tracing::info!("MASTER MODE enabled");
    }
    cx.effects.carry_out(cx.node);
    cx.node.change_role(alone, primary);
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn changes_the_role_and_says_what_stock_says() {
        let mut server = Server::new();
        server.check("replicaof no one", "+OK\r\n");
        for port in ["b", "70000", "-1", "017911", ""] {
            let line = format!("replicaof a \"{port}\"");
            server.check(&line, "-ERR Invalid master port\r\n");
        }
        server.check("slaveof no two", "-ERR Invalid master port\r\n");
        server.check("replicaof a", "-ERR wrong number of arguments for 'replicaof' command\r\n");
        let replid = server.node().replication.state().history.replid;
        server.check("replicaof 127.0.0.1 6380", "+OK\r\n");
        assert!(server.node().replication.is_replica());
        let same = "+OK Already connected to specified master\r\n";
        server.check("slaveof 127.0.0.1 6380", same);
        server.check("append k v", "-READONLY You can't write against a read only replica.\r\n");
        server.check("replicaof NO ONE", "+OK\r\n");
        assert!(!server.node().replication.is_replica());
        let history = server.node().replication.state().history;
        assert_ne!(history.replid, replid, "a promotion begins a new history");
        assert_eq!(history.replid2, replid);
        server.check("append k v", ":1\r\n");
    }

    #[test]
    fn what_a_transaction_wrote_before_it_joins_the_old_history() {
        let mut server = Server::new();
        let before = server.node().log.end();
        server.check("multi", "+OK\r\n");
        server.check("append k v", "+QUEUED\r\n");
        server.check("slaveof 127.0.0.1 6380", "+QUEUED\r\n");
        server.check("exec", "*2\r\n:1\r\n+OK\r\n");
        assert!(server.node().log.end() > before);
    }

    #[test]
    fn sentinels_send_it_in_a_transaction() {
        let mut server = Server::new();
        server.check("multi", "+OK\r\n");
        server.check("slaveof 127.0.0.1 6380", "+QUEUED\r\n");
        server.check("exec", "*1\r\n+OK\r\n");
        assert!(server.node().replication.is_replica());
        server.check("multi", "+OK\r\n");
        server.check("slaveof no one", "+QUEUED\r\n");
        server.check("role", "+QUEUED\r\n");
        server.check("exec", "*2\r\n+OK\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    }
}
