//! The question a starting node asks before it serves: who is the primary, and does anybody hold more?
//!
//! A server that is its own sentinel asks all sentinels it knows of its group. If they name another
//! primary it follows that one, whatever its file says. If they name this node, it first compares its
//! snapshot with what its replicas hold: should one of them hold more (this node was killed and comes
//! back before anyone noticed), it stays away, deaf, until the sentinels have elected another. Stock
//! serves at once and its replicas are emptied.

mod own;
mod questions;

use super::data::Head;
use base::{Millis, RunId};
use conf::Settings;
use engine::replication::Address;
use own::Own;
use questions::{address_of, connect, group_of, holding, reachable, rows, view};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// How long peers that do not answer are waited for before they are taken to be gone.
const SILENCE_MAX: Millis = Millis(3_000);
/// Between two rounds of questions.
const ROUND_MS: u64 = 50;
/// Between two lines in the log while a fuller peer keeps this node away.
const SAY_EVERY: Millis = Millis(5_000);

/// What a node is to start as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// What its configuration says.
    AsConfigured,
    /// The primary.
    Primary,
    /// A replica.
    Follow(Address),
}

/// What the guard wants to know of the sentinel that runs beside the server.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    /// Where our sentinel listens.
    pub(crate) addresses: Vec<SocketAddr>,
    /// Its password, empty for none.
    pub(crate) password: String,
}

/// Where one sentinel sees the primary, and since which configuration epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SentinelView {
    epoch: u64,
    primary: Address,
    is_self: bool,
    /// How long it may take until the primary is found down and a failover is done, or was tried
    /// twice in vain.
    patience: Millis,
}

/// What a peer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holding {
    replids: Vec<RunId>,
    offset: u64,
    keys: u64,
    /// `replica-priority`; 0 if it may not be promoted.
    priority: u64,
}

/// What one round of questions says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Round {
    Settled(Verdict),
    /// This peer holds more, and may be promoted. The sentinels, whose configuration is of this epoch,
    /// are given so long to do it.
    Fuller {
        peer: Address,
        epoch: u64,
        patience: Millis,
    },
    /// Somebody does not answer.
    Silence,
    /// No sentinel answers, not even our own.
    Unasked,
}

/// What the rounds so far have shown.
#[derive(Debug, Default)]
struct Watch {
    /// Since when somebody has not answered.
    silent_since: Option<Millis>,
    away: Option<Away>,
}

/// A fuller peer keeps this node away.
#[derive(Debug)]
struct Away {
    since: Millis,
    epoch: u64,
    said: Millis,
}

/// Asks until it is clear what this node is to be. `head` is what its snapshot says of itself.
pub(crate) fn ask(settings: &Settings, beside: &Beside, head: &Head) -> Verdict {
    let mut watch = Watch::default();
    loop {
        let round = one_round(settings, beside, head);
        if let Some(verdict) = watch.decide(base::clock::monotonic(), round) {
            return verdict;
        }
        // Nothing here can be waited for but time: the peers are asked again.
        thread::sleep(Duration::from_millis(ROUND_MS));
    }
}

impl Watch {
    /// Takes what a round at `now` says; `None` if the peers are to be asked again.
    fn decide(&mut self, now: Millis, round: Round) -> Option<Verdict> {
        let unanswered = match round {
            Round::Settled(verdict) => return Some(verdict),
            Round::Fuller { peer, epoch, patience } => {
                self.silent_since = None;
                return self.stay_away(now, &peer, epoch, patience);
            }
            Round::Silence => Verdict::Primary,
            Round::Unasked => Verdict::AsConfigured,
        };
        if now.since(*self.silent_since.get_or_insert(now)) < SILENCE_MAX {
            return None;
        }
        if unanswered == Verdict::AsConfigured {
            tracing::warn!(
                "This server's own sentinel does not say who the primary is: the configuration \
                 decides, and another primary may be there already"
            );
        }
        Some(unanswered)
    }

    fn stay_away(
        &mut self,
        now: Millis,
        peer: &Address,
        epoch: u64,
        patience: Millis,
    ) -> Option<Verdict> {
        let Address { host, port } = peer;
        let last = self.away.take();
        let said = last.as_ref().map(|away| away.said);
        // Another configuration is a sign that the sentinels are at work.
        let since = last.filter(|away| away.epoch == epoch).map_or(now, |away| away.since);
        if now.since(since) >= patience {
            tracing::warn!(
                "{host}:{port} holds more than this node's snapshot, but the sentinels have not \
                 elected another primary for {patience} ms: serving without what it holds"
            );
            return Some(Verdict::Primary);
        }
        let is_due = said.is_none_or(|at| now.since(at) >= SAY_EVERY);
        if is_due {
            tracing::warn!(
                "{host}:{port} holds more than this node's snapshot; staying away until the \
                 sentinels have elected a primary"
            );
        }
        let said = said.filter(|_| !is_due).unwrap_or(now);
        self.away = Some(Away { since, epoch, said });
        None
    }
}

