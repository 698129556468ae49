//! TYPE key: the type of the value at a key.

use engine::keys::kind_of;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};

/// TYPE.
pub const TYPE: Command = Command {
    spec: CommandSpec {
        name: "type",
        since: "1.0.0",
        group: Group::Generic,
        summary: "Answers the type of the value at a key.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[ReplyShape::Status("The type's name, `none` if there is no such key.")],
        ..CommandSpec::EMPTY
    },
    run: kind,
    subcommands: &[],
};

fn kind(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let entry = cx.keys.find_untouched(args.key()?);
    cx.reply.simple(entry.map_or("none", |entry| kind_of(entry).name()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn types() {
        let mut server = Server::new();
        server.check("type k", "+none\r\n");
        server.check("set k 1", "+OK\r\n");
        server.check("type k", "+string\r\n");
        server.check("set k v pxat 1", "+OK\r\n");
        server.check("type k", "+none\r\n");
    }
}
