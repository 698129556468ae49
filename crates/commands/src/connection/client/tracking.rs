//! CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO: client side caching of one connection.

use super::OWN;
use engine::tracking::flag;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Group, ReplyShape};
use std::sync::atomic::Ordering;

pub(super) const TRACKING: Command = Command {
    spec: CommandSpec {
        name: "tracking",
        since: "6.0.0",
        group: Group::Connection,
        summary: "Whether the connection is told when keys change that it has read, or that have a prefix.",
        complexity: "O(1), and O(N) in the prefixes the connection has.",
        flags: OWN,
        args: &[
            Arg::one_of("status", &[Arg::word("on", "ON"), Arg::word("off", "OFF")]),
            Arg::integer("client-id").token("REDIRECT").optional(),
            Arg::bytes("prefix").token("PREFIX").optional().multiple_token(),
            Arg::word("bcast", "BCAST").optional(),
            Arg::word("optin", "OPTIN").optional(),
            Arg::word("optout", "OPTOUT").optional(),
            Arg::word("noloop", "NOLOOP").optional(),
        ],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: tracking,
    subcommands: &[],
};

pub(super) const CACHING: Command = Command {
    spec: CommandSpec {
        name: "caching",
        since: "6.0.0",
        group: Group::Connection,
        summary: "Whether what the next command reads is tracked, with OPTIN or OPTOUT.",
        flags: OWN,
        args: &[Arg::one_of("mode", &[Arg::word("yes", "YES"), Arg::word("no", "NO")])],
        reply: &[ReplyShape::Status("OK")],
        ..CommandSpec::EMPTY
    },
    run: caching,
    subcommands: &[],
};

pub(super) const GETREDIR: Command = Command {
    spec: CommandSpec {
        name: "getredir",
        since: "6.0.0",
        group: Group::Connection,
        summary: "Answers the id of the connection that is told in the place of this one.",
        flags: OWN,
        reply: &[ReplyShape::Integer("The id; 0 if nothing is redirected, -1 without tracking.")],
        ..CommandSpec::EMPTY
    },
    run: get_redirect,
    subcommands: &[],
};

pub(super) const TRACKINGINFO: Command = Command {
    spec: CommandSpec {
        name: "trackinginfo",
        since: "6.2.0",
        group: Group::Connection,
        summary: "Answers how the connection tracks keys.",
        flags: OWN,
        reply: &[ReplyShape::Map("`flags`, `redirect` and `prefixes`.")],
        ..CommandSpec::EMPTY
    },
    run: tracking_info,
    subcommands: &[],
};

/// What CLIENT TRACKING asks for.
#[derive(Default)]
struct Options<'a> {
    flags: u32,
    redirect: u64,
    prefixes: Vec<&'a [u8]>,
}

fn parse<'a>(cx: &Context<'_>, args: &mut Args<'a>) -> Result<Options<'a>, CommandError> {
    let mut options = Options::default();
    while args.left() > 0 {
        if args.left() > 1 && args.take_token("redirect") {
            if options.redirect != 0 {
                let text = "ERR A client can only redirect to a single other client";
                return Err(CommandError::text(text));
            }
            let id =
                u64::try_from(args.integer()?).ok().filter(|&id| cx.node.clients.get(id).is_some());
            options.redirect = id.ok_or_else(|| {
                CommandError::text("ERR The client ID you want redirect to does not exist")
            })?;
        } else if args.left() > 1 && args.take_token("prefix") {
            options.prefixes.push(args.bytes()?);
        } else {
            let words = [
                ("bcast", flag::BCAST),
                ("optin", flag::OPTIN),
                ("optout", flag::OPTOUT),
                ("noloop", flag::NOLOOP),
            ];
            let found = words.iter().find(|(word, _)| args.take_token(word));
            options.flags |= found.ok_or(CommandError::Syntax)?.1;
        }
    }
    Ok(options)
}

/// Refuses options that do not go together, or not with what the connection does already.
fn check(cx: &Context<'_>, options: &Options<'_>) -> CommandResult {
    let before = cx.session.info.tracking.load(Ordering::Relaxed);
    let has = |flags: u32| options.flags & flags != 0;
    let had = |flags: u32| before & flags != 0;
    let text = if !has(flag::BCAST) && !options.prefixes.is_empty() {
        "ERR PREFIX option requires BCAST mode to be enabled"
    } else if had(flag::ON) && had(flag::BCAST) != has(flag::BCAST) {
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
         re-enabling it with a different mode."
    } else if has(flag::BCAST) && has(flag::OPTIN | flag::OPTOUT) {
        "ERR OPTIN and OPTOUT are not compatible with BCAST"
    } else if has(flag::OPTIN) && has(flag::OPTOUT) {
        "ERR You can't specify both OPTIN mode and OPTOUT mode"
    } else if (has(flag::OPTIN) && had(flag::OPTOUT)) || (has(flag::OPTOUT) && had(flag::OPTIN)) {
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
         re-enabling it with a different mode."
    } else {
        return check_prefixes(cx, &options.prefixes);
    };
    Err(CommandError::text(text))
}

