//! STRLEN key: the length of a string.

use crate::count::count;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// STRLEN.
pub const STRLEN: Command = Command {
    spec: CommandSpec {
        name: "strlen",
        since: "2.2.0",
        group: Group::String,
        summary: "Answers the length of the string at a key.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Integer("The length in bytes, 0 if there is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: strlen,
    subcommands: &[],
};

fn strlen(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let text = cx.keys.string(args.key()?)?;
    cx.reply.integer(text.map_or(0, |text| count(text.len())));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn lengths_of_every_form() {
        let mut server = Server::new();
        server.check("strlen k", ":0\r\n");
        for text in ["", "abc", "-12", "9223372036854775807"] {
            server.run(&[b"set", b"k", text.as_bytes()]);
            server.check("strlen k", &format!(":{}\r\n", text.len()));
        }
        server.run(&[b"set", b"k", &vec![b'x'; 100_000]]);
        server.check("strlen k", ":100000\r\n");
    }
}
