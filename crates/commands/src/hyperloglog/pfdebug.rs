//! PFDEBUG subcommand key, and PFSELFTEST: for who tests `HyperLogLogs`.

use super::{checked, refused, store};
use base::random::Random;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::hyperloglog::{Encoding, REGISTERS, Union, become_dense, decoded, encoding, self_test};

/// PFDEBUG.
pub const PFDEBUG: Command = Command {
    spec: CommandSpec {
        name: "pfdebug",
        since: "2.8.9",
        group: Group::HyperLogLog,
        summary: "Looks into a HyperLogLog: ENCODING, DECODE, GETREG, or makes it dense: TODENSE.",
        complexity: "N/A",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Admin],
        keys: &[KeySpec::one(2, &[KeyFlag::ReadWrite, KeyFlag::Access])],
        args: &[Arg::bytes("subcommand"), Arg::key("key")],
        reply: &[ReplyShape::Any("Depends on the subcommand.")],
        internal: true,
        ..CommandSpec::EMPTY
    },
    run: pfdebug,
    subcommands: &[],
};

/// PFSELFTEST.
pub const PFSELFTEST: Command = Command {
    spec: CommandSpec {
        name: "pfselftest",
        since: "2.8.9",
        group: Group::HyperLogLog,
        summary: "Tests the implementation of HyperLogLogs.",
        complexity: "N/A",
        flags: &[Flag::Admin],
        reply: &[ReplyShape::Status("OK")],
        internal: true,
        ..CommandSpec::EMPTY
    },
    run: pfselftest,
    subcommands: &[],
};

fn pfdebug(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (subcommand, key) = (args.bytes()?, args.key()?);
    let Some(text) = cx.keys.peek_string(key)? else {
        return Err(CommandError::text("ERR The specified key does not exist"));
    };
    let bytes = checked(&text)?;
    if subcommand.eq_ignore_ascii_case(b"getreg") {
        let mut union = Union::default();
        union.add(bytes).map_err(refused)?;
        make_dense(cx, key)?;
        cx.reply.array(REGISTERS);
        union.registers().iter().for_each(|run| cx.reply.integer(i64::from(*run)));
    } else if subcommand.eq_ignore_ascii_case(b"decode") {
        let Some(operations) = decoded(bytes).map_err(refused)? else {
            return Err(CommandError::text("ERR HLL encoding is not sparse"));
        };
        cx.reply.bulk(operations);
    } else if subcommand.eq_ignore_ascii_case(b"encoding") {
        cx.reply.simple(match encoding(bytes).map_err(refused)? {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        });
    } else if subcommand.eq_ignore_ascii_case(b"todense") {
        let converted = make_dense(cx, key)?;
        cx.reply.integer(i64::from(converted));
    } else {
        let name = String::from_utf8_lossy(subcommand);
        return Err(CommandError::text(format!("ERR Unknown PFDEBUG subcommand '{name}'")));
    }
    Ok(())
}

/// Makes the one at `key` dense; false if it was, or is gone.
fn make_dense(cx: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let Some(text) = cx.keys.peek_string(key)? else { return Ok(false) };
    let mut bytes = checked(&text)?.to_vec();
    let converted = become_dense(&mut bytes).map_err(refused)?;
    if converted {
        store(cx, key, bytes)?;
        cx.effects.changed_silently();
    }
    Ok(converted)
}

fn pfselftest(cx: &mut Context<'_>, _: &mut Args<'_>) -> CommandResult {
    self_test(&mut Random::from_system()).map_err(CommandError::text)?;
    cx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn looks_into_it() {
        let mut server = Server::new();
        for (line, expected) in [
            ("pfadd h a b", ":1\r\n"),
            ("pfdebug encoding h", "+sparse\r\n"),
            ("pfdebug DECODE h", "$32\r\nZ:12711 v:2,1 Z:3068 v:1,1 Z:603\r\n"),
            ("pfdebug foo h", "-ERR Unknown PFDEBUG subcommand 'foo'\r\n"),
            ("pfdebug foo nope", "-ERR The specified key does not exist\r\n"),
            ("set s x", "+OK\r\n"),
            ("pfdebug foo s", "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n"),
            ("pfdebug todense h", ":1\r\n"),
            ("pfdebug todense h", ":0\r\n"),
            ("pfdebug decode h", "-ERR HLL encoding is not sparse\r\n"),
            ("pfdebug encoding h", "+dense\r\n"),
            ("pfselftest", "+OK\r\n"),
            ("pfselftest x", "-ERR wrong number of arguments for 'pfselftest' command\r\n"),
        ] {
            server.check(line, expected);
        }
        server.check_log("pfdebug todense h", &[]);
        server.line("pfadd g a b");
        server.check_log("pfdebug getreg g", &["pfdebug getreg g"]);
        let registers = server.line("pfdebug getreg g");
        assert!(registers.starts_with("*16384\r\n:0\r\n"));
        assert_eq!(registers.matches(":0\r\n").count(), 16382);
        server.check_log("pfdebug getreg g", &[]);
    }
}
