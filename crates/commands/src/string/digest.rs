//! DIGEST key: the digest of a string, for IFDEQ and IFDNE.

use engine::{Args, Command, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::string::digest as digest_of;

/// DIGEST.
pub const DIGEST: Command = Command {
    spec: CommandSpec {
        name: "digest",
        since: "8.4.0",
        group: Group::String,
        summary: "Answers the XXH3 digest of the string at a key, in hexadecimal.",
        complexity: "O(N) in the bytes of the string.",
        flags: &[Flag::ReadOnly, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadOnly])],
        args: &[Arg::key("key")],
        reply: &[
            ReplyShape::Bulk("The digest, 16 digits."),
            ReplyShape::Null("There is no such key."),
        ],
        ..CommandSpec::EMPTY
    },
    run: digest,
    subcommands: &[],
};

fn digest(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    match cx.keys.string(key)? {
        Some(text) => cx.reply.bulk(digest_of(text.bytes(&mut itoa::Buffer::new()))),
        None => cx.reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    /// The first value is the documentation's.
    #[test]
    fn digests_the_text_whatever_its_form() {
        let mut server = Server::new();
        server.check("digest k", "$-1\r\n");
        server.check("set k \"Hello world\"", "+OK\r\n");
        server.check("digest k", "$16\r\nb6acb9d84a38ff74\r\n");
        server.check("set n 12", "+OK\r\n");
        server.check("append raw 12", ":2\r\n");
        assert_eq!(server.line("digest n"), server.line("digest raw"));
    }
}
