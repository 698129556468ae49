//! Connections to a server: sentinels, clients, starting nodes; replicas turn into bytes.

use crate::network::{Notice, Payload, Side};
use crate::setup::host_of;
use crate::world::World;
use psync::primary::ReplicaId;
use sentinel::Reply;

impl World {
    /// Something happened on a connection to a server.
    pub(crate) fn session(&mut self, node: usize, connection: u64, notice: Notice) {
        match notice {
            Notice::Opened => {}
            Notice::Closed => {
                self.drop_session(node, connection);
                let now = self.now;
                self.nodes[node].server.primary.handle_closed(now, ReplicaId(connection));
            }
            Notice::Data(Payload::Command(command)) => {
                self.nodes[node].server.sessions.entry(connection).or_default();
                if let Some(reply) = self.command(node, connection, command) {
                    self.send(connection, Side::Caller, Payload::Reply(reply));
                }
            }
            Notice::Data(Payload::Bytes(bytes)) => self.replica_bytes(node, connection, &bytes),
            Notice::Data(Payload::Reply(_)) => {
                self.violate(format!("a reply was sent to the server of node {node}"));
            }
        }
        self.server_turn(node);
    }

    fn command(&mut self, node: usize, connection: u64, command: Vec<Vec<u8>>) -> Option<Reply> {
        let session = self.nodes[node].server.sessions.get_mut(&connection)?;
        let name = command.first().cloned().unwrap_or_default();
        if name == b"EXEC" {
            let queued = session.queued.take()?;
            let replies = queued.into_iter();
            let replies = replies.filter_map(|c| self.execute(node, connection, &c)).collect();
            return Some(Reply::Array(replies));
        }
        if let Some(queued) = &mut session.queued {
            queued.push(command);
            return Some(Reply::Status("QUEUED".to_owned()));
        }
        if name == b"MULTI" {
            session.queued = Some(Vec::new());
            return Some(Reply::ok());
        }
        self.execute(node, connection, &command)
    }

    fn execute(&mut self, node: usize, connection: u64, command: &[Vec<u8>]) -> Option<Reply> {
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let reply = match args.as_slice() {
            [b"PING"] => Reply::Status("PONG".to_owned()),
            [b"INFO", ..] => Reply::bulk(self.info(node)),
            [b"SUBSCRIBE", channel] => {
                let session = self.nodes[node].server.sessions.get_mut(&connection)?;
                session.subscribed = true;
                let words = [Reply::bulk("subscribe"), Reply::bulk(channel), Reply::Integer(1)];
                Reply::Array(words.into())
            }
            [b"PUBLISH", channel, text] => self.publish(node, channel, text),
            [b"SLAVEOF", b"NO", b"ONE"] => {
                self.trace.note(self.now, format_args!("node {node} is promoted"));
                self.promote(node);
                Reply::ok()
            }
            [b"SLAVEOF", host, _port] => {
                let primary = std::str::from_utf8(host).ok().and_then(host_of);
                match primary {
                    Some(primary) if primary != node => {
                        self.trace.note(self.now, format_args!("node {node} follows {primary}"));
                        self.follow(node, primary);
                        Reply::ok()
                    }
                    _ => Reply::Error("ERR Invalid master".to_owned()),
                }
            }
            [b"CONFIG", b"REWRITE"] => {
                let here = &mut self.nodes[node];
                here.disk.follows = here.server.follows;
                Reply::ok()
            }
            [b"CLIENT", b"KILL", b"TYPE", kind] => self.kill_clients(node, connection, kind),
            [b"SET", key, _] if self.nodes[node].server.follows.is_some() => {
                self.trace.note(self.now, format_args!("READONLY {}", key.escape_ascii()));
                Reply::Error("READONLY You can't write against a read only replica.".to_owned())
            }
            [b"SET", ..] => {
                self.originate(node, &args);
                Reply::ok()
            }
            _ => Reply::ok(),
        };
        Some(reply)
    }

    fn publish(&mut self, node: usize, channel: &[u8], text: &[u8]) -> Reply {
        let sessions = &self.nodes[node].server.sessions;
        let subscribed = sessions.iter().filter(|(_, session)| session.subscribed);
        let listeners: Vec<u64> = subscribed.map(|(&connection, _)| connection).collect();
        let message = [Reply::bulk("message"), Reply::bulk(channel), Reply::bulk(text)];
        for &connection in &listeners {
            let message = Reply::Array(message.to_vec());
            self.send(connection, Side::Caller, Payload::Reply(message));
        }
        Reply::Integer(i64::try_from(listeners.len()).unwrap_or(i64::MAX))
    }

    /// CLIENT KILL TYPE: of all of that kind, but not of the one who asks.
    fn kill_clients(&mut self, node: usize, caller: u64, kind: &[u8]) -> Reply {
        let pubsub = kind == b"pubsub";
        let sessions = &self.nodes[node].server.sessions;
        let doomed = sessions.iter().filter(|&(&connection, session)| {
            connection != caller && !session.is_replica && session.subscribed == pubsub
        });
        let doomed: Vec<u64> = doomed.map(|(&connection, _)| connection).collect();
        for &connection in &doomed {
            self.drop_session(node, connection);
        }
        Reply::Integer(i64::try_from(doomed.len()).unwrap_or(i64::MAX))
    }
}
