//! ROLE: the node's place in replication, for sentinels and clients.

use engine::replication::LinkState;
use engine::{Args, Command, CommandResult, Context};
use spec::{Category, CommandSpec, Flag, Group, ReplyShape};

/// ROLE.
pub const ROLE: Command = Command {
    spec: CommandSpec {
        name: "role",
        since: "2.8.12",
        group: Group::Server,
        summary: "Answers the server's role in replication.",
        complexity: "O(N) in the replicas.",
        flags: &[Flag::NoScript, Flag::Loading, Flag::Stale, Flag::Fast],
        categories: &[Category::Admin, Category::Dangerous],
        reply: &[
            ReplyShape::Array(
                "A primary: `master`, offset, and each replica's address and offset.",
            ),
            ReplyShape::Array(
                "A replica: `slave`, the primary's address, the link and the offset.",
            ),
        ],
        ..CommandSpec::EMPTY
    },
    run: role,
    subcommands: &[],
};

fn role(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let end = i64::try_from(cx.node.log.end().0).unwrap_or(i64::MAX);
    let (primary, link, replicas) = {
        let state = cx.node.replication.state();
        (state.primary.clone(), state.link.state, state.replicas.clone())
    };
    let reply = &mut cx.reply;
    if let Some(primary) = primary {
        let connected = link == LinkState::Connected;
        reply.array(5);
        reply.bulk("slave");
        reply.bulk(primary.host);
        reply.integer(i64::from(primary.port));
        reply.bulk(match link {
            LinkState::Connect => "connect",
            LinkState::Connecting => "connecting",
            LinkState::Sync => "sync",
            LinkState::Connected => "connected",
        });
        reply.integer(if connected { end } else { -1 });
        return Ok(());
    }
    let online: Vec<_> = replicas.iter().filter(|replica| replica.state == "online").collect();
    reply.array(3);
    reply.bulk("master");
    reply.integer(end);
    reply.array(online.len());
    for replica in online {
        reply.array(3);
        reply.bulk(&replica.host);
        reply.bulk_integer(i64::from(replica.port));
        reply.bulk(replica.offset.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::harness::Server;
    use base::Offset;
    use engine::replication::{Link, LinkState, ReplicaRow};

    fn row(port: u16, state: &'static str) -> ReplicaRow {
        let offset = Offset(7);
        ReplicaRow { host: "127.0.0.1".into(), port, state, offset, lag_ms: 0, lag_bytes: 0 }
    }

    #[test]
    fn a_primary_names_its_online_replicas() {
        let mut server = Server::new();
        server.check("role", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
        let rows = vec![row(7001, "online"), row(7002, "wait_bgsave")];
        server.node().replication.publish_replicas(rows, vec![Offset(7)], vec![], 1);
        server.check(
            "role",
            "*3\r\n$6\r\nmaster\r\n:0\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n7001\r\n$1\r\n7\r\n",
        );
    }

    #[test]
    fn a_replica_tells_its_link() {
        let mut server = Server::new();
        server.check("replicaof 127.0.0.1 7000", "+OK\r\n");
        let states = [
            (LinkState::Connect, "$7\r\nconnect\r\n:-1"),
            (LinkState::Connecting, "$10\r\nconnecting\r\n:-1"),
            (LinkState::Sync, "$4\r\nsync\r\n:-1"),
            (LinkState::Connected, "$9\r\nconnected\r\n:0"),
        ];
        for (state, expected) in states {
            server.node().replication.publish_link(Link { state, ..Link::default() });
            let head = "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7000\r\n";
            server.check("role", &format!("{head}{expected}\r\n"));
        }
    }
}
