//! GET key: the string at a key.

use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// GET.
pub const GET: Command = Command {
    spec: CommandSpec {
        name: "get",
        since: "1.0.0",
        group: Group::String,
        summary: "Answers the string at a key.",
        complexity: "O(1)",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Bulk("The string."), ReplyShape::Null("There is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: get,
    subcommands: &[],
};

fn get(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    answer(cx, key)?;
    Ok(())
}

/// Answers the string at `key`, or null; whether there is one.
///
/// # Errors
/// `WrongType` if the key holds another type.
#[allow(clippy::inline_always, reason = "all that GET does: a call costs 30 instructions")]
#[inline(always)]
pub(super) fn answer(cx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let text = cx.keys.string(key)?;
    match &text {
        Some(text) => cx.reply.bulk(text.bytes(&mut itoa::Buffer::new())),
        None => cx.reply.null(),
    }
    Ok(text.is_some())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn get_answers_every_form() {
        let mut server = Server::new();
        let long = "x".repeat(5000);
        server.check("get k", "$-1\r\n");
        for text in ["", "v", "12", "-9223372036854775808", "007", &long] {
            server.run(&[b"set", b"k", text.as_bytes()]);
            server.check("get k", &format!("${}\r\n{text}\r\n", text.len()));
        }
        server.check("get", "-ERR wrong number of arguments for 'get' command\r\n");
    }

    #[test]
    fn an_expired_key_is_absent_and_its_deletion_is_logged_once() {
        let mut server = Server::new();
        server.line("set k v pxat 1");
        server.check_log("get k", &["DEL k"]);
        server.check_log("get k", &[]);
    }
}
