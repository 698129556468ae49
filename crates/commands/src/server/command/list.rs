//! COMMAND LIST [FILTERBY (MODULE name | ACLCAT category | PATTERN pattern)].

use base::glob;
use engine::{Args, CommandError, CommandResult, Context, Registered};

/// Which commands are listed.
enum Filter<'a> {
    All,
    None,
    Category(Vec<u8>),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn passes(&self, command: &Registered) -> bool {
        match self {
            Filter::All => true,
            Filter::None => false,
            Filter::Category(wanted) => spec::categories(&command.command.spec)
                .iter()
                .any(|category| category.name().as_bytes() == wanted),
            Filter::Pattern(pattern) => glob::matches(pattern, command.full_name.as_bytes(), true),
        }
    }
}

pub(super) fn list(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let filter = if args.left() == 0 {
        Filter::All
    } else if args.left() == 3 && args.take_token("filterby") {
        let (kind, value) = (args.bytes()?, args.bytes()?);
        match kind.to_ascii_lowercase().as_slice() {
            // There are no modules, so none of the commands comes from one.
            b"module" => Filter::None,
            b"aclcat" => Filter::Category(value.to_ascii_lowercase()),
            b"pattern" => Filter::Pattern(value),
            _ => return Err(CommandError::Syntax),
        }
    } else {
        return Err(CommandError::Syntax);
    };
    let mut names = Vec::new();
    for command in cx.node.table.commands() {
        let subcommands = command.subcommands.iter().copied();
        let passing = std::iter::once(*command).chain(subcommands).filter(|c| filter.passes(c));
        names.extend(passing.map(|command| &command.full_name));
    }
    cx.reply.array(names.len());
    for name in &names {
        cx.reply.bulk(name);
    }
    Ok(())
}
