//! REPLCONF option value ...: what a connection says of itself before it asks to be a replica.
//!
//! Options are gathered in the session; the machine that adopts the connection reads them. Redoubt
//! nodes add options that begin with `redoubt-` (see crate `psync`), which stock refuses and both
//! sides then do without.

use engine::error::CommandError;
use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, ReplyShape};

/// The longest announced address.
const IP_BYTES_MAX: usize = 255;

/// Options that one connection may gather.
const OPTIONS_MAX: usize = 64;

/// REPLCONF.
pub const REPLCONF: Command = Command {
    spec: CommandSpec {
        name: "replconf",
        since: "3.0.0",
        group: Group::Server,
        summary: "Internal: describes a replica to its primary.",
        complexity: "O(1)",
        flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale, Flag::AllowBusy],
        args: &[Arg::block("option", &[Arg::bytes("name"), Arg::bytes("value")])
            .optional()
            .multiple()],
        reply: &[ReplyShape::Status("OK")],
        internal: true,
        ..CommandSpec::EMPTY
    },
    run: replconf,
    subcommands: &[],
};

fn replconf(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    if !args.left().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let mut options = Vec::new();
    while let Some(name) = args.next() {
        let (name, value) = (name.to_ascii_lowercase(), args.bytes()?);
        // Acknowledgements belong to links; from a client they are not even answered.
        if matches!(&name[..], b"ack" | b"getack") {
            return Ok(());
        }
        check(&name, value)?;
        options.push((name, value.to_vec()));
    }
    let asks_identity = options
        .iter()
        .any(|(name, _)| std::str::from_utf8(name).is_ok_and(psync::PeerIdentity::knows));
    let replica = cx.session.replica.get_or_insert_default();
    if replica.options.len() + options.len() > OPTIONS_MAX {
        return Err(CommandError::text("ERR too many REPLCONF options"));
    }
    replica.options.extend(options);
    if asks_identity {
        cx.reply.simple(cx.node.identity().answer());
    } else {
        cx.reply.ok();
    }
    Ok(())
}

fn check(name: &[u8], value: &[u8]) -> CommandResult {
    let integer = || values::string::parse_i64(value).ok_or(CommandError::NotInteger);
    match name {
        b"listening-port" => integer().map(|_| ()),
        b"ip-address" if value.len() > IP_BYTES_MAX => Err(CommandError::Text(format!(
            "ERR REPLCONF ip-address provided by replica instance is too long: {} bytes",
            value.len()
        ))),
        b"rdb-only" if !(0..=1).contains(&integer()?) => {
            Err(CommandError::text("ERR value is out of range, value must between 0 and 1"))
        }
        b"ip-address" | b"capa" | b"version" | b"rdb-only" | b"rdb-filter-only" => Ok(()),
        _ if name.starts_with(b"redoubt-") => Ok(()),
        _ => Err(CommandError::Text(format!(
            "ERR Unrecognized REPLCONF option: {}",
            String::from_utf8_lossy(name)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn options_are_gathered() {
        let mut server = Server::new();
        server.check("replconf listening-port 6380 capa eof capa psync2", "+OK\r\n");
        server.check("REPLCONF redoubt-node abc", "+OK\r\n");
        let options = server.session.replica.as_ref().expect("options").options.clone();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let shown: Vec<_> = options.iter().map(|(n, v)| (text(n), text(v))).collect();
        let expected = [
            ("listening-port", "6380"),
            ("capa", "eof"),
            ("capa", "psync2"),
            ("redoubt-node", "abc"),
        ];
        assert_eq!(shown, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_node_that_says_who_it_is_is_told_who_we_are() {
        let mut server = Server::new();
        let id = "a".repeat(40);
        let reply = server.line(&format!("replconf redoubt-group-id {id} redoubt-epoch 3"));
        let node = server.node().node_id;
        assert!(reply.starts_with("+OK redoubt-group-id "), "{reply}");
        assert!(reply.contains(&format!(" redoubt-node-id {node} ")), "{reply}");
    }

    #[test]
    fn refuses_as_stock_does() {
        let mut server = Server::new();
        let rows = [
            ("replconf", "+OK\r\n"),
            ("replconf listening-port", "-ERR syntax error\r\n"),
            ("replconf listening-port x", "-ERR value is not an integer or out of range\r\n"),
            ("replconf foo bar", "-ERR Unrecognized REPLCONF option: foo\r\n"),
            ("replconf ack 1", ""),
            ("replconf getack *", ""),
            ("replconf rdb-only 2", "-ERR value is out of range, value must between 0 and 1\r\n"),
            ("replconf rdb-only x", "-ERR value is not an integer or out of range\r\n"),
        ];
        for (line, expected) in rows {
            server.check(line, expected);
        }
        let long = format!("replconf ip-address {}", "x".repeat(300));
        let text = "REPLCONF ip-address provided by replica instance is too long: 300 bytes";
        server.check(&long, &format!("-ERR {text}\r\n"));
    }
}
