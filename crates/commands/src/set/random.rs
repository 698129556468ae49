//! Members by chance: SPOP and SRANDMEMBER. SPOP is logged as the removal of what it chose.

use super::limits;
use crate::chance::{Pool, Question, different};
use base::random::Random;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use structures::listpack::Item;
use values::{Collection, Set, SetRef};

/// Members that one logged SREM names.
const LOGGED_MEMBERS: usize = 1024;

/// A set that keeps less than one in so many of what goes is made anew, in the smallest form.
const LISTED_REST: usize = 5;

/// SPOP.
pub const SPOP: Command = Command {
    spec: CommandSpec {
        name: "spop",
        since: "1.0.0",
        group: Group::Set,
        summary: "Takes members out that are chosen by chance.",
        complexity: "O(N) in the members taken.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])],
        args: &[Arg::key("key"), Arg::integer("count").optional()],
        reply: &[
            ReplyShape::Bulk("The member, without a count."),
            ReplyShape::Null("There is none."),
            ReplyShape::Array("The members."),
        ],
        tips: &["nondeterministic_output"],
        history: &[("3.2.0", "Added the `count` argument.")],
        ..CommandSpec::EMPTY
    },
    run: spop,
    subcommands: &[],
};

/// SRANDMEMBER.
pub const SRANDMEMBER: Command = Command {
    spec: CommandSpec {
        name: "srandmember",
        since: "1.0.0",
        group: Group::Set,
        summary: "Answers members that are chosen by chance.",
        complexity: "O(N) in the count.",
        flags: &[Flag::ReadOnly],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly, KeyFlag::Access])],
        args: &[Arg::key("key"), Arg::integer("count").optional()],
        reply: &[
            ReplyShape::Bulk("The member, without a count."),
            ReplyShape::Null("There is none."),
            ReplyShape::Array("The members."),
        ],
        tips: &["nondeterministic_output"],
        history: &[("2.6.0", "Added the optional `count` argument.")],
        ..CommandSpec::EMPTY
    },
    run: srandmember,
    subcommands: &[],
};

impl<'a> Pool for SetRef<'a> {
    type Element = Item<'a>;

    fn len(&self) -> usize {
        SetRef::len(*self)
    }

    fn all(&self) -> Vec<Item<'a>> {
        self.iter().collect()
    }

    fn one(&self, random: &mut Random) -> Option<Item<'a>> {
        self.random(random)
    }
}

fn spop(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let count = match args.next() {
        None => None,
        Some(word) => {
            args.end()?;
            let count = values::string::parse_i64(word).ok_or(CommandError::NotPositive)?;
            Some(usize::try_from(count).map_err(|_| CommandError::NotPositive)?)
        }
    };
    let set = cx.keys.read::<Set>(key)?;
    let len = set.map_or(0, SetRef::len);
    let Some(set) = set.filter(|_| count != Some(0)) else {
        match count {
            None => cx.reply.null(),
            Some(_) => cx.reply.set(0),
        }
        return Ok(());
    };
    let taken = different(&set, count.unwrap_or(1), &mut Random::from_system());
    let taken: Vec<Vec<u8>> = taken.into_iter().map(Item::to_vec).collect();
    if count.is_some() {
        cx.reply.set(taken.len());
    }
    for member in &taken {
        cx.reply.bulk(member);
    }
    take(cx, key, &taken, len)
}

/// Takes `taken` out of the set at `key`, of `len` members.
fn take(cx: &mut Context<'_>, key: &[u8], taken: &[Vec<u8>], len: usize) -> CommandResult {
    let db = cx.keys.db;
    if taken.len() >= len {
        if let Some(entry) = cx.keys.remove(key) {
            let lazy = cx.node.settings.lazyfree_lazy_server_del.get();
            cx.node.lazyfree.entry(entry, lazy);
            let verb: &[u8] = if lazy { b"UNLINK" } else { b"DEL" };
            cx.effects.log_instead(db, &[verb, key]);
        }
    } else {
        let limits = limits(cx);
        // A set that keeps only a few of many is made anew.
        let rest = len - taken.len();
        cx.keys.edit::<Set, _>(key, |set| {
            for member in taken {
                set.remove(member);
            }
            if rest * LISTED_REST < taken.len() && set.as_ref().soonest().is_none() {
                let members: Vec<Vec<u8>> = set.as_ref().iter().map(Item::to_vec).collect();
                *set = Set::of_members(members.iter().map(Vec::as_slice), limits);
            }
            Ok(())
        })?;
        for members in taken.chunks(LOGGED_MEMBERS) {
            let mut words: Vec<&[u8]> = vec![b"SREM", key];
            words.extend(members.iter().map(Vec::as_slice));
            cx.effects.log_instead(db, &words);
        }
    }
    cx.effects.changed_by(db, key, Event::SetPop, taken.len());
    if taken.len() >= len {
        cx.effects.notify(db, key, Event::Delete);
    }
    Ok(())
}

fn srandmember(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let question = Question::parse_count(cx, args)?;
    let set = cx.keys.read::<Set>(key)?;
    *cx.outcome = question.answer(set, &mut cx.reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn members_are_chosen() {
        let mut server = Server::new();
        for (line, expected) in [
            ("spop none", "$-1\r\n"),
            ("spop none 3", "*0\r\n"),
            ("srandmember none", "$-1\r\n"),
            ("srandmember none -5", "*0\r\n"),
            ("sadd one a", ":1\r\n"),
            ("srandmember one", "$1\r\na\r\n"),
            ("srandmember one 5", "*1\r\n$1\r\na\r\n"),
            ("srandmember one -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n"),
            ("spop one -1", "-ERR value is out of range, must be positive\r\n"),
            ("spop one 0", "*0\r\n"),
            ("spop one 1 2", "-ERR syntax error\r\n"),
            ("spop one", "$1\r\na\r\n"),
            ("exists one", ":0\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn every_member_goes_once_and_the_log_says_which() {
        let mut server = Server::new();
        for form in ["1 2 3 4 5 6 7 8 9", "a b c d e f g h i"] {
            server.line(&format!("sadd s {form}"));
            server.logged();
            let reply = server.line("spop s 4");
            let mut words: Vec<&str> = reply.split("\r\n").skip(2).step_by(2).collect();
            let logged = server.logged().pop().unwrap();
            assert_eq!(logged, format!("SREM s {}", words.join(" ")));
            let rest = server.line("smembers s");
            words.extend(rest.split("\r\n").skip(2).step_by(2));
            words.sort_unstable();
            assert_eq!(words.join(" "), form);
            server.check_log("spop s 100", &["DEL s"]);
        }
    }

    /// Framed as stock does with whatever one command logs as several.
    #[test]
    fn what_takes_several_lines_happens_at_once() {
        let mut server = Server::new();
        let members: Vec<String> = (0..3000).map(|number| format!("m{number}")).collect();
        server.line(&format!("sadd s {}", members.join(" ")));
        server.logged();
        server.line("spop s 1500");
        let logged = server.logged();
        let verbs: Vec<&str> = logged.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(verbs, ["MULTI", "SREM", "SREM", "EXEC"]);
        // In a transaction there is one frame.
        for line in ["multi", "spop s 1100", "set k v", "exec"] {
            server.line(line);
        }
        let logged = server.logged();
        let verbs: Vec<&str> = logged.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(verbs, ["MULTI", "SREM", "SREM", "set", "EXEC"]);
    }
}
