//! WAIT numreplicas timeout: waits until replicas have acknowledged the connection's last write.
//!
//! The reply comes when enough have, or when the time is over; the loop gives it then. Inside a
//! transaction nothing waits.

use base::Millis;
use engine::context::Outcome;
use engine::copies::Copies;
use engine::error::CommandError;
use engine::session::Blocked;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, Category, CommandSpec, Flag, Group, ReplyShape};

/// WAIT.
pub const WAIT: Command = Command {
    spec: CommandSpec {
        name: "wait",
        since: "3.0.0",
        group: Group::Generic,
        summary: "Waits until replicas have acknowledged the connection's writes.",
        complexity: "O(1)",
        flags: &[Flag::NoScript],
        categories: &[Category::Connection],
        ungrouped: true,
        args: &[Arg::integer("numreplicas"), Arg::integer("timeout")],
        reply: &[ReplyShape::Integer("How many replicas have acknowledged.")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..CommandSpec::EMPTY
    },
    run: wait,
    subcommands: &[],
};

fn wait(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if cx.node.replication.is_replica() {
        return Err(CommandError::text(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 \
             if a replica is configured to be writable (which is not the default) writes to \
             replicas are just local and are not propagated.",
        ));
    }
    let wanted = usize::try_from(args.integer()?).unwrap_or(0);
    let timeout = args.bytes()?;
    wait_for(cx, Copies::Held(wanted), timeout, |_| Ok(()))
}

/// Answers how many copies there are of the connection's last write, or has it wait for them. `may` is
/// asked once all arguments are known to be sound.
pub(super) fn wait_for(
    cx: &mut Context<'_>,
    copies: Copies,
    timeout: &[u8],
    may: impl FnOnce(&Context<'_>) -> CommandResult,
) -> CommandResult {
    let timeout = values::string::parse_i64(timeout)
        .ok_or_else(|| CommandError::text("ERR timeout is not an integer or out of range"))?;
    let timeout =
        u64::try_from(timeout).map_err(|_| CommandError::text("ERR timeout is negative"))?;
    if timeout > i64::MAX.unsigned_abs().saturating_sub(cx.now.0) {
        return Err(CommandError::text("ERR timeout is out of range"));
    }
    may(cx)?;
    let offset = cx.session.last_write;
    if cx.session.executing || copies.are_there(cx.node, offset) {
        copies.reply(cx.node, offset, &mut cx.reply);
        return Ok(());
    }
    let deadline = (timeout > 0).then(|| base::clock::monotonic() + Millis(timeout));
    cx.session.blocked = Some(Blocked::Replicas { copies, offset, deadline });
    *cx.outcome = Outcome::Blocked;
    Ok(())
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
        server.check("wait 0 0", ":0\r\n");
        server.check("wait -1 0", ":0\r\n");
        server.check("wait 1 9223372036854775807", "-ERR timeout is out of range\r\n");
        server.check("append k v", ":1\r\n");
        let end = server.node().log.end();
        let (reply, outcome) = server.run(&[b"wait", b"1", b"0"]);
        assert!(reply.is_empty() && matches!(outcome, Outcome::Blocked));
        let blocked = server.session.blocked.take();
        let Some(Blocked::Replicas { copies: Copies::Held(1), offset, deadline: None }) = blocked
        else {
            panic!("{blocked:?}")
        };
        assert_eq!(offset, end);
        server.node().replication.publish_replicas(vec![], vec![end, Offset(0)], vec![], 2);
        server.check("wait 1 100", ":1\r\n");
        assert!(matches!(server.run(&[b"wait", b"2", b"100"]).1, Outcome::Blocked));
        let Some(Blocked::Replicas { deadline: Some(_), .. }) = server.session.blocked.take()
        else {
            panic!("a deadline")
        };
        server.check("multi", "+OK\r\n");
        server.check("wait 2 0", "+QUEUED\r\n");
        server.check("exec", "*1\r\n:1\r\n");
        assert!(server.session.blocked.is_none());
    }

    #[test]
    fn refuses_as_stock_does() {
        let mut server = Server::new();
        let timeout = "-ERR timeout is not an integer or out of range\r\n";
        let rows = [
            ("wait x 1", "-ERR value is not an integer or out of range\r\n"),
            ("wait 1 x", timeout),
            ("wait 1 -1", "-ERR timeout is negative\r\n"),
            ("wait 1 9999999999999999999", timeout),
            ("wait 0", "-ERR wrong number of arguments for 'wait' command\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        server.check("replicaof 127.0.0.1 7000", "+OK\r\n");
        assert!(server.line("wait 0 0").starts_with("-ERR WAIT cannot be used with replica inst"));
    }
}
