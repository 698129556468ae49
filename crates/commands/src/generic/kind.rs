//! TYPE key: the type of the value at a key.

use engine::keys::type_name;
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
    let name = entry.map_or("none".into(), type_name);
    cx.reply.simple(name.as_bytes());
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