fn one_round(settings: &Settings, beside: &Beside, head: &Head) -> Round {
    let own = Own::look(settings);
    let mut ours = beside.addresses.iter().map(|&address| reachable(address));
    let Some(mut first) = ours.find_map(|local| connect(&local, None, &beside.password)) else {
        return Round::Unasked;
    };
    let Some(groups) = rows(&mut first, &["SENTINEL", "MASTERS"]) else { return Round::Unasked };
    let configured = settings.replicaof.get();
    let configured = configured.map(|at| Address { host: at.host.clone(), port: at.port });
    let Some(group) = group_of(&mut first, &groups, &own, configured.as_ref()) else {
        if !groups.is_empty() {
            tracing::warn!(
                "This server's sentinel watches {} groups, and none of them knows this server: \
                 the configuration decides",
                groups.len()
            );
        }
        return Round::Settled(Verdict::AsConfigured);
    };
    let mut views: Vec<SentinelView> = view(&mut first, &group, &own).into_iter().collect();
    for other in rows(&mut first, &["SENTINEL", "SENTINELS", &group]).unwrap_or_default() {
        if let Some(address) = address_of(&other)
            && let Some(mut client) = connect(&address, None, &beside.password)
        {
            views.extend(view(&mut client, &group, &own));
        }
    }
    let Some(best) = views.into_iter().max_by_key(|view| view.epoch) else {
        return Round::Unasked;
    };
    if !best.is_self {
        return Round::Settled(Verdict::Follow(best.primary));
    }
    let user = settings.masteruser.string();
    let password = settings.masterauth.string();
    let peers: Vec<Address> = rows(&mut first, &["SENTINEL", "REPLICAS", &group])
        .unwrap_or_default()
        .iter()
        .filter_map(address_of)
        .filter(|peer| !own.is(peer))
        .collect();
    let holdings: Vec<(Address, Option<Holding>)> = peers
        .into_iter()
        .map(|peer| {
            let client = connect(&peer, (!user.is_empty()).then_some(user.as_str()), &password);
            (peer, client.and_then(|mut client| holding(&mut client)))
        })
        .collect();
    judge(head, &best, &holdings)
}

