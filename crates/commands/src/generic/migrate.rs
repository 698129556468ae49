//! MIGRATE: keys go to another server, and are deleted here once it has taken them.
//!
//! It runs twice: first it packs the keys and lets its connection wait while they are sent, then it
//! deletes what was taken (`engine/src/migration.rs`). What it has deleted is logged as one DEL.
//!
//! Source: Redis documentation, "MIGRATE"; texts and order of errors observed with stock 7.0.15.

use base::Millis;
use engine::effects::Event;
use engine::image;
use engine::migration::{Delivery, Parcel, Target};
use engine::{Args, Command, CommandError, CommandResult, Context};
use rdb::{Encoder, payload};
use spec::{
    Arg, BeginSearch, Category, CommandSpec, FindKeys, Flag, Group, KeyFlag, KeySpec, KeyWord,
    ReplyShape,
};

/// The timeout if none, or a negative one, is asked for.
const TIMEOUT_DEFAULT: Millis = Millis(1000);

/// Where the list of keys begins.
const OPENER: KeyWord = KeyWord { token: "KEYS", from: 6, options: &[("AUTH", 1), ("AUTH2", 2)] };

/// MIGRATE.
pub const MIGRATE: Command = Command {
    spec: CommandSpec {
        name: "migrate",
        since: "2.6.0",
        group: Group::Generic,
        summary: "Moves keys to another server.",
        complexity: "As DUMP, DEL and, at the other server, RESTORE; O(N) in the bytes sent.",
        flags: &[Flag::Write, Flag::MovableKeys],
        categories: &[Category::Dangerous],
        keys: &[
            KeySpec {
                begin: BeginSearch::IndexUnless(3, OPENER),
                ..KeySpec::one(3, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])
            },
            KeySpec {
                begin: BeginSearch::Opened(OPENER),
                find: FindKeys::Range { last: -1, step: 1, limit: 0 },
                flags: &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete, KeyFlag::Incomplete],
            },
        ],
        args: &[
            Arg::bytes("host"),
            Arg::integer("port"),
            Arg::one_of("key_or_empty_string", &[Arg::key("key"), Arg::word("empty_string", "")]),
            Arg::integer("destination-db"),
            Arg::integer("timeout"),
            Arg::word("copy", "COPY").optional(),
            Arg::word("replace", "REPLACE").optional(),
            Arg::one_of(
                "authentication",
                &[
                    Arg::bytes("password").token("AUTH"),
                    Arg::block(
                        "username_password",
                        &[Arg::bytes("username"), Arg::bytes("password")],
                    )
                    .token("AUTH2"),
                ],
            )
            .optional(),
            Arg::key("key").token("KEYS").optional().multiple(),
        ],
        reply: &[
            ReplyShape::Status("OK"),
            ReplyShape::Status("NOKEY, if none of the keys is there"),
        ],
        tips: &["nondeterministic_output"],
        history: &[
            ("3.0.0", "Added the `COPY` and `REPLACE` options."),
            ("3.0.6", "Added the `KEYS` option."),
            ("4.0.7", "Added the `AUTH` option."),
            ("6.0.0", "Added the `AUTH2` option."),
        ],
        ..CommandSpec::EMPTY
    },
    run: migrate,
    subcommands: &[],
};

fn migrate(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if let Some(delivery) = cx.session.delivered.take() {
        return conclude(cx, args, *delivery);
    }
    let (target, keys) = parse(args)?;
    let mut encoder = Encoder::new(cx.node.settings.rdbcompression.get());
    let mut parcels = Vec::with_capacity(keys.len());
    for key in keys {
        let now = cx.now;
        if let Some(entry) = cx.keys.find_whole(key) {
            // Zero would be for ever.
            let ttl_ms = entry.expire_at().map_or(0, |at| at.since(now).0.max(1));
            let payload = payload::dump(&mut encoder, image::saved(entry));
            parcels.push(Parcel { key: key.into(), ttl_ms, payload });
        }
    }
    if parcels.is_empty() {
        cx.reply.simple("NOKEY");
        return Ok(());
    }
    if !cx.may_block() {
        return Err(CommandError::text("ERR MIGRATE is not possible inside of a transaction"));
    }
    cx.hand_off(args.request(), target, parcels);
    Ok(())
}

