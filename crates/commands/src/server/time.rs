//! TIME: the server's clock.

use engine::{Args, Command, CommandResult, Context};
use spec::{CommandSpec, Flag, Group, ReplyShape};

/// TIME.
pub const TIME: Command = Command {
    spec: CommandSpec {
        name: "time",
        since: "2.6.0",
        group: Group::Server,
        summary: "Answers the server's time.",
        flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
        reply: &[ReplyShape::Array("Seconds since 1970, and microseconds within the second.")],
        tips: &["nondeterministic_output"],
        ..CommandSpec::EMPTY
    },
    run: time,
    subcommands: &[],
};

fn time(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let now_us = base::clock::unix_us();
    cx.reply.array(2);
    cx.reply.bulk((now_us / 1_000_000).to_string());
    cx.reply.bulk((now_us % 1_000_000).to_string());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;

    #[test]
    fn seconds_and_microseconds() {
        let before = base::clock::unix_us();
        let reply = Server::new().line("time");
        let parts: Vec<&str> = reply.split("\r\n").collect();
        assert_eq!((parts[0], parts[1]), ("*2", "$10"));
        let told = parts[2].parse::<u64>().unwrap() * 1_000_000 + parts[4].parse::<u64>().unwrap();
        assert!((before..=base::clock::unix_us()).contains(&told), "{reply:?}");
    }
}
