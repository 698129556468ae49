//! Commands about the state of things: quorum, votes, ordered failovers, the help text.

use super::{Refusal, printable};
use crate::action::{Level, Reply};
use crate::address::Address;
use crate::config::{parse_time, text_number};
use crate::failover::{CRASH_AFTER_ELECTION, CRASH_AFTER_PROMOTION};
use crate::machine::Sentinel;
use base::{Millis, RunId};

impl Sentinel {
    pub(super) fn check_quorum(&self, name: &[u8]) -> Result<Reply, Refusal> {
        let (_, group) = self.group_named(name)?;
        let up = group.sentinels.values().filter(|&&id| self.at(id).down_since.is_none());
        let usable = up.count() + 1;
        let voters = group.sentinels.len() + 1;
        let majority = voters / 2 + 1;
        let quorum = usize::try_from(group.settings.quorum).unwrap_or(usize::MAX);
        if usable >= quorum && usable >= majority {
            return Ok(Reply::Status(format!(
                "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
            )));
        }
        let mut text = format!("NOQUORUM {usable} usable Sentinels. ");
        if usable < quorum {
            text += "Not enough available Sentinels to reach the specified quorum for this master";
        }
        if usable < majority {
            if usable < quorum {
                text += ". ";
            }
            text += "Not enough available Sentinels to reach the majority and authorize a failover";
        }
        Err(text)
    }

    /// `is-master-down-by-addr ip port epoch runid|*`: is it down for us, and our vote.
    pub(super) fn is_primary_down(
        &mut self,
        args: &[Vec<u8>],
        now: Millis,
    ) -> Result<Reply, Refusal> {
        let not_integer = || "ERR value is not an integer or out of range".to_owned();
        let port: i64 = text_number(&args[1]).ok_or_else(not_integer)?;
        let epoch: u64 = text_number(&args[2]).ok_or_else(not_integer)?;
        let asked = u16::try_from(port).ok().zip(std::str::from_utf8(&args[0]).ok());
        let asked = asked.map(|(port, host)| Address::new(host, port));
        let group = self
            .groups
            .iter()
            .find(|(_, group)| Some(&self.at(group.primary).address) == asked.as_ref());
        let Some((name, group)) = group else { return Ok(down_answer(false, None, 0)) };
        let (name, primary) = (name.clone(), group.primary);
        let down = self.at(primary).down_since.is_some();
        let (leader, leader_epoch) = match RunId::parse(&args[3]) {
            Some(candidate) => self.vote(&name, epoch, candidate, now),
            None => (None, 0),
        };
        Ok(down_answer(down, leader, leader_epoch))
    }

    pub(super) fn order_failover(&mut self, name: &[u8], now: Millis) -> Result<Reply, Refusal> {
        let (name, group) = self.group_named(name)?;
        if group.failover.is_some() {
            return Err("INPROG Failover already in progress".to_owned());
        }
        if self.chosen_replica(name, now).is_none() {
            return Err("NOGOODSLAVE No suitable replica to promote".to_owned());
        }
        let name = name.clone();
        self.log(Level::Notice, format!("Executing user requested FAILOVER of '{name}'"));
        self.start_failover(&name, true, now);
        Ok(Reply::ok())
    }

    pub(super) fn flush_config(&mut self) -> Reply {
        self.persist();
        Reply::ok()
    }

    pub(super) fn simulate(&mut self, args: &[Vec<u8>]) -> Result<Reply, Refusal> {
        self.simulate_failure = 0;
        for arg in args {
            match arg.to_ascii_lowercase().as_slice() {
                b"crash-after-election" => self.simulate_failure |= CRASH_AFTER_ELECTION,
                b"crash-after-promotion" => self.simulate_failure |= CRASH_AFTER_PROMOTION,
                b"help" => {
                    let names = ["crash-after-election", "crash-after-promotion"];
                    return Ok(Reply::Array(names.iter().map(Reply::bulk).collect()));
                }
                _ => return Err("ERR Unknown failure simulation specified".to_owned()),
            }
        }
        Ok(Reply::ok())
    }

    pub(super) fn debug(&mut self, args: &[Vec<u8>]) -> Result<Reply, Refusal> {
        if args.is_empty() {
            let rows = self.periods.table().map(|(name, period)| {
                (Reply::bulk(name.to_uppercase()), Reply::bulk(period.to_string()))
            });
            return Ok(Reply::Map(rows.into()));
        }
        let mut periods = self.periods.clone();
        for pair in args.chunks(2) {
            let option = pair[0].to_ascii_lowercase();
            let mut table = periods.table();
            let row = table.iter_mut().find(|(name, _)| name.as_bytes() == option);
            let (Some((_, period)), Some(value)) = (row, pair.get(1)) else {
                let option = printable(&pair[0]);
                return Err(format!(
                    "ERR Unknown option or number of arguments for SENTINEL DEBUG '{option}'"
                ));
            };
            let Some(time) = parse_time(value) else {
                let (value, option) = (printable(value), printable(&pair[0]));
                return Err(format!(
                    "ERR Invalid argument '{value}' for SENTINEL DEBUG '{option}'"
                ));
            };
            **period = time;
        }
        self.periods = periods;
        Ok(Reply::ok())
    }
}

fn down_answer(down: bool, leader: Option<RunId>, epoch: u64) -> Reply {
    Reply::Array(vec![
        Reply::Integer(i64::from(down)),
        leader.map_or_else(|| Reply::bulk("*"), |id| Reply::bulk(id.as_str())),
        Reply::Integer(i64::try_from(epoch).unwrap_or(i64::MAX)),
    ])
}

pub(super) fn help() -> Reply {
    Reply::Array(HELP.iter().map(|line| Reply::Status((*line).to_owned())).collect())
}

const HELP: &[&str] = &[
    "SENTINEL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CKQUORUM <master-name>",
    "    Tell whether enough Sentinels are usable to find the master down and to",
    "    authorize its failover.",
    "CONFIG SET <param> <value> [<param> <value> ...]",
    "    Change settings of this Sentinel.",
    "CONFIG GET <param> [<param> ...]",
    "    Show settings of this Sentinel; patterns are allowed.",
    "DEBUG [<param> <value> ...]",
    "    Show or change periods and timeouts (milliseconds).",
    "FAILOVER <master-name>",
    "    Fail over now, without asking other Sentinels for agreement.",
    "FLUSHCONFIG",
    "    Write the configuration file with the current state.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Return the ip and port of the master with that name.",
    "INFO-CACHE <master-name> [<master-name> ...]",
    "    Return the INFO last received from masters and their replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Tell whether the master at ip:port is down for this Sentinel; vote for runid.",
    "MASTER <master-name>",
    "    Show the state of a master.",
    "MASTERS",
    "    Show the state of every monitored master.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Begin to monitor a master.",
    "MYID",
    "    Return the ID of this Sentinel.",
    "PENDING-SCRIPTS",
    "    List scripts that are queued or running.",
    "REMOVE <master-name>",
    "    Stop monitoring a master.",
    "REPLICAS <master-name>",
    "    Show the replicas of a master.",
    "RESET <pattern>",
    "    Forget replicas, Sentinels and health of the masters that match.",
    "SENTINELS <master-name>",
    "    Show the other Sentinels of a master.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Change settings of a master.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Crash at the named points.",
    "HELP",
    "    Print this help.",
];
