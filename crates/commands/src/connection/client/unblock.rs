//! CLIENT UNBLOCK id [TIMEOUT | ERROR]: ends the wait of another connection.

use super::OTHERS;
use engine::mailbox::{Answer, Message};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// CLIENT UNBLOCK.
pub(super) const UNBLOCK: Command = Command {
    spec: CommandSpec {
        name: "unblock",
        since: "5.0.0",
        group: Group::Connection,
        summary: "Ends the wait of a connection that is blocked, as a timeout or with an error.",
        complexity: "O(log N) in the connections.",
        flags: OTHERS,
        args: &[
            Arg::integer("client-id"),
            Arg::one_of(
                "timeout_error",
                &[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")],
            )
            .optional(),
        ],
        reply: &[ReplyShape::Integer("1 if it was blocked, else 0.")],
        ..CommandSpec::EMPTY
    },
    run: unblock,
    subcommands: &[],
};

fn unblock(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let id = args.integer()?;
    let with_error = match args.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"timeout") => false,
        Some(word) if word.eq_ignore_ascii_case(b"error") => true,
        Some(_) => {
            return Err(CommandError::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
    };
    let id = u64::try_from(id).unwrap_or(0);
    cx.reply.integer(i64::from(end_wait(cx, id, with_error)));
    Ok(())
}

fn end_wait(cx: &Context<'_>, id: u64, with_error: bool) -> bool {
    if let Some(waiting) = cx.node.waiters.of_client(id) {
        if !waiting.claim() {
            return false;
        }
        cx.node.waiters.remove(&waiting);
        let answer = if with_error { Answer::Unblocked } else { Answer::TimedOut };
        cx.node.answer(Arc::clone(&waiting), answer, base::Offset(0));
        return true;
    }
    let Some(client) = cx.node.clients.get(id) else { return false };
    let waits = client.waits_for_copies.load(Ordering::Relaxed);
    if waits {
        cx.node.tell_loop(&client, Message::Unblock(id, with_error));
    }
    waits
}
