//! The commands a sentinel answers, as functions of the machine, the arguments and the time.
//!
//! [`Sentinel::handle_command`] queues the answer as an action, behind whatever it depends on.
//! What belongs to a connection (AUTH, HELLO, CLIENT, subscriptions) is the driver's.

mod answer;
mod configure;
mod show;

use crate::action::{Action, ClientId, Reply};
use crate::hello::HELLO_CHANNEL;
use crate::machine::Sentinel;
use base::Millis;

/// What INFO shows that only the driver knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Lines of `# Server` after those the machine writes itself: `name:value`.
    pub server: Vec<(&'static str, String)>,
    /// Lines of `# Clients`.
    pub clients: Vec<(&'static str, String)>,
    /// Lines of `# CPU`.
    pub cpu: Vec<(&'static str, String)>,
    /// Lines of `# Stats`.
    pub stats: Vec<(&'static str, String)>,
}

/// True if the machine, not the driver, answers `command` (in lower case).
pub fn handles(command: &[u8]) -> bool {
    matches!(command, b"sentinel" | b"ping" | b"info" | b"role" | b"publish")
}

/// A refusal: the text of the error reply.
pub(crate) type Refusal = String;

impl Sentinel {
    /// Answers a command of a client; the answer comes as [`Action::Reply`].
    pub fn handle_command(
        &mut self,
        now: Millis,
        client: ClientId,
        args: &[Vec<u8>],
        facts: &ServerFacts,
    ) {
        let name = args.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        let result = match name.as_slice() {
            b"sentinel" => self.sentinel_command(args, now),
            b"ping" => ping(args),
            b"info" => Ok(self.info(&args[1..], facts)),
            b"role" => self.role(args),
            b"publish" => self.publish(args, now),
            _ => Err(format!("ERR unknown command '{}'", printable(&name))),
        };
        let vouches =
            args.get(1).is_some_and(|sub| sub.eq_ignore_ascii_case(b"is-master-down-by-addr"));
        let reply = result.unwrap_or_else(Reply::Error);
        self.actions.push_back(Action::Reply { client, reply, vouches });
    }

    fn role(&self, args: &[Vec<u8>]) -> Result<Reply, Refusal> {
        if args.len() != 1 {
            return Err(arity("role"));
        }
        let names = self.groups.keys().map(Reply::bulk).collect();
        Ok(Reply::Array(vec![Reply::bulk("sentinel"), Reply::Array(names)]))
    }

    /// PUBLISH is how other sentinels hand us their hello directly.
    fn publish(&mut self, args: &[Vec<u8>], now: Millis) -> Result<Reply, Refusal> {
        let [_, channel, message] = args else { return Err(arity("publish")) };
        if channel != HELLO_CHANNEL.as_bytes() {
            return Err("ERR Only HELLO messages are accepted by Sentinel instances.".to_owned());
        }
        self.hello_arrived(message, now);
        Ok(Reply::Integer(1))
    }

    fn sentinel_command(&mut self, args: &[Vec<u8>], now: Millis) -> Result<Reply, Refusal> {
        let Some(sub) = args.get(1) else { return Err(arity("sentinel")) };
        let word = sub.to_ascii_lowercase();
        let args = &args[2..];
        let within = |least: usize, most: usize| (least..=most).contains(&args.len());
        let fits = match word.as_slice() {
            b"masters" | b"myid" | b"flushconfig" | b"pending-scripts" | b"help" => within(0, 0),
            b"master"
            | b"replicas"
            | b"slaves"
            | b"sentinels"
            | b"ckquorum"
            | b"failover"
            | b"remove"
            | b"reset"
            | b"get-master-addr-by-name" => within(1, 1),
            b"monitor" | b"is-master-down-by-addr" => within(4, 4),
            b"set" => within(3, usize::MAX),
            b"config" => within(2, usize::MAX),
            b"info-cache" | b"simulate-failure" => within(1, usize::MAX),
            b"debug" => true,
            _ => {
                let sub = printable(sub);
                return Err(format!("ERR unknown subcommand '{sub}'. Try SENTINEL HELP."));
            }
        };
        if !fits {
            return Err(arity(&format!("sentinel|{}", printable(&word))));
        }
        match word.as_slice() {
            b"masters" => Ok(self.show_primaries(now)),
            b"master" => self.show_primary(&args[0], now),
            b"replicas" | b"slaves" => self.show_replicas(&args[0], now),
            b"sentinels" => self.show_sentinels(&args[0], now),
            b"get-master-addr-by-name" => Ok(self.primary_address(&args[0])),
            b"info-cache" => Ok(self.info_cache(args, now)),
            b"myid" => Ok(Reply::bulk(self.my_id.as_str())),
            b"pending-scripts" => Ok(Reply::Array(Vec::new())),
            b"help" => Ok(answer::help()),
            b"ckquorum" => self.check_quorum(&args[0]),
            b"is-master-down-by-addr" => self.is_primary_down(args, now),
            b"failover" => self.order_failover(&args[0], now),
            b"flushconfig" => Ok(self.flush_config()),
            b"simulate-failure" => self.simulate(args),
            b"reset" => Ok(self.reset_matching(&args[0], now)),
            b"monitor" => self.monitor(args, now),
            b"remove" => self.remove(&args[0]),
            b"set" => self.set(args),
            b"config" => self.global_config(args),
            _ => self.debug(args),
        }
    }
}

fn ping(args: &[Vec<u8>]) -> Result<Reply, Refusal> {
    match args {
        [_] => Ok(Reply::Status("PONG".to_owned())),
        [_, message] => Ok(Reply::bulk(message)),
        _ => Err(arity("ping")),
    }
}

/// The refusal of a wrong number of arguments.
pub(crate) fn arity(command: &str) -> Refusal {
    format!("ERR wrong number of arguments for '{command}' command")
}

/// Foreign bytes as an error may carry them: bounded, without line ends.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(128)]).into_owned();
    text.replace(['\r', '\n'], " ")
}
