//! HELLO [protover [AUTH username password] [SETNAME clientname]]: greets, and chooses the protocol.

use super::{auth, client};
use engine::snapshot::REDIS_VERSION;
use engine::{Args, Command, CommandError, CommandResult, Context};
use resp::reply::Protocol;
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};
use std::sync::atomic::Ordering;

/// HELLO.
pub const HELLO: Command = Command {
    spec: CommandSpec {
        name: "hello",
        since: "6.0.0",
        group: Group::Connection,
        summary: "Greets the server and chooses the protocol.",
        flags: &[
            Flag::NoScript,
            Flag::Loading,
            Flag::Stale,
            Flag::Fast,
            Flag::NoAuth,
            Flag::AllowBusy,
        ],
        args: &[Arg::block(
            "arguments",
            &[
                Arg::integer("protover"),
                Arg::block("username_password", &[Arg::bytes("username"), Arg::bytes("password")])
                    .token("AUTH")
                    .optional(),
                Arg::bytes("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()],
        reply: &[ReplyShape::Map("Facts of the server and the connection.")],
        history: &[("6.2.0", "Without arguments it changes nothing.")],
        ..CommandSpec::EMPTY
    },
    run: hello,
    subcommands: &[],
};

fn hello(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let protocol = match args.next() {
        None => cx.session.protocol,
        Some(version) => match values::string::parse_i64(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(CommandError::text("NOPROTO unsupported protocol version")),
            None => {
                return Err(CommandError::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        },
    };
    let mut name = None;
    let mut credentials = None;
    while let Some(option) = args.next() {
        if option.eq_ignore_ascii_case(b"auth") && args.left() >= 2 {
            credentials = Some((args.bytes()?, args.bytes()?));
        } else if option.eq_ignore_ascii_case(b"setname") && args.left() >= 1 {
            let given = args.bytes()?;
            client::check_name(given, "Client names")?;
            name = Some(given);
        } else {
            let option = String::from_utf8_lossy(option);
            return Err(CommandError::Text(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if let Some((user, password)) = credentials {
        auth::check(cx.node, user, password)?;
        cx.session.authenticated = true;
    }
    if !cx.session.authenticated {
        return Err(CommandError::text(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
             protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        cx.session.info.names.lock().name = name.to_vec();
    }
    cx.session.protocol = protocol;
    cx.session.info.resp3.store(protocol == Protocol::Resp3, Ordering::Relaxed);
    cx.reply.set_protocol(protocol);
    answer(cx);
    Ok(())
}

fn answer(cx: &mut Context<'_>) {
    let is_replica = cx.node.replication.is_replica();
    let id = i64::try_from(cx.session.info.id).unwrap_or(i64::MAX);
    let reply = &mut cx.reply;
    reply.map(7);
    reply.bulk("server");
    reply.bulk("redis");
    reply.bulk("version");
    reply.bulk(REDIS_VERSION);
    reply.bulk("proto");
    reply.integer(if reply.is_resp3() { 3 } else { 2 });
    reply.bulk("id");
    reply.integer(id);
    reply.bulk("mode");
    reply.bulk("standalone");
    reply.bulk("role");
    reply.bulk(if is_replica { "replica" } else { "master" });
    reply.bulk("modules");
    reply.array(0);
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    fn greeting(head: &str, proto: u8, role: &str) -> String {
        format!(
            "{head}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n\
             $5\r\nproto\r\n:{proto}\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n\
             $4\r\nrole\r\n{role}\r\n$7\r\nmodules\r\n*0\r\n"
        )
    }

    #[test]
    fn chooses_the_protocol() {
        let mut server = Server::new();
        let (two, three) = (greeting("*14", 2, "$6\r\nmaster"), greeting("%7", 3, "$6\r\nmaster"));
        server.check("hello", &two);
        server.check("hello 3", &three);
        server.check("get nokey", "_\r\n");
        server.check("hello", &three);
        server.check("hello 2 setname me", &two);
        server.check("get nokey", "$-1\r\n");
        server.check("client getname", "$2\r\nme\r\n");
        server.check("replicaof 10.0.0.1 1", "+OK\r\n");
        server.check("hello", &greeting("*14", 2, "$7\r\nreplica"));
    }

    #[test]
    fn refuses_as_stock_does() {
        let mut server = Server::new();
        let rows = [
            ("hello x", "-ERR Protocol version is not an integer or out of range\r\n"),
            ("hello 4", "-NOPROTO unsupported protocol version\r\n"),
            ("hello 3 foo", "-ERR Syntax error in HELLO option 'foo'\r\n"),
            ("hello 3 auth default", "-ERR Syntax error in HELLO option 'auth'\r\n"),
            (
                "hello 3 auth nobody x",
                "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
            ),
            (
                "hello 3 setname \"a b\"",
                "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
            ),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        server.check("get nokey", "$-1\r\n");
    }

    #[test]
    fn authenticates() {
        let mut server = Server::new();
        server.node().settings.requirepass.set(b"pw"[..].into());
        server.session.authenticated = false;
        assert!(server.line("hello 3").starts_with("-NOAUTH HELLO must be called with the client"));
        assert!(server.line("hello 3 auth default x").starts_with("-WRONGPASS "));
        server.check("get k", "-NOAUTH Authentication required.\r\n");
        let expected = greeting("%7", 3, "$6\r\nmaster");
        server.check("hello 3 auth default pw", &expected);
        server.check("get k", "_\r\n");
    }
}
