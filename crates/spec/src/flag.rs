//! Command flags: what a command does to the server, read by the gates and shown by `COMMAND INFO`.

/// One property of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flag {
    /// Administrative.
    Admin,
    /// Allowed while a full sync is loaded aside.
    AllowBusy,
    /// May wait for something that another client does.
    Blocking,
    /// Refused when memory is short.
    DenyOom,
    /// Constant or logarithmic time.
    Fast,
    /// Allowed while the data set is loaded.
    Loading,
    /// Its keys cannot be told from positions alone.
    MovableKeys,
    /// Its cluster slot is not checked though it has keys.
    NoAsyncLoading,
    /// Answered before the client has authenticated.
    NoAuth,
    /// Refused inside MULTI.
    NoMulti,
    /// Refused in scripts.
    NoScript,
    /// May run while a primary is paused for failover without being delayed.
    MayReplicate,
    /// Concerns channels.
    PubSub,
    /// Reads keys.
    ReadOnly,
    /// Left out of the slow log.
    SkipSlowlog,
    /// Left out of MONITOR.
    SkipMonitor,
    /// Served by a replica whose link is down though it may not serve stale data.
    Stale,
    /// Changes keys.
    Write,
    /// Needs the whole keyspace to itself for an instant (scope `All`). Not shown to clients.
    WholeKeyspace,
}

/// Flags as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagSet(u32);

impl FlagSet {
    /// The set of `flags`.
    pub const fn of(flags: &[Flag]) -> FlagSet {
        let (mut bits, mut at) = (0, 0);
        while at < flags.len() {
            bits |= 1 << (flags[at] as u32);
            at += 1;
        }
        FlagSet(bits)
    }

    /// Whether `flag` is in the set.
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << (flag as u32)) != 0
    }
}

impl Flag {
    /// The name `COMMAND INFO` shows, `None` for flags that are ours alone.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Flag::Admin => "admin",
            Flag::AllowBusy => "allow_busy",
            Flag::Blocking => "blocking",
            Flag::DenyOom => "denyoom",
            Flag::Fast => "fast",
            Flag::Loading => "loading",
            Flag::MovableKeys => "movablekeys",
            Flag::NoAsyncLoading => "no_async_loading",
            Flag::NoAuth => "no_auth",
            Flag::NoMulti => "no_multi",
            Flag::NoScript => "noscript",
            Flag::PubSub => "pubsub",
            Flag::ReadOnly => "readonly",
            Flag::SkipSlowlog => "skip_slowlog",
            Flag::SkipMonitor => "skip_monitor",
            Flag::Stale => "stale",
            Flag::Write => "write",
            Flag::MayReplicate | Flag::WholeKeyspace => return None,
        })
    }
}
