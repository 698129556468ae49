//! CLIENT LIST [TYPE type] [ID id ...] and CLIENT INFO.

use super::describe::describe;
use super::{OTHERS, OWN};
use engine::client::{Class, ClientInfo};
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};
use std::sync::Arc;

pub(super) const TYPES: &[Arg] = &[
    Arg::word("normal", "NORMAL"),
    Arg::word("master", "MASTER"),
    Arg::word("slave", "SLAVE"),
    Arg::word("replica", "REPLICA"),
    Arg::word("pubsub", "PUBSUB"),
];

pub(super) const LIST: Command = Command {
    spec: CommandSpec {
        name: "list",
        since: "2.4.0",
        group: Group::Connection,
        summary: "Answers a line for each connection.",
        complexity: "O(N) in the connections.",
        flags: OTHERS,
        args: &[
            Arg::one_of("client-type", TYPES).token("TYPE").optional(),
            Arg::block("id", &[Arg::integer("client-id").multiple()]).token("ID").optional(),
        ],
        reply: &[ReplyShape::Bulk("Lines of `name=value`.")],
        tips: &["nondeterministic_output"],
        history: &[
            ("5.0.0", "Takes TYPE."),
            ("6.2.0", "Takes ID."),
            ("7.2.0", "Shows `lib-name` and `lib-ver`."),
        ],
        ..CommandSpec::EMPTY
    },
    run: list,
    subcommands: &[],
};

pub(super) const INFO: Command = Command {
    spec: CommandSpec {
        name: "info",
        since: "6.2.0",
        group: Group::Connection,
        summary: "Answers the connection's own line of CLIENT LIST.",
        flags: OWN,
        reply: &[ReplyShape::Bulk("The line.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: info,
    subcommands: &[],
};

/// The class that a word of TYPE names.
pub(super) fn class_of(word: &[u8]) -> Result<Class, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(Class::Normal),
        b"master" => Ok(Class::Primary),
        b"slave" | b"replica" => Ok(Class::Replica),
        b"pubsub" => Ok(Class::PubSub),
        _ => {
            let word = String::from_utf8_lossy(word);
            Err(CommandError::Text(format!("ERR Unknown client type '{word}'")))
        }
    }
}

fn list(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let clients: Vec<Arc<ClientInfo>> = if args.left() == 0 {
        cx.node.clients.all()
    } else if args.left() == 2 && args.take_token("type") {
        let class = class_of(args.bytes()?)?;
        cx.node.clients.all().into_iter().filter(|client| client.class() == class).collect()
    } else if args.left() > 1 && args.take_token("id") {
        let mut found = Vec::new();
        while let Some(word) = args.next() {
            let id = values::string::parse_i64(word)
                .ok_or_else(|| CommandError::text("ERR Invalid client ID"))?;
            found.extend(u64::try_from(id).ok().and_then(|id| cx.node.clients.get(id)));
        }
        found
    } else {
        return Err(CommandError::Syntax);
    };
    let mut text = Vec::new();
    for client in clients {
        describe(cx.node, &client, &mut text);
        text.push(b'\n');
    }
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}

fn info(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let mut text = Vec::new();
    describe(cx.node, &cx.session.info, &mut text);
    text.push(b'\n');
    cx.reply.verbatim(*b"txt", text);
    Ok(())
}
