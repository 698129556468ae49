//! AUTH [username] password. There is one user, `default`, whose password is `requirepass`.

use engine::{Args, Command, CommandError, CommandResult, Context, Node};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// The one user there is.
const USER: &[u8] = b"default";

/// AUTH.
pub const AUTH: Command = Command {
    spec: CommandSpec {
        name: "auth",
        since: "1.0.0",
        group: Group::Connection,
        summary: "Authenticates the connection.",
        complexity: "O(N) in the bytes of the password.",
        flags: &[
            Flag::NoScript,
            Flag::Loading,
            Flag::Stale,
            Flag::Fast,
            Flag::NoAuth,
            Flag::AllowBusy,
        ],
        args: &[Arg::bytes("username").optional(), Arg::bytes("password")],
        reply: &[ReplyShape::Status("OK")],
        history: &[("6.0.0", "Takes a username.")],
        ..CommandSpec::EMPTY
    },
    run: auth,
    subcommands: &[],
};

fn auth(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let first = args.bytes()?;
    match args.next() {
        Some(password) => {
            args.end()?;
            check(cx.node, first, password)?;
        }
        None if cx.node.settings.requirepass.is_empty() => {
            return Err(CommandError::text(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        None => check(cx.node, USER, first)?,
    }
    cx.session.authenticated = true;
    cx.reply.ok();
    Ok(())
}

/// Whether `user` may come in with `password`. Without `requirepass` any password will do, as for a
/// user of stock that has `nopass`.
pub(super) fn check(node: &Node, user: &[u8], password: &[u8]) -> CommandResult {
    let wanted = node.settings.requirepass.get();
    let right = user == USER && (wanted.is_empty() || is_same(&wanted, password));
    if right { Ok(()) } else { Err(CommandError::WrongPass) }
}

/// Compares in a time that tells nothing of where two texts differ, only of the given one's length.
fn is_same(wanted: &[u8], given: &[u8]) -> bool {
    let mut differs = u8::from(wanted.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        let other = wanted.get(at % wanted.len().max(1)).copied().unwrap_or(0);
        differs |= std::hint::black_box(byte ^ other);
    }
    differs == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;
    use crate::harness::Server;

    const WRONG: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

    #[test]
    fn compares_whole_texts() {
        let rows = [("a", "a", true), ("ab", "a", false), ("a", "ab", false), ("aa", "a", false)];
        for (wanted, given, expected) in rows {
            assert_eq!(is_same(wanted.as_bytes(), given.as_bytes()), expected, "{wanted} {given}");
        }
        assert!(!is_same(b"a", b"") && !is_same(b"", b"a") && is_same(b"", b""));
    }

    #[test]
    fn without_a_password() {
        let mut server = Server::new();
        let text = "-ERR AUTH <password> called without any password configured for the default \
                    user. Are you sure your configuration is correct?\r\n";
        server.check("auth x", text);
        server.check("auth default x", "+OK\r\n");
        server.check("auth nobody x", WRONG);
        server.check("auth a b c", "-ERR syntax error\r\n");
        server.check("auth", "-ERR wrong number of arguments for 'auth' command\r\n");
    }

    #[test]
    fn with_a_password() {
        let mut server = Server::new();
        server.node().settings.requirepass.set(b"secret"[..].into());
        server.session.authenticated = false;
        server.check("ping", "-NOAUTH Authentication required.\r\n");
        server.check("auth x", WRONG);
        server.check("auth nobody secret", WRONG);
        server.check("ping", "-NOAUTH Authentication required.\r\n");
        server.check("auth secret", "+OK\r\n");
        server.check("ping", "+PONG\r\n");
        server.check("auth x", WRONG);
        server.check("ping", "+PONG\r\n");
        server.session.authenticated = false;
        server.check("auth default secret", "+OK\r\n");
    }
}