/// The target and the keys, in stock's order of complaints.
fn parse<'a>(args: &mut Args<'a>) -> Result<(Target, Vec<&'a [u8]>), CommandError> {
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let (host, port) = (text(args.bytes()?), text(args.bytes()?));
    let (key, db, timeout) = (args.key()?, args.bytes()?, args.bytes()?);
    let mut keys = vec![key];
    let (mut copy, mut replace, mut login) = (false, false, None);
    while let Some(option) = args.next() {
        let is = |token: &str| option.eq_ignore_ascii_case(token.as_bytes());
        if is("COPY") {
            copy = true;
        } else if is("REPLACE") {
            replace = true;
        } else if is("AUTH") {
            login = Some((None, args.bytes()?.to_vec()));
        } else if is("AUTH2") {
            let user = args.bytes()?.to_vec();
            login = Some((Some(user), args.bytes()?.to_vec()));
        } else if is(OPENER.token) {
            if !key.is_empty() {
                return Err(CommandError::text(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                     string",
                ));
            }
            keys = std::iter::from_fn(|| args.next()).collect();
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let integer = |word| values::string::parse_i64(word).ok_or(CommandError::NotInteger);
    let (timeout, db) = (integer(timeout)?, integer(db)?);
    let timeout = u64::try_from(timeout).ok().filter(|&ms| ms > 0);
    let timeout = timeout.map_or(TIMEOUT_DEFAULT, Millis);
    let port = port.parse().unwrap_or(0);
    Ok((Target { host, port, db, login, timeout, copy, replace }, keys))
}

/// Deletes what the target has taken, unless it is a copy that it got, and answers.
fn conclude(cx: &mut Context<'_>, args: &mut Args<'_>, delivery: Delivery) -> CommandResult {
    let (target, _) = parse(args)?;
    let mut words: Vec<&[u8]> = vec![b"DEL"];
    for key in delivery.taken.iter().filter(|_| !target.copy) {
        if let Some(entry) = cx.keys.remove(key) {
            cx.node.lazyfree.entry(entry, cx.node.settings.lazyfree_lazy_server_del.get());
            cx.effects.changed(cx.keys.db, key, Event::Delete);
            words.push(key);
        }
    }
    if words.len() > 1 {
        cx.effects.log_instead(cx.keys.db, &words);
    }
    if let Some(text) = delivery.error {
        return Err(CommandError::Text(text));
    }
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::mailbox::{Answer, Message};

    #[test]
    fn complaints() {
        let mut server = Server::new();
        let integer = "-ERR value is not an integer or out of range\r\n";
        let syntax = "-ERR syntax error\r\n";
        let both = "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                    string\r\n";
        for (line, expected) in [
            ("migrate h 1 nope 0 1000", "+NOKEY\r\n"),
            ("migrate h nan nope 99 -1 copy replace", "+NOKEY\r\n"),
            ("migrate h 1 '' 0 1000 keys", "+NOKEY\r\n"),
            ("migrate h 1 '' 0 1000 auth keys keys keys", "+NOKEY\r\n"),
            ("migrate h 1 k a 1000", integer),
            ("migrate h 1 k 0 a", integer),
            ("migrate h 1 k 0 a foo", syntax),
            ("migrate h 1 k 0 1000 auth", syntax),
            ("migrate h 1 k 0 1000 auth2 u", syntax),
            ("migrate h 1 k 0 1000 keys a", both),
            ("migrate h 1 k 0", "-ERR wrong number of arguments for 'migrate' command\r\n"),
        ] {
            server.check(line, expected);
        }
    }

    #[test]
    fn keys_are_named_as_they_are_found() {
        let mut server = Server::new();
        for (line, expected) in [
            ("migrate h 1 k 0 9 copy", "*1\r\n$1\r\nk\r\n"),
            ("migrate h 1 '' 0 9 auth keys keys a keys", "*2\r\n$1\r\na\r\n$4\r\nkeys\r\n"),
        ] {
            server.check(&format!("command getkeys {line}"), expected);
        }
    }

    #[test]
    fn without_anybody_to_send_them_keys_stay() {
        let mut server = Server::new();
        server.line("set k v");
        server.check("migrate h 1 k 0 1000", "");
        let mail = server.node().mailboxes()[0].take();
        let replies: Vec<_> = mail
            .iter()
            .filter_map(|message| match message {
                Message::Answer(_, Answer::Served(reply), _) => Some(&reply[..]),
                _ => None,
            })
            .collect();
        assert_eq!(replies, [b"-IOERR error or timeout connecting to the client\r\n"]);
        server.check("get k", "$1\r\nv\r\n");
        server.line("multi");
        server.line("migrate h 1 k 0 1000");
        let refusal = "*1\r\n-ERR MIGRATE is not possible inside of a transaction\r\n";
        server.check("exec", refusal);
    }
}