/// Prefixes of one connection must not be prefixes of each other.
fn check_prefixes(cx: &Context<'_>, prefixes: &[&[u8]]) -> CommandResult {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let refuse = |prefix: &[u8], which: &str, other: &[u8]| {
        Err(CommandError::Text(format!(
            "ERR Prefix '{}' overlaps with {which} prefix '{}'. Prefixes for a single client must not \
             overlap.",
            String::from_utf8_lossy(prefix),
            String::from_utf8_lossy(other),
        )))
    };
    for (at, &prefix) in prefixes.iter().enumerate() {
        if let Some(other) = cx.session.prefixes.iter().find(|other| overlap(prefix, other)) {
            return refuse(prefix, "an existing", other);
        }
        if let Some(other) = prefixes.iter().skip(at + 1).find(|other| overlap(prefix, other)) {
            return refuse(prefix, "another provided", other);
        }
    }
    Ok(())
}

fn tracking(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let status = args.bytes()?;
    let options = parse(cx, args)?;
    if status.eq_ignore_ascii_case(b"on") {
        check(cx, &options)?;
        let Options { flags, redirect, prefixes } = options;
        cx.node.tracking.begin(cx.node, cx.session, flags, redirect, &prefixes);
    } else if status.eq_ignore_ascii_case(b"off") {
        cx.node.tracking.end(cx.node, cx.session);
    } else {
        return Err(CommandError::Syntax);
    }
    cx.reply.ok();
    Ok(())
}

fn caching(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let info = &cx.session.info;
    if !info.tracks(flag::ON) {
        return Err(CommandError::text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
             OPTOUT mode enabled",
        ));
    }
    let (mode, text) = if args.take_token("yes") {
        (
            flag::OPTIN,
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )
    } else if args.take_token("no") {
        (
            flag::OPTOUT,
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )
    } else {
        return Err(CommandError::Syntax);
    };
    if !info.tracks(mode) {
        return Err(CommandError::text(text));
    }
    info.tracking.fetch_or(flag::CACHING, Ordering::Relaxed);
    cx.reply.ok();
    Ok(())
}

/// Who is told: -1 without tracking, 0 for the connection itself.
fn redirect(cx: &Context<'_>) -> i64 {
    let info = &cx.session.info;
    if info.tracks(flag::ON) {
        i64::try_from(info.redirect.load(Ordering::Relaxed)).unwrap_or(i64::MAX)
    } else {
        -1
    }
}

fn get_redirect(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let id = redirect(cx);
    cx.reply.integer(id);
    Ok(())
}

