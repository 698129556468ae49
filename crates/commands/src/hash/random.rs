//! HRANDFIELD key [count [WITHVALUES]]: fields by chance.

use crate::elements::{Wanted, different};
use base::random::Random;
use engine::context::Outcome;
use engine::{Args, Command, CommandError, CommandResult, Context};
use resp::reply::Writer;
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::listpack::Item;
use values::{Hash, HashRef};

/// Draws before a field that has not ended is looked for otherwise.
const DRAWS_MAX: usize = 100;

/// HRANDFIELD.
pub const HRANDFIELD: Command = Command {
    spec: CommandSpec {
        name: "hrandfield",
        since: "6.2.0",
        group: Group::Hash,
        summary: "Answers fields that are chosen by chance.",
        complexity: "O(N) in the fields answered.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[
            Arg::key("key"),
            Arg::block(
                "options",
                &[Arg::integer("count"), Arg::word("withvalues", "WITHVALUES").optional()],
            )
            .optional(),
        ],
        reply: &[
            ReplyShape::Bulk("The field, without a count."),
            ReplyShape::Null("There is none."),
            ReplyShape::Array("The fields, with their values if asked for."),
        ],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: hrandfield,
    subcommands: &[],
};

type Pair<'a> = (Item<'a>, Item<'a>);

/// A field that has not ended by `now`.
fn one<'a>(hash: HashRef<'a>, now: base::Millis, random: &mut Random) -> Option<Pair<'a>> {
    let mut room = itoa::Buffer::new();
    for _ in 0..DRAWS_MAX {
        let pair = hash.random(random)?;
        if !hash.has_ended(pair.0.bytes(&mut room), now) {
            return Some(pair);
        }
    }
    hash.iter(now).next()
}

fn write(reply: &mut Writer<'_>, (field, value): Pair<'_>, with_values: bool) {
    let mut room = itoa::Buffer::new();
    if with_values && reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(field.bytes(&mut room));
    if with_values {
        reply.bulk(value.bytes(&mut room));
    }
}

fn hrandfield(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, now) = (args.key()?, cx.keys.fields_now());
    let mut random = Random::from_system();
    if args.left() == 0 {
        let hash = cx.keys.read::<Hash>(key)?;
        match hash.and_then(|hash| one(hash, now, &mut random)) {
            Some((field, _)) => cx.reply.bulk(field.bytes(&mut itoa::Buffer::new())),
            None => cx.reply.null(),
        }
        return Ok(());
    }
    let count = args.integer()?;
    let with_values = args.left() > 0;
    if with_values && (!args.take_token("WITHVALUES") || args.left() > 0) {
        return Err(CommandError::Syntax);
    }
    let wanted = Wanted::of(count, with_values)?;
    let words = if with_values && !cx.reply.is_resp3() { 2 } else { 1 };
    let bytes_max = cx.reply_bytes_max();
    let hash = cx.keys.read::<Hash>(key)?;
    let Some(hash) = hash.filter(|hash| hash.iter(now).next().is_some()) else {
        cx.reply.array(0);
        return Ok(());
    };
    // The view ends here, for the reply to be written: what was chosen is copied.
    let copied = |(field, value): Pair<'_>| (field.to_vec(), value.to_vec());
    let draw = |random: &mut Random| one(hash, now, random);
    let chosen: Vec<(Vec<u8>, Vec<u8>)> = match wanted {
        Wanted::Different(count) => {
            // Those that have ended are held, but not drawn.
            let len = if hash.may_have_ended(now) { 0 } else { hash.len() };
            let all = || hash.iter(now).collect();
            let pairs = different(count, len, &mut random, all, draw, |(field, _)| field.to_vec());
            pairs.into_iter().map(copied).collect()
        }
        Wanted::Repeated(count) => {
            cx.reply.array(usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(words));
            for pair in (0..count).map_while(|_| draw(&mut random)) {
                write(&mut cx.reply, pair, with_values);
                if cx.reply.position() > bytes_max {
                    *cx.outcome = Outcome::Abort;
                    break;
                }
            }
            return Ok(());
        }
    };
    cx.reply.array(chosen.len() * words);
    for (field, value) in &chosen {
        write(&mut cx.reply, (Item::Bytes(field), Item::Bytes(value)), with_values);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::context::Outcome;

    #[test]
    fn fields_are_chosen() {
        let mut server = Server::new();
        for (line, expected) in [
            ("hrandfield none", "$-1\r\n"),
            ("hrandfield none 2", "*0\r\n"),
            ("hset h a 1", ":1\r\n"),
            ("hrandfield h", "$1\r\na\r\n"),
            ("hrandfield h 3", "*1\r\n$1\r\na\r\n"),
            ("hrandfield h -2 withvalues", "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\na\r\n$1\r\n1\r\n"),
            ("hrandfield h 0", "*0\r\n"),
            ("hrandfield h 1 x", "-ERR syntax error\r\n"),
            ("hrandfield h -9223372036854770000 withvalues", "-ERR value is out of range\r\n"),
            ("hello 3", ""),
        ] {
            if expected.is_empty() {
                server.line(line);
            } else {
                server.check(line, expected);
            }
        }
        server.check("hrandfield h 1 withvalues", "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    }

    #[test]
    fn a_reply_without_end_is_given_up() {
        let mut server = Server::new();
        server.line("config set client-output-buffer-limit \"normal 1000 0 0\"");
        server.line("hset h a 1");
        server.line("sadd s a");
        for request in
            [&[b"hrandfield", &b"h"[..], b"-999999999"], &[b"srandmember", b"s", b"-999999999"]]
        {
            let (reply, outcome) = server.run(request);
            assert!(reply.len() < 2000 && matches!(outcome, Outcome::Abort), "{request:?}");
        }
    }
}
