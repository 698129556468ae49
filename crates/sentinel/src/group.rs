//! One monitored group: a primary by name, its replicas, the other sentinels that watch it, and the
//! failover that may be under way.

use crate::address::Address;
use crate::instance::InstanceId;
use crate::settings::GroupSettings;
use base::{Millis, RunId};
use std::collections::{BTreeMap, BTreeSet};

/// Replicas and sentinels known per group at most; later ones are ignored and logged.
pub const MEMBERS_MAX: usize = 1_000;

/// A step of a failover, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Waiting to be elected.
    WaitStart,
    SelectReplica,
    SendPromotion,
    WaitPromotion,
    /// Moving the other replicas.
    Reconfigure,
    /// Done; the new primary takes the group's name at the end of this turn.
    UpdateConfig,
}

impl Step {
    /// As `SENTINEL MASTER` shows it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Step::WaitStart => "wait_start",
            Step::SelectReplica => "select_slave",
            Step::SendPromotion => "send_slaveof_noone",
            Step::WaitPromotion => "wait_promotion",
            Step::Reconfigure => "reconf_slaves",
            Step::UpdateConfig => "update_config",
        }
    }
}

/// A failover that this sentinel tries to lead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failover {
    pub(crate) epoch: u64,
    pub(crate) started: Millis,
    pub(crate) step: Step,
    pub(crate) step_since: Millis,
    /// Ordered by a user: needs no election.
    pub(crate) forced: bool,
    pub(crate) promoted: Option<InstanceId>,
}

/// A primary that came back with another run id; see `guard.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reboot {
    /// Seen at this time; the replicas' reports are awaited.
    Judging(Millis),
    /// It holds less than a replica: it counts as down.
    Poorer,
}

/// One monitored group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) settings: GroupSettings,
    pub(crate) primary: InstanceId,
    pub(crate) replicas: BTreeMap<Address, InstanceId>,
    pub(crate) sentinels: BTreeMap<RunId, InstanceId>,
    /// The epoch of the failover that made `primary` primary.
    pub(crate) config_epoch: u64,
    /// This sentinel's vote, and its epoch: one vote per epoch.
    pub(crate) leader: Option<RunId>,
    pub(crate) leader_epoch: u64,
    pub(crate) objectively_down: Option<Millis>,
    pub(crate) failover: Option<Failover>,
    /// No failover of our own before this time.
    pub(crate) not_before: Millis,
    /// Until then the candidate we voted for is left alone.
    pub(crate) deferred_until: Millis,
    /// The delay that was last logged.
    pub(crate) delay_logged: Option<Millis>,
    /// Our own start drawn after the primary was found down, to keep candidates apart.
    pub(crate) start_at: Option<Millis>,
    /// Elections lost in a row, for the back-off.
    pub(crate) lost_elections: u32,
    pub(crate) reboot: Option<Reboot>,
    /// Replicas that were passed over for their names; the log has told of them.
    pub(crate) refused: BTreeSet<Address>,
}

impl Group {
    /// A group that has just been configured.
    pub(crate) fn new(settings: GroupSettings, primary: InstanceId) -> Group {
        Group {
            settings,
            primary,
            replicas: BTreeMap::new(),
            sentinels: BTreeMap::new(),
            config_epoch: 0,
            leader: None,
            leader_epoch: 0,
            objectively_down: None,
            failover: None,
            not_before: Millis(0),
            deferred_until: Millis(0),
            delay_logged: None,
            start_at: None,
            lost_elections: 0,
            reboot: None,
            refused: BTreeSet::new(),
        }
    }

    /// Every instance: the primary, then replicas, then sentinels.
    pub(crate) fn members(&self) -> Vec<InstanceId> {
        let others = self.replicas.values().chain(self.sentinels.values());
        std::iter::once(self.primary).chain(others.copied()).collect()
    }

    /// The step of the failover under way.
    pub(crate) fn step(&self) -> Option<Step> {
        self.failover.map(|failover| failover.step)
    }

    /// The promoted replica, once it is a primary and other sentinels are told of it.
    pub(crate) fn announced_promotion(&self) -> Option<InstanceId> {
        let failover = self.failover?;
        let told = matches!(failover.step, Step::Reconfigure | Step::UpdateConfig);
        failover.promoted.filter(|_| told)
    }

    /// The primary as clients are told it: during the last steps of a failover the promoted one.
    pub(crate) fn current_primary(&self) -> InstanceId {
        self.announced_promotion().unwrap_or(self.primary)
    }

    /// True if `id` is the replica being promoted.
    pub(crate) fn is_promoted(&self, id: InstanceId) -> bool {
        self.failover.is_some_and(|failover| failover.promoted == Some(id))
    }
}