fn tracking_info(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let flags = cx.session.info.tracking.load(Ordering::Relaxed);
    let rows = [
        (flag::BCAST, "bcast"),
        (flag::OPTIN, "optin"),
        (flag::OPTIN | flag::CACHING, "caching-yes"),
        (flag::OPTOUT, "optout"),
        (flag::OPTOUT | flag::CACHING, "caching-no"),
        (flag::NOLOOP, "noloop"),
        (flag::BROKEN, "broken_redirect"),
    ];
    let mut names = vec![if flags & flag::ON != 0 { "on" } else { "off" }];
    names.extend(rows.iter().filter(|(bits, _)| flags & bits == *bits).map(|(_, name)| *name));
    cx.reply.map(3);
    cx.reply.bulk("flags");
    cx.reply.set(names.len());
    for name in names {
        cx.reply.bulk(name);
    }
    cx.reply.bulk("redirect");
    let id = redirect(cx);
    cx.reply.integer(id);
    cx.reply.bulk("prefixes");
    cx.reply.array(cx.session.prefixes.len());
    for prefix in &cx.session.prefixes {
        cx.reply.bulk(prefix);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use engine::Session;
    use engine::mailbox::{Message, Via};
    use std::mem::swap;

    /// What was sent since the last call: to whom, whether redirected, and the words (`_` is null).
    fn mail(server: &Server) -> Vec<(u64, bool, String)> {
        let mail = server.node().mailboxes()[0].take();
        let pushes = mail.into_iter().filter_map(|message| match message {
            Message::Push(push) => Some(push),
            _ => None,
        });
        let text = |bytes: &[u8]| {
            let lines = String::from_utf8_lossy(bytes).into_owned();
            let words =
                lines.split("\r\n").filter(|l| !l.is_empty() && !l.starts_with(['$', '*', '>']));
            words.collect::<Vec<_>>().join(" ")
        };
        let row = |push: engine::mailbox::Push| match push.via {
            Via::Tracking(redirected) => (push.clients[0], redirected, text(&push.resp3)),
            other => panic!("{other:?}"),
        };
        pushes.map(row).collect()
    }

    fn sent(rows: &[(u64, bool, &str)]) -> Vec<(u64, bool, String)> {
        rows.iter().map(|&(id, redirected, words)| (id, redirected, words.to_owned())).collect()
    }

    /// Runs lines as another connection.
    fn other(server: &mut Server, session: &mut Session, lines: &[&str]) {
        swap(&mut server.session, session);
        for line in lines {
            let _reply = server.line(line);
        }
        swap(&mut server.session, session);
    }

    #[test]
    fn options_are_checked_as_stock_does() {
        let mut server = Server::new();
        let gone = "-ERR The client ID you want redirect to does not exist\r\n";
        let opt = "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
                   and then re-enabling it with a different mode.\r\n";
        let bcast = "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
                     and then re-enabling it with a different mode.\r\n";
        let not_tracking = "-ERR CLIENT CACHING can be called only when the client is in tracking mode \
                            with OPTIN or OPTOUT mode enabled\r\n";
        let rows = [
            ("client tracking x", "-ERR syntax error\r\n"),
            ("client tracking on foo", "-ERR syntax error\r\n"),
            ("client tracking on redirect", "-ERR syntax error\r\n"),
            ("client tracking on redirect 0", gone),
            ("client tracking on redirect 9999", gone),
            ("client tracking off redirect 9999", gone),
            ("client tracking on redirect x", "-ERR value is not an integer or out of range\r\n"),
            (
                "client tracking on redirect 1 redirect 1",
                "-ERR A client can only redirect to a single other client\r\n",
            ),
            (
                "client tracking on prefix a",
                "-ERR PREFIX option requires BCAST mode to be enabled\r\n",
            ),
            (
                "client tracking on bcast optin",
                "-ERR OPTIN and OPTOUT are not compatible with BCAST\r\n",
            ),
            (
                "client tracking on optin optout",
                "-ERR You can't specify both OPTIN mode and OPTOUT mode\r\n",
            ),
            ("client caching yes", not_tracking),
            ("client getredir", ":-1\r\n"),
            ("client tracking on optin", "+OK\r\n"),
            ("client getredir", ":0\r\n"),
            ("client tracking on optout", opt),
            ("client tracking on bcast", bcast),
            (
                "client caching no",
                "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n",
            ),
            ("client caching x", "-ERR syntax error\r\n"),
            ("client caching yes", "+OK\r\n"),
            (
                "client trackinginfo",
                "*6\r\n$5\r\nflags\r\n*3\r\n$2\r\non\r\n$5\r\noptin\r\n$11\r\ncaching-yes\r\n\
                 $8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n",
            ),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
    }

    #[test]
    fn prefixes_do_not_overlap() {
        let mut server = Server::new();
        let overlap = ". Prefixes for a single client must not overlap.\r\n";
        let existing = format!("-ERR Prefix 'foo' overlaps with an existing prefix 'foo'{overlap}");
        let provided =
            format!("-ERR Prefix 'foobar' overlaps with another provided prefix 'foo'{overlap}");
        let everything = format!("-ERR Prefix 'zz' overlaps with an existing prefix ''{overlap}");
        let rows = [
            ("client tracking on bcast prefix foobar prefix foo", &*provided),
            ("client tracking on bcast prefix foo", "+OK\r\n"),
            ("client tracking on bcast prefix foo", &existing),
            ("client tracking on bcast", "+OK\r\n"),
            ("client tracking on bcast prefix zz", &everything),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        server.line("hello 3");
        let rows = [
            (
                "client trackinginfo",
                "%3\r\n$5\r\nflags\r\n~2\r\n$2\r\non\r\n$5\r\nbcast\r\n\
                 $8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*2\r\n$0\r\n\r\n$3\r\nfoo\r\n",
            ),
            ("reset", "+RESET\r\n"),
            ("client getredir", ":-1\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        assert_eq!(server.node().tracking.clients(), 0);
        assert_eq!(server.node().tracking.counts(), (0, 0, 0));
    }

    #[test]
    fn readers_are_told_once_of_each_change() {
        let mut server = Server::new();
        let mut writer = server.other_session();
        server.line("client tracking on");
        server.line("mset a 1 b 1 {c}1 1 {c}2 1");
        server.line("get a");
        server.line("mget {c}1 {c}2 absent");
        assert_eq!(server.node().tracking.counts(), (4, 4, 0));
        other(
            &mut server,
            &mut writer,
            &["incr b", "incr a", "incr a", "set {c}2 x", "set absent 1"],
        );
        let expected = sent(&[
            (1, false, "invalidate a"),
            (1, false, "invalidate {c}2"),
            (1, false, "invalidate absent"),
        ]);
        assert_eq!(mail(&server), expected);
        // What changes nothing says nothing; one's own changes are told, unless it does not want it.
        server.line("get b");
        other(&mut server, &mut writer, &["del nothing", "set b 2 nx", "append", "lpush b"]);
        assert_eq!(mail(&server), []);
        server.line("set b 3");
        assert_eq!(mail(&server), sent(&[(1, false, "invalidate b")]));
        server.line("client tracking on noloop");
        server.line("get b");
        server.line("set b 3");
        assert_eq!(mail(&server), []);
        server.line("get b");
        server.line("client tracking off");
        other(&mut server, &mut writer, &["set b 4"]);
        assert_eq!(mail(&server), []);
    }

    #[test]
    fn expiry_flush_and_a_full_table_tell_too() {
        let mut server = Server::new();
        let mut writer = server.other_session();
        server.line("client tracking on noloop");
        server.line("set a 1 px 100");
        assert_eq!(server.line("get a"), "$1\r\n1\r\n");
        while server.line("exists a") == ":1\r\n" {}
        assert_eq!(mail(&server), sent(&[(1, false, "invalidate a")]));
        server.line("get b");
        other(&mut server, &mut writer, &["flushall"]);
        assert_eq!(mail(&server), sent(&[(1, false, "invalidate _")]));
        assert_eq!(server.node().tracking.counts(), (0, 0, 0));
        (0..20).for_each(|at| drop(server.line(&format!("get key{at}"))));
        server.line("config set tracking-table-max-keys 5");
        assert_eq!((mail(&server).len(), server.node().tracking.counts()), (15, (5, 5, 0)));
        server.line("get another");
        assert_eq!((mail(&server).len(), server.node().tracking.counts()), (1, (5, 5, 0)));
    }

    #[test]
    fn prefixes_get_one_message_each() {
        let mut server = Server::new();
        let mut writer = server.other_session();
        server.line("client tracking on bcast prefix a prefix b noloop");
        other(&mut server, &mut writer, &["mset a1 1 b1 1 c 1 a2 1 a2 2"]);
        let expected = sent(&[(1, false, "invalidate a1 a2"), (1, false, "invalidate b1")]);
        assert_eq!(mail(&server), expected);
        server.line("set a1 x");
        assert_eq!((mail(&server), server.node().tracking.counts()), (vec![], (0, 0, 2)));
    }

    #[test]
    fn redirection_and_its_end() {
        let mut server = Server::new();
        let (mut writer, receiver) = (server.other_session(), server.other_session());
        let id = receiver.info.id;
        server.line(&format!("client tracking on redirect {id}"));
        server.check("client getredir", &format!(":{id}\r\n"));
        assert!(server.line("client info").contains(" flags=t "));
        server.line("get a");
        other(&mut server, &mut writer, &["set a 1"]);
        assert_eq!(mail(&server), sent(&[(id, true, "invalidate a")]));
        server.node().clients.remove(id);
        server.line("get a");
        other(&mut server, &mut writer, &["set a 1"]);
        let broken = format!("tracking-redir-broken :{id}");
        assert_eq!(mail(&server), sent(&[(1, false, &broken)]));
        assert!(server.line("client info").contains(" flags=tR "));
        assert!(server.line("client info").contains(&format!(" redir={id} ")));
        assert!(server.line("client trackinginfo").contains("broken_redirect"));
    }

    #[test]
    fn only_what_is_asked_for_is_tracked() {
        let mut server = Server::new();
        server.line("client tracking on optin");
        for line in ["get a", "client caching yes", "get b", "get c"] {
            server.line(line);
        }
        for line in ["client caching yes", "multi", "get d", "get e", "exec", "get f"] {
            server.line(line);
        }
        assert_eq!(server.node().tracking.counts(), (3, 3, 0));
        server.line("client tracking off");
        server.line("client tracking on optout");
        for line in ["client caching no", "get g", "get h"] {
            server.line(line);
        }
        assert_eq!(server.node().tracking.counts(), (4, 4, 0));
    }

    #[test]
    fn a_transaction_tells_at_its_end_and_a_later_read_counts() {
        let mut server = Server::new();
        let mut writer = server.other_session();
        server.line("client tracking on noloop");
        for line in ["get a", "multi", "set a 1", "get a"] {
            server.line(line);
        }
        server.check("exec", "*2\r\n+OK\r\n$1\r\n1\r\n");
        assert_eq!(mail(&server), []);
        let mark = server.session.mail_mark;
        assert_eq!(mark, server.node().mailboxes()[0].sent());
        other(&mut server, &mut writer, &["multi", "set a 2", "set b 1", "exec"]);
        assert_eq!(mail(&server), sent(&[(1, false, "invalidate a")]));
        server.line("get b");
        assert_eq!(server.session.mail_mark, mark + 1);
    }
}