/// Decides for a node that the sentinels name as primary, the best view of them being `named`.
fn judge(head: &Head, named: &SentinelView, peers: &[(Address, Option<Holding>)]) -> Round {
    let fuller = |holding: &Holding| match head.history {
        Some((replid, offset)) if holding.replids.contains(&replid) => holding.offset > offset.0,
        // Different histories cannot be compared by offset; a node with data does not yield to that.
        Some(_) => !head.has_keys && holding.keys > 0,
        None => holding.keys > 0,
    };
    let mut heard = peers.iter().filter_map(|(peer, held)| Some((peer, held.as_ref()?)));
    let may_succeed = |held: &Holding| fuller(held) && held.priority != 0;
    if let Some((peer, _)) = heard.clone().find(|(_, held)| may_succeed(held)) {
        let (peer, epoch, patience) = (peer.clone(), named.epoch, named.patience);
        return Round::Fuller { peer, epoch, patience };
    }
    if peers.iter().any(|(_, held)| held.is_none()) {
        return Round::Silence;
    }
    if let Some((peer, _)) = heard.find(|(_, held)| fuller(held)) {
        tracing::warn!(
            "{}:{} holds more than this node's snapshot, but may not be promoted \
             (replica-priority 0): serving without what it holds",
            peer.host,
            peer.port
        );
    }
    Round::Settled(Verdict::Primary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentinel::{self, Options};
    use base::Offset;
    use base::random::Random;
    use conf::LoadRequest;

    /// The port that this node would serve on.
    const OWN_PORT: u16 = 6379;

    /// The verdict for a node with these settings and the sentinel of these lines.
    fn verdict(settings: &str, lines: &[&str]) -> Verdict {
        let stdin = Some(format!("port {OWN_PORT}\n{settings}"));
        let request = LoadRequest { stdin, ..LoadRequest::default() };
        let settings = Settings::load(&request).unwrap().settings;
        let dir = tempfile::tempdir().unwrap();
        let words = |line: &&str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let lines: Vec<sentinel::Line> = lines.iter().map(words).collect();
        let options = Options::embedded(dir.path(), 0, lines.clone());
        let options = Options { bind: vec!["127.0.0.1".into()], ..options };
        let handle = sentinel::start(options).unwrap();
        let beside = Beside { addresses: handle.addresses().to_vec(), password: String::new() };
        let verdict = ask(&settings, &beside, &Head::default());
        handle.stop();
        verdict
    }

    #[test]
    fn a_node_does_not_follow_itself_by_any_of_its_names() {
        let names = "resolve-hostnames yes";
        for (settings, lines, expected) in [
            ("", &["monitor m 127.0.0.1 6379 1"][..], true),
            ("", &[names, "monitor m localhost 6379 1"], true),
            ("", &[names, "monitor m localhost 6380 1"], false),
            ("replica-announce-ip node1", &[names, "monitor m node1 6379 1"], true),
            ("replica-announce-ip 198.51.100.1", &["monitor m 198.51.100.1 6379 1"], true),
            ("replica-announce-ip 198.51.100.1", &["monitor m 198.51.100.2 6379 1"], false),
            (
                "replica-announce-ip 198.51.100.1\nreplica-announce-port 7000",
                &["monitor m 198.51.100.1 7000 1"],
                true,
            ),
            (
                "replica-announce-ip 198.51.100.1\nreplica-announce-port 7000",
                &["monitor m 198.51.100.1 6379 1"],
                false,
            ),
        ] {
            let found = verdict(settings, lines);
            assert_eq!(found == Verdict::Primary, expected, "{settings} {lines:?}: {found:?}");
        }
    }

    fn peer(port: u16) -> Address {
        Address { host: "127.0.0.1".into(), port }
    }

    #[test]
    fn of_several_groups_the_one_that_a_node_belongs_to_decides() {
        let groups = ["monitor a 127.0.0.1 7001 1", "monitor b 127.0.0.1 7002 1"];
        let follow = |port| Verdict::Follow(peer(port));
        for (settings, line, expected) in [
            ("", "known-replica b 127.0.0.1 6379", follow(7002)),
            ("", "known-replica a 127.0.0.1 6379", follow(7001)),
            ("replicaof 127.0.0.1 7002", "", follow(7002)),
            // It has followed one that was replaced since.
            ("replicaof 127.0.0.1 7003", "known-replica b 127.0.0.1 7003", follow(7002)),
            // Moved from one group to the other, which the first one's sentinels do not forget.
            ("replicaof 127.0.0.1 7002", "known-replica a 127.0.0.1 6379", follow(7002)),
            ("", "monitor c 127.0.0.1 6379 1", Verdict::Primary),
            ("", "known-replica b 127.0.0.1 7009", Verdict::AsConfigured),
        ] {
            let lines = [groups[0], groups[1], line];
            let lines = if line.is_empty() { &lines[..2] } else { &lines[..] };
            assert_eq!(verdict(settings, lines), expected, "{settings} {line}");
        }
    }

    #[test]
    fn a_node_belongs_to_the_only_group_that_its_sentinel_watches() {
        assert_eq!(verdict("", &["monitor b 127.0.0.1 7002 1"]), Verdict::Follow(peer(7002)));
        assert_eq!(verdict("", &[]), Verdict::AsConfigured);
    }

    #[test]
    fn a_primary_yields_only_to_those_who_hold_more() {
        let mut random = Random::from_seed(1);
        let (ours, theirs) = (RunId::generate(&mut random), RunId::generate(&mut random));
        let head = |offset: Option<u64>, keys| Head {
            history: offset.map(|offset| (ours, Offset(offset))),
            has_keys: keys > 0,
        };
        let held = |replid, offset, keys| {
            Some(Holding { replids: vec![replid], offset, keys, priority: 100 })
        };
        let unfit = Some(Holding { replids: vec![ours], offset: 11, keys: 1, priority: 0 });
        let patience = Millis(700);
        let primary = peer(OWN_PORT);
        let named = SentinelView { epoch: 3, primary, is_self: true, patience };
        let serve = Round::Settled(Verdict::Primary);
        let away = Round::Fuller { peer: peer(2), epoch: 3, patience };
        for (head, holding, expected) in [
            (head(Some(10), 1), held(ours, 10, 1), serve.clone()),
            (head(Some(10), 1), held(ours, 11, 1), away.clone()),
            (head(None, 0), held(theirs, 5, 3), away.clone()),
            (head(None, 0), held(theirs, 5, 0), serve.clone()),
            (head(Some(10), 4), held(theirs, 99, 9), serve.clone()),
            (head(Some(10), 0), held(theirs, 99, 9), away.clone()),
            (head(Some(10), 1), None, Round::Silence),
            (head(Some(10), 1), unfit, serve.clone()),
        ] {
            let peers = [(peer(1), held(ours, 0, 0)), (peer(2), holding)];
            assert_eq!(judge(&head, &named, &peers), expected, "{head:?} {peers:?}");
        }
    }

    #[test]
    fn a_node_waits_for_an_election_as_long_as_one_may_take() {
        let fuller = |epoch| Round::Fuller { peer: peer(2), epoch, patience: Millis(10_000) };
        let mut watch = Watch::default();
        for (now, round, expected) in [
            (0, fuller(1), None),
            (9_999, fuller(1), None),
            // The sentinels have agreed on something: they are there.
            (15_000, fuller(2), None),
            (24_999, fuller(2), None),
            // One answer that is late does not mean that the peer is gone.
            (25_000, Round::Silence, None),
            (25_001, fuller(2), Some(Verdict::Primary)),
        ] {
            assert_eq!(watch.decide(Millis(now), round), expected, "{now}");
        }
    }

    #[test]
    fn silence_is_waited_out() {
        for (silence, verdict) in
            [(Round::Silence, Verdict::Primary), (Round::Unasked, Verdict::AsConfigured)]
        {
            let mut watch = Watch::default();
            assert_eq!(watch.decide(Millis(0), silence.clone()), None);
            assert_eq!(watch.decide(Millis(2_999), silence.clone()), None);
            assert_eq!(watch.decide(Millis(3_000), silence), Some(verdict));
        }
    }
}
