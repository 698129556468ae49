//! LPOS key element [RANK rank] [COUNT count] [MAXLEN len]: where elements are.

use crate::count::count;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{List, ListRef};

/// LPOS.
pub const LPOS: Command = Command {
    spec: CommandSpec {
        name: "lpos",
        since: "6.0.6",
        group: Group::List,
        summary: "Answers the numbers of the elements that are equal to one.",
        complexity: "O(N) in the elements compared.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::bytes("element"),
            Arg::integer("rank").token("RANK").optional(),
            Arg::integer("num-matches").token("COUNT").optional(),
            Arg::integer("len").token("MAXLEN").optional(),
        ],
        reply: &[
            ReplyShape::Integer("The number."),
            ReplyShape::Array("The numbers, with COUNT."),
            ReplyShape::Null("There is no such element."),
        ],
        ..CommandSpec::EMPTY
    },
    run: lpos,
    subcommands: &[],
};

#[derive(Debug)]
struct Options {
    /// Which match is the first that counts, from 1 on.
    rank: u64,
    backwards: bool,
    /// How many matches are wanted at most; 0 is all.
    wanted: Option<usize>,
    /// How many elements are compared at most; 0 is all.
    len_max: usize,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, CommandError> {
        let mut options = Options { rank: 1, backwards: false, wanted: None, len_max: 0 };
        while args.left() > 1 {
            if args.take_token("RANK") {
                let rank = args.integer()?;
                if rank == 0 {
                    return Err(CommandError::text(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list",
                    ));
                }
                if rank == i64::MIN {
                    return Err(CommandError::text(
                        "ERR value is out of range, value must between -9223372036854775807 and \
                         9223372036854775807",
                    ));
                }
                (options.rank, options.backwards) = (rank.unsigned_abs(), rank < 0);
            } else if args.take_token("COUNT") {
                options.wanted = Some(size(args, "ERR COUNT can't be negative")?);
            } else if args.take_token("MAXLEN") {
                options.len_max = size(args, "ERR MAXLEN can't be negative")?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        args.end()?;
        Ok(options)
    }
}

fn size(args: &mut Args<'_>, error: &str) -> Result<usize, CommandError> {
    let number = values::string::parse_i64(args.bytes()?);
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| CommandError::text(error))
}

fn lpos(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, element) = (args.key()?, args.bytes()?);
    let options = Options::parse(args)?;
    let list = cx.keys.read::<List>(key)?;
    let places = list.map_or_else(Vec::new, |list| find(list, element, &options));
    if options.wanted.is_some() {
        cx.reply.array(places.len());
        for at in places {
            cx.reply.integer(count(at));
        }
    } else {
        match places.first() {
            Some(&at) => cx.reply.integer(count(at)),
            None => cx.reply.null(),
        }
    }
    Ok(())
}

fn find(list: ListRef<'_>, element: &[u8], options: &Options) -> Vec<usize> {
    let wanted = match options.wanted {
        None => 1,
        Some(0) => usize::MAX,
        Some(wanted) => wanted,
    };
    let Some(last) = list.len().checked_sub(1) else { return Vec::new() };
    let (mut places, mut compared, mut matches) = (Vec::new(), 0, 0);
    let visit = |item: structures::listpack::Item<'_>| {
        if item.is(element) {
            matches += 1;
            if matches >= options.rank {
                places.push(if options.backwards { last - compared } else { compared });
            }
        }
        compared += 1;
        places.len() < wanted && compared != options.len_max
    };
    if options.backwards {
        list.walk_back(last, visit);
    } else {
        list.walk(0, visit);
    }
    places
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    const RANK: &str = "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                        second ... or use negative to start from the end of the list\r\n";
    const RANGE: &str = "-ERR value is out of range, value must between -9223372036854775807 and \
                         9223372036854775807\r\n";
    const COUNT: &str = "-ERR COUNT can't be negative\r\n";
    const MAXLEN: &str = "-ERR MAXLEN can't be negative\r\n";

    #[test]
    fn matches_are_counted_from_either_end() {
        let mut server = Server::new();
        server.line("rpush l a b c 1 2 3 c c");
        for (line, expected) in [
            ("lpos l a", ":0\r\n"),
            ("lpos l c", ":2\r\n"),
            ("lpos l 3", ":5\r\n"),
            ("lpos l d", "$-1\r\n"),
            ("lpos l c rank 1", ":2\r\n"),
            ("lpos l c rank 3", ":7\r\n"),
            ("lpos l c rank 4", "$-1\r\n"),
            ("lpos l c rank -1", ":7\r\n"),
            ("lpos l c rank -3", ":2\r\n"),
            ("lpos l c count 0", "*3\r\n:2\r\n:6\r\n:7\r\n"),
            ("lpos l c count 1", "*1\r\n:2\r\n"),
            ("lpos l c count 2 rank 2", "*2\r\n:6\r\n:7\r\n"),
            ("lpos l c count 2 rank -1", "*2\r\n:7\r\n:6\r\n"),
            ("lpos l d count 0", "*0\r\n"),
            ("lpos l c maxlen 2", "$-1\r\n"),
            ("lpos l c maxlen 3", ":2\r\n"),
            ("lpos l c count 0 maxlen 7 rank 2", "*1\r\n:6\r\n"),
            ("lpos l c maxlen 3 rank -1 count 0", "*2\r\n:7\r\n:6\r\n"),
            ("lpos nope c", "$-1\r\n"),
            ("lpos nope c count 0", "*0\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn errors() {
        let mut server = Server::new();
        server.line("set s v");
        for (line, expected) in [
            ("lpos s a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("lpos s a rank 0", RANK),
            ("lpos l a rank -9223372036854775808", RANGE),
            ("lpos l a rank x", "-ERR value is not an integer or out of range\r\n"),
            ("lpos l a count -1", COUNT),
            ("lpos l a count x", COUNT),
            ("lpos l a maxlen -1", MAXLEN),
            ("lpos l a maxlen x", MAXLEN),
            ("lpos l a rank", "-ERR syntax error\r\n"),
            ("lpos l a foo 1", "-ERR syntax error\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
