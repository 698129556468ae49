//! HELP of containers, written from the rows of their subcommands, and the syntax of a row's arguments.

use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, ArgKind, CommandSpec, Flag, ReplyShape};

/// The row of a HELP subcommand; the container adds group and version.
pub(crate) const ROW: CommandSpec = CommandSpec {
    name: "help",
    since: "5.0.0",
    summary: "Describes the subcommands.",
    flags: &[Flag::Loading, Flag::Stale],
    ungrouped: true,
    reply: &[ReplyShape::Array("Lines of text.")],
    ..CommandSpec::EMPTY
};

/// HELP as a subcommand with this row.
pub(crate) const fn help(spec: CommandSpec) -> Command {
    Command { spec, run: show, subcommands: &[] }
}

/// What a container answers when no subcommand is named. Its arity asks for one, so this never runs.
pub(crate) fn no_subcommand(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    Err(CommandError::Arity(cx.command.full_name.clone()))
}

/// The error of a subcommand that was given too many words.
pub(crate) fn wrong_words(args: &Args<'_>) -> CommandError {
    let request = args.request();
    CommandError::Text(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
        String::from_utf8_lossy(request.word(1)),
        String::from_utf8_lossy(request.word(0)).to_ascii_uppercase()
    ))
}

fn show(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let name = args.request().word(0);
    let rows = cx.node.table.find(name).map_or(&[][..], |found| &found.subcommands[..]);
    let mut lines = Vec::new();
    for row in rows.iter().map(|row| &row.command.spec).filter(|spec| spec.name != "help") {
        let words = syntax(row.args);
        let blank = if words.is_empty() { "" } else { " " };
        lines.push(format!("{}{blank}{words}", row.name.to_ascii_uppercase()));
        lines.push(format!("    {}", row.summary));
    }
    write(cx, &String::from_utf8_lossy(name), &lines);
    Ok(())
}

/// Writes a help text: `lines` between stock's first and last ones.
pub(crate) fn write(cx: &mut Context<'_>, name: &str, lines: &[String]) {
    let name = name.to_ascii_uppercase();
    let reply = &mut cx.reply;
    reply.array(lines.len() + 3);
    reply.simple(format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines {
        reply.simple(line);
    }
    reply.simple("HELP");
    reply.simple("    Prints this help.");
}

/// How arguments are written: `<key> [<seconds> | PX <ms>] [<more> ...]`.
pub(crate) fn syntax(args: &[Arg]) -> String {
    args.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn one(arg: &Arg) -> String {
    let inner = match arg.kind {
        ArgKind::Word => String::new(),
        ArgKind::Block(args) => syntax(args),
        ArgKind::OneOf(args) => {
            let choices = args.iter().map(one).collect::<Vec<_>>().join(" | ");
            if arg.optional && arg.token.is_none() && !arg.multiple {
                choices
            } else {
                format!("({choices})")
            }
        }
        _ => format!("<{}>", arg.name),
    };
    let words: Vec<&str> =
        arg.token.into_iter().chain(Some(&*inner)).filter(|word| !word.is_empty()).collect();
    let mut text = words.join(" ");
    if arg.multiple {
        text = format!("{text} [{text} ...]");
    }
    if arg.optional { format!("[{text}]") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_written_as_documentation_writes_them() {
        const ARGS: &[Arg] = &[
            Arg::key("key").multiple(),
            Arg::one_of("mode", &[Arg::word("write", "WRITE"), Arg::word("all", "ALL")]).optional(),
            Arg::one_of("switch", &[Arg::word("on", "ON"), Arg::word("off", "OFF")]),
            Arg::integer("count").token("COUNT").optional(),
            Arg::block("pair", &[Arg::bytes("name"), Arg::bytes("value")]).optional().multiple(),
        ];
        assert_eq!(
            syntax(ARGS),
            "<key> [<key> ...] [WRITE | ALL] (ON | OFF) [COUNT <count>] \
             [<name> <value> [<name> <value> ...]]"
        );
    }
}
