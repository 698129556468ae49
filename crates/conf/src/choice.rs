//! The settings whose value is one of several words, as enums.
//!
//! The order of the words is stock's, for error texts list them.

use std::fmt;

/// An enum that is written as a word.
pub trait Word: Copy + fmt::Debug + 'static {
    /// The words, in the order of the variants.
    const WORDS: &'static [&'static str];
    /// The variants.
    const ALL: &'static [Self];
    /// The position in [`Word::WORDS`].
    fn position(self) -> u8;
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant),*
        }

        impl $name {
            /// The position in the list of words.
            pub const fn at(self) -> u8 {
                self as u8
            }

            /// How it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word),*
                }
            }
        }

        impl Word for $name {
            const WORDS: &'static [&'static str] = &[$($word),*];
            const ALL: &'static [Self] = &[$($name::$variant),*];
            fn position(self) -> u8 {
                self.at()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

choices! {
    /// `io-backend`: what moves bytes between sockets and loops.
    IoBackend {
        Auto = "auto",
        Epoll = "epoll",
        IoUring = "io_uring",
    }
    /// What `maxmemory-policy` does when memory runs out.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        Noeviction = "noeviction",
    }
    /// The facility of `syslog-facility`.
    SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }
    /// The least level that is logged.
    LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }
    /// The supervisor to report to.
    Supervised { Upstart = "upstart", Systemd = "systemd", Auto = "auto", No = "no" }
    /// How often the append only file is forced to disk.
    AppendFsync { Everysec = "everysec", Always = "always", No = "no" }
    /// How a replica reads a full synchronization.
    DisklessLoad {
        Disabled = "disabled",
        OnEmptyDb = "on-empty-db",
        Swapdb = "swapdb",
        FlushBeforeLoad = "flush-before-load",
    }
    /// Whether TLS clients need a certificate.
    TlsAuthClients { No = "no", Yes = "yes", Optional = "optional" }
    /// How the OOM score is adjusted; `yes` means relative.
    OomScoreAdj { No = "no", Yes = "yes", Relative = "relative", Absolute = "absolute" }
    /// The channels of a new user.
    AclPubsubDefault { Allchannels = "allchannels", Resetchannels = "resetchannels" }
    /// Whose dumped values are checked in depth.
    SanitizeDumpPayload { No = "no", Yes = "yes", Clients = "clients" }
    /// Who may use a dangerous command.
    ProtectedAction { No = "no", Yes = "yes", Local = "local" }
    /// What cluster nodes give clients as their endpoint.
    EndpointType { Ip = "ip", Hostname = "hostname", UnknownEndpoint = "unknown-endpoint" }
    /// What happens when a replicated command fails.
    PropagationErrorBehavior {
        Ignore = "ignore",
        Panic = "panic",
        PanicOnReplicas = "panic-on-replicas",
    }
    /// The form of log lines.
    LogFormat { Legacy = "legacy", Logfmt = "logfmt" }
    /// The form of the time in log lines.
    LogTimestampFormat { Legacy = "legacy", Iso8601 = "iso8601", Milliseconds = "milliseconds" }
}

/// What a signal that ends the server makes it do: the words of `shutdown-on-sigint` and its kin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::struct_excessive_bools, reason = "each is a word of the setting")]
pub struct ShutdownOn {
    /// Save even without save rules.
    pub save: bool,
    /// Do not save.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit even if saving fails.
    pub force: bool,
}

impl ShutdownOn {
    /// The words that may be given; the first stands for none of the others.
    pub const WORDS: &'static [&'static str] = &["default", "save", "nosave", "now", "force"];

    pub(crate) fn from_bits(bits: u8) -> ShutdownOn {
        ShutdownOn {
            save: bits & 1 != 0,
            nosave: bits & 2 != 0,
            now: bits & 4 != 0,
            force: bits & 8 != 0,
        }
    }

    pub(crate) fn bits(self) -> u8 {
        u8::from(self.save)
            | u8::from(self.nosave) << 1
            | u8::from(self.now) << 2
            | u8::from(self.force) << 3
    }
}
