//! QUIT and RESET: the connection ends, or becomes as new.

use engine::context::Outcome;
use engine::session::ReplyMode;
use engine::{Args, Command, CommandResult, Context, transaction};
use resp::reply::Protocol;
use spec::{CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;

const FLAGS: &[Flag] =
    &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast, Flag::NoAuth, Flag::AllowBusy];

/// QUIT.
pub const QUIT: Command = Command {
    spec: CommandSpec {
        name: "quit",
        since: "1.0.0",
        group: Group::Connection,
        summary: "Closes the connection once everything is answered.",
        flags: FLAGS,
        args: &[spec::Arg::bytes("ignored").optional().multiple()],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: quit,
    subcommands: &[],
};

/// RESET.
pub const RESET: Command = Command {
    spec: CommandSpec {
        name: "reset",
        since: "6.2.0",
        group: Group::Connection,
        summary: "Makes the connection as if it were new.",
        complexity: "O(N) in the keys watched and the channels subscribed to.",
        flags: FLAGS,
        reply: &[ReplyShape::Status("RESET")],
        ..CommandSpec::EMPTY
    },
    run: reset,
    subcommands: &[],
};

fn quit(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    *cx.outcome = Outcome::Close;
    cx.reply.ok();
    Ok(())
}

fn reset(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let session = &mut *cx.session;
    let _forgotten = transaction::take_queue(session);
    transaction::unwatch(cx.node, session);
    cx.node.pubsub.forget(session);
    cx.node.monitors.remove(session);
    cx.node.tracking.end(cx.node, session);
    session.db = 0;
    session.protocol = Protocol::Resp2;
    session.authenticated = cx.node.settings.requirepass.is_empty();
    session.reply_mode = ReplyMode::On;
    session.no_touch = false;
    let info = &session.info;
    info.db.store(0, Ordering::Relaxed);
    info.resp3.store(false, Ordering::Relaxed);
    info.no_touch.store(false, Ordering::Relaxed);
    info.no_evict.store(false, Ordering::Relaxed);
    info.names.lock().name.clear();
    cx.reply.set_protocol(Protocol::Resp2);
    cx.reply.simple("RESET");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::context::Outcome;

    #[test]
    fn quit_answers_and_closes() {
        let mut server = Server::new();
        let (reply, outcome) = server.run(&[b"QUIT"]);
        assert_eq!(reply, b"+OK\r\n");
        assert!(matches!(outcome, Outcome::Close));
    }

    #[test]
    fn reset_forgets_everything() {
        let mut server = Server::new();
        server.check("watch k", "+OK\r\n");
        server.line("hello 3 setname me");
        server.line("subscribe a");
        server.check("multi", "+OK\r\n");
        server.check("append k v", "+QUEUED\r\n");
        server.check("reset", "+RESET\r\n");
        server.check("get k", "$-1\r\n");
        server.check("client getname", "$-1\r\n");
        server.check("exec", "-ERR EXEC without MULTI\r\n");
        assert!(server.session.subscriptions.is_empty() && server.session.watched.is_none());
        server.node().settings.requirepass.set(b"pw"[..].into());
        server.check("reset", "+RESET\r\n");
        server.check("get k", "-NOAUTH Authentication required.\r\n");
    }
}
