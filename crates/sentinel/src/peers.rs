//! Acting on a hello of another sentinel: who watches with us, and whose configuration is newer.
//!
//! A sentinel is its run id; its address is only where it was last seen. A hello with a known run
//! id and another address moves the sentinel; a hello that claims a known address with another run
//! id makes the old owner's address invalid until it announces itself again.

use crate::action::Level;
use crate::hello::Hello;
use crate::instance::Reconf;
use crate::machine::Sentinel;
use base::Millis;

/// Epochs may not jump further than this at once: one corrupt message must not use them all up.
pub const EPOCH_JUMP_MAX: u64 = 1 << 32;

impl Sentinel {
    /// A hello came in, by the channel of an instance or by PUBLISH.
    pub(crate) fn hello_arrived(&mut self, text: &[u8], now: Millis) {
        let Some(hello) = Hello::parse(text, self.settings.resolve_hostnames) else { return };
        if hello.id == self.my_id || !self.groups.contains_key(&hello.group) {
            return;
        }
        if hello.current_epoch.max(hello.config_epoch)
            > self.current_epoch.saturating_add(EPOCH_JUMP_MAX)
        {
            return;
        }
        self.meet(&hello, now);
        self.adopt_epoch(hello.current_epoch);
        self.adopt_configuration(&hello, now);
        let known = self.groups.get(&hello.group).and_then(|group| group.sentinels.get(&hello.id));
        if let Some(&peer) = known {
            self.at_mut(peer).last_hello = now;
        }
    }

    fn meet(&mut self, hello: &Hello, now: Millis) {
        let Some(group) = self.groups.get(&hello.group) else { return };
        let known = group.sentinels.get(&hello.id).copied();
        if known.is_some_and(|peer| self.at(peer).address == hello.sender) {
            return;
        }
        let others = group.sentinels.values().copied();
        let claimed =
            others.filter(|&peer| self.at(peer).address == hello.sender).collect::<Vec<_>>();
        let primary = group.primary;
        if let Some(peer) = known {
            let text = format!(
                "{} ip {} port {} for {}",
                self.describe(primary),
                hello.sender.host,
                hello.sender.port,
                hello.id
            );
            self.announce(Level::Notice, "+sentinel-address-switch", text);
            self.close_links(peer);
            let instance = self.at_mut(peer);
            instance.address = hello.sender.clone();
            instance.last_reconnect = None;
        }
        for other in claimed {
            self.event(Level::Notice, "+sentinel-invalid-addr", other);
            self.close_links(other);
            self.at_mut(other).address.port = 0;
        }
        if known.is_none()
            && let Some(peer) = self.add_peer(&hello.group, hello.sender.clone(), hello.id, now)
        {
            self.event(Level::Notice, "+sentinel", peer);
        }
        self.persist();
    }

    /// Epochs only grow, and are on disk before anything is said under them.
    pub(crate) fn adopt_epoch(&mut self, epoch: u64) {
        if epoch > self.current_epoch {
            self.current_epoch = epoch;
            self.persist();
            self.announce(Level::Warning, "+new-epoch", epoch.to_string());
        }
    }

    fn adopt_configuration(&mut self, hello: &Hello, now: Millis) {
        let Some(group) = self.groups.get_mut(&hello.group) else { return };
        if group.config_epoch >= hello.config_epoch {
            return;
        }
        let Some(&peer) = group.sentinels.get(&hello.id) else { return };
        group.config_epoch = hello.config_epoch;
        let old = self.at(self.groups[&hello.group].primary).address.clone();
        if old == hello.primary {
            self.abandon_failover(hello);
            self.persist();
            return;
        }
        self.event(Level::Warning, "+config-update-from", peer);
        self.announce_switch(&hello.group, &old, &hello.primary);
        self.switch_primary(&hello.group, &hello.primary, now);
    }

    /// A newer configuration keeps the primary that a failover of ours would replace: another leader
    /// came later and promoted it. What we promoted is not the primary, and must not be named as such
    /// under the newer epoch.
    fn abandon_failover(&mut self, hello: &Hello) {
        let Some(group) = self.groups.get_mut(&hello.group) else { return };
        let Some(failover) = group.failover.take() else { return };
        group.start_at = None;
        let text = format!(
            "The failover of epoch {} is overtaken by the configuration of epoch {}",
            failover.epoch, hello.config_epoch
        );
        self.log(Level::Warning, text);
        for id in self.replicas_of(&hello.group) {
            if let Some(facts) = self.at_mut(id).replica_mut() {
                facts.reconf = Reconf::None;
            }
        }
    }
}
