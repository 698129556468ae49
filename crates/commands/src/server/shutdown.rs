//! SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: stops the server. Answers only if that fails.

use engine::context::Outcome;
use engine::node::ShutdownRequest;
use engine::session::Blocked;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// SHUTDOWN.
pub const SHUTDOWN: Command = Command {
    spec: CommandSpec {
        name: "shutdown",
        since: "1.0.0",
        group: Group::Server,
        summary: "Saves if there are save rules, then stops the server.",
        complexity: "O(N) in the keys when it saves, else O(1).",
        flags: &[
            Flag::Admin,
            Flag::NoScript,
            Flag::Loading,
            Flag::Stale,
            Flag::NoMulti,
            Flag::AllowBusy,
        ],
        args: &[
            Arg::one_of("nosave_save", &[Arg::word("nosave", "NOSAVE"), Arg::word("save", "SAVE")])
                .optional(),
            Arg::word("now", "NOW").optional(),
            Arg::word("force", "FORCE").optional(),
            Arg::word("abort", "ABORT").optional(),
        ],
        reply: &[ReplyShape::Status("OK, to ABORT only.")],
        history: &[("7.0.0", "Takes NOW, FORCE and ABORT.")],
        ..CommandSpec::EMPTY
    },
    run: shutdown,
    subcommands: &[],
};

fn shutdown(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let mut request = ShutdownRequest::default();
    let (mut abort, mut options) = (false, 0);
    while let Some(option) = args.next() {
        options += 1;
        match option.to_ascii_lowercase().as_slice() {
            b"nosave" if request.save != Some(true) => request.save = Some(false),
            b"save" if request.save != Some(false) => request.save = Some(true),
            b"now" => request.now = true,
            b"force" => request.force = true,
            b"abort" => abort = true,
            _ => return Err(CommandError::Syntax),
        }
    }
    if abort && options > 1 {
        return Err(CommandError::Syntax);
    }
    let services = cx.node.services();
    if abort {
        if services.is_some_and(engine::Services::abort_shutdown) {
            cx.reply.ok();
            return Ok(());
        }
        return Err(CommandError::text("ERR No shutdown in progress."));
    }
    let Some(services) = services else {
        return Err(CommandError::text("ERR Errors trying to SHUTDOWN. Check logs."));
    };
    request.asked_by = Some((cx.session.info.id, cx.session.info.loop_index));
    cx.session.blocked = Some(Blocked::Shutdown);
    *cx.outcome = Outcome::Blocked;
    services.shut_down(request);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn refuses_as_stock_does() {
        let mut server = Server::new();
        let rows = [
            ("shutdown foo", "-ERR syntax error\r\n"),
            ("shutdown abort", "-ERR No shutdown in progress.\r\n"),
            ("shutdown save nosave", "-ERR syntax error\r\n"),
            ("shutdown abort now", "-ERR syntax error\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }
}
