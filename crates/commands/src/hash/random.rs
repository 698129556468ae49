//! HRANDFIELD key [count [WITHVALUES]]: fields by chance.

use crate::chance::{Pool, Question};
use base::Millis;
use base::random::Random;
use engine::{Args, Command, CommandResult, Context};
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

/// The fields of a hash that have not ended by `now`.
struct Living<'a> {
    hash: HashRef<'a>,
    now: Millis,
}

impl<'a> Pool for Living<'a> {
    type Element = Pair<'a>;

    fn len(&self) -> usize {
        // Those that have ended are held, but not drawn.
        if self.hash.may_have_ended(self.now) { 0 } else { self.hash.len() }
    }

    fn all(&self) -> Vec<Pair<'a>> {
        self.hash.iter(self.now).collect()
    }

    fn one(&self, random: &mut Random) -> Option<Pair<'a>> {
        let mut room = itoa::Buffer::new();
        for _ in 0..DRAWS_MAX {
            let pair = self.hash.random(random)?;
            if !self.hash.has_ended(pair.0.bytes(&mut room), self.now) {
                return Some(pair);
            }
        }
        self.hash.iter(self.now).next()
    }
}

fn hrandfield(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, now) = (args.key()?, cx.keys.fields_now());
    let question = Question::parse(cx, args, "WITHVALUES")?;
    let hash = cx.keys.read::<Hash>(key)?;
    // One whose fields have all ended is as good as none.
    let hash = hash.filter(|hash| hash.iter(now).next().is_some());
    *cx.outcome = question.answer(hash.map(|hash| Living { hash, now }), &mut cx.reply);
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
