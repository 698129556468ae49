//! WAITAOF numlocal numreplicas timeout: waits until the connection's last write is durable in the
//! append-only files, the own and those of replicas.
//!
//! As WAIT, it answers when enough are, or when the time is over, and inside a transaction at once.
//! Replicas say how far their files are durable behind their acknowledgements (`FACK`); those before
//! Redis 7.2 do not, and never count.
//!
//! Source: Redis documentation, "WAITAOF".

use super::wait::wait_for;
use engine::copies::{Copies, NO_FILE};
use engine::error::CommandError;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// WAITAOF.
pub const WAITAOF: Command = Command {
    spec: CommandSpec {
        name: "waitaof",
        since: "7.2.0",
        group: Group::Generic,
        summary: "Waits until the connection's writes are durable in append-only files.",
        complexity: "O(1)",
        flags: &[Flag::NoScript],
        categories: &[Category::Connection],
        ungrouped: true,
        args: &[Arg::integer("numlocal"), Arg::integer("numreplicas"), Arg::integer("timeout")],
        reply: &[ReplyShape::Array(
            "Whether the own file is durable so far, 0 or 1, and at how many replicas one is.",
        )],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..CommandSpec::EMPTY
    },
    run: waitaof,
    subcommands: &[],
};

fn waitaof(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let local = match args.integer()? {
        0 => false,
        1 => true,
        _ => {
            let text = "ERR value is out of range, value must between 0 and 1";
            return Err(CommandError::text(text));
        }
    };
    let replicas = usize::try_from(args.integer()?)
        .map_err(|_| CommandError::text("ERR value is out of range, must be positive"))?;
    let timeout = args.bytes()?;
    wait_for(cx, Copies::Durable { local, replicas }, timeout, |cx| {
        if cx.node.replication.is_replica() {
            return Err(CommandError::text(
                "ERR WAITAOF cannot be used with replica instances. Please also note that writes to \
                 replicas are just local and are not propagated.",
            ));
        }
        if local && !cx.node.settings.appendonly.get() {
            return Err(CommandError::text(NO_FILE));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use base::Offset;
    use engine::context::Outcome;
    use engine::copies::Copies;
    use engine::session::Blocked;

    #[test]
    fn answers_at_once_or_waits() {
        let mut server = Server::new();
        server.check("waitaof 0 0 0", "*2\r\n:0\r\n:0\r\n");
        server.check("append k v", ":1\r\n");
        let end = server.node().log.end();
        assert!(matches!(server.run(&[b"waitaof", b"0", b"1", b"0"]).1, Outcome::Blocked));
        let blocked = server.session.blocked.take();
        let wanted = Copies::Durable { local: false, replicas: 1 };
        let Some(Blocked::Replicas { copies, offset, deadline: None }) = blocked else {
            panic!("{blocked:?}")
        };
        assert_eq!((copies, offset), (wanted, end));
        let replication = &server.node().replication;
        // One holds it and has told nothing of a file, another's file lacks it.
        replication.publish_replicas(vec![], vec![end, end], vec![Offset(0)], 2);
        assert!(!wanted.are_there(server.node(), end));
        server.check("wait 2 0", ":2\r\n");
        replication.publish_replicas(vec![], vec![end, end], vec![end], 2);
        assert!(wanted.are_there(server.node(), end));
        server.check("waitaof 0 1 0", "*2\r\n:0\r\n:1\r\n");
        server.check("multi", "+OK\r\n");
        server.check("waitaof 0 2 0", "+QUEUED\r\n");
        server.check("exec", "*1\r\n*2\r\n:0\r\n:1\r\n");
        assert!(server.session.blocked.is_none());
    }

    #[test]
    fn the_own_file_counts_when_it_is_durable() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut server = Server::new();
        let node = server.node();
        node.settings.dir.set(dir.path().to_string_lossy().as_bytes().into());
        node.settings.appendfsync.set(conf::AppendFsync::No);
        node.settings.appendonly.set(true);
        engine::append_only::start(node, None).expect("a file");
        server.check("append k v", ":1\r\n");
        let end = node.log.end();
        assert!(!node.append_only.is_durable(end));
        assert!(matches!(server.run(&[b"waitaof", b"1", b"0", b"0"]).1, Outcome::Blocked));
        server.session.blocked = None;
        node.append_only.flush().expect("durable");
        server.check("waitaof 1 0 0", "*2\r\n:1\r\n:0\r\n");
        // Another history: nothing of it is in the file yet, whatever the offsets.
        node.log.reset(Offset(1));
        node.append_only.history_replaced(node);
        assert!(!node.append_only.is_durable(Offset(1)));
        node.append_only.stop().expect("closed");
    }

    #[test]
    fn refuses_as_documented() {
        let mut server = Server::new();
        let range = "-ERR value is out of range, value must between 0 and 1\r\n";
        let timeout = "-ERR timeout is not an integer or out of range\r\n";
        let no_file =
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n";
        for (line, expected) in [
            ("waitaof 2 0 0", range),
            ("waitaof -1 0 0", range),
            ("waitaof x 0 0", "-ERR value is not an integer or out of range\r\n"),
            ("waitaof 0 -1 0", "-ERR value is out of range, must be positive\r\n"),
            ("waitaof 0 0 x", timeout),
            ("waitaof 0 0 -1", "-ERR timeout is negative\r\n"),
            ("waitaof 0 0", "-ERR wrong number of arguments for 'waitaof' command\r\n"),
            ("waitaof 1 0 0", no_file),
        ] {
            server.check(line, expected);
        }
        server.check("replicaof 127.0.0.1 7000", "+OK\r\n");
        let refusal = "-ERR WAITAOF cannot be used with replica instances.";
        assert!(server.line("waitaof 0 0 0").starts_with(refusal));
    }
}
