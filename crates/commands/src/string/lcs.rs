//! LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]: the longest common subsequence.

use crate::count::count;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::string::{Common, common_idx, common_len, common_text};

/// LCS.
pub const LCS: Command = Command {
    spec: CommandSpec {
        name: "lcs",
        since: "7.0.0",
        group: Group::String,
        summary: "Answers the longest common subsequence of two strings.",
        complexity: "O(N*M) in the lengths of the strings.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::range(1, 1, 1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key1"),
            Arg::key("key2"),
            Arg::word("len", "LEN").optional(),
            Arg::word("idx", "IDX").optional(),
            Arg::integer("len").token("MINMATCHLEN").optional(),
            Arg::word("withmatchlen", "WITHMATCHLEN").optional(),
        ],
        reply: &[
            ReplyShape::Bulk("The subsequence."),
            ReplyShape::Integer("Its length, with LEN."),
            ReplyShape::Map("`matches`, the runs, last first, and `len`, with IDX."),
        ],
        ..CommandSpec::EMPTY
    },
    run: lcs,
    subcommands: &[],
};

#[derive(Debug, Default)]
struct Options {
    len: bool,
    idx: bool,
    minmatchlen: i64,
    withmatchlen: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Result<Options, CommandError> {
        let mut options = Options::default();
        while args.left() > 0 {
            if args.take_token("IDX") {
                options.idx = true;
            } else if args.take_token("LEN") {
                options.len = true;
            } else if args.take_token("WITHMATCHLEN") {
                options.withmatchlen = true;
            } else if args.take_token("MINMATCHLEN") {
                options.minmatchlen = args.integer()?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.idx && options.len {
            return Err(CommandError::text(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

fn text_at(cx: &mut Context<'_>, key: &[u8]) -> Result<Vec<u8>, CommandError> {
    match cx.keys.string(key) {
        Ok(text) => Ok(text.map(|text| text.to_vec()).unwrap_or_default()),
        Err(_) => Err(CommandError::text("ERR The specified keys must contain string values")),
    }
}

fn lcs(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (one, other) = (args.key()?, args.key()?);
    let (one, other) = (text_at(cx, one)?, text_at(cx, other)?);
    let options = Options::parse(args)?;
    let bytes_max = usize::try_from(cx.node.settings.proto_max_bulk_len.get()).unwrap_or(0);
    if options.idx {
        let least = usize::try_from(options.minmatchlen).unwrap_or(0);
        let common = common_idx(&one, &other, least, bytes_max)?;
        answer_runs(cx, &common, options.withmatchlen);
    } else if options.len {
        cx.reply.integer(count(common_len(&one, &other, bytes_max)?));
    } else {
        cx.reply.bulk(common_text(&one, &other, bytes_max)?);
    }
    Ok(())
}

fn answer_runs(cx: &mut Context<'_>, common: &Common, with_len: bool) {
    let reply = &mut cx.reply;
    reply.map(2);
    reply.bulk("matches");
    reply.array(common.matches.len());
    for run in &common.matches {
        reply.array(if with_len { 3 } else { 2 });
        for (first, last) in [run.a, run.b] {
            reply.array(2);
            reply.integer(count(first));
            reply.integer(count(last));
        }
        if with_len {
            reply.integer(count(run.len()));
        }
    }
    reply.bulk("len");
    reply.integer(count(common.len));
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn the_documented_example() {
        let mut server = Server::new();
        let first = "*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n";
        let second = "*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n";
        let both = format!("*4\r\n$7\r\nmatches\r\n*2\r\n{first}{second}$3\r\nlen\r\n:6\r\n");
        let long = "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n\
                    $3\r\nlen\r\n:6\r\n";
        let both_wanted = "-ERR If you want both the length and indexes, please just use IDX.\r\n";
        for (line, expected) in [
            ("mset key1 ohmytext key2 mynewtext", "+OK\r\n"),
            ("lcs key1 key2", "$6\r\nmytext\r\n"),
            ("lcs key1 key2 len", ":6\r\n"),
            ("lcs key1 key2 idx", &both),
            ("lcs key1 key2 idx minmatchlen -4", &both),
            ("lcs key1 key2 idx minmatchlen 4 withmatchlen", long),
            ("lcs key1 nope", "$0\r\n\r\n"),
            ("lcs nope nope idx", "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n"),
            ("lcs key1 key2 idx len", both_wanted),
            ("lcs key1 key2 foo", "-ERR syntax error\r\n"),
            ("lcs key1 key2 minmatchlen", "-ERR syntax error\r\n"),
            ("lcs key1 key2 minmatchlen x", "-ERR value is not an integer or out of range\r\n"),
            ("lcs key1", "-ERR wrong number of arguments for 'lcs' command\r\n"),
        ] {
            server.check(line, expected);
        }
    }
}
