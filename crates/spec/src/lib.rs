//! What a command *is*, as data: name, flags, keys, arguments, reply.
//!
//! A row of this kind is the only description of a command. Arity, `COMMAND INFO`, `COMMAND DOCS`,
//! key routing, access categories and `docs/commands.md` are all computed from it, so nothing here
//! can disagree with anything else. The crate holds no behaviour of a command and knows no server.

mod argument;
mod category;
mod flag;
mod keys;

pub use argument::{Arg, ArgKind};
pub use category::{Category, categories};
pub use flag::{Flag, FlagSet};
pub use keys::{BeginSearch, FindKeys, KeyFlag, KeySpec, KeyWord, Positions};

/// The family a command belongs to, as `COMMAND DOCS` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Bit operations on strings.
    Bitmap,
    /// Connection state.
    Connection,
    /// Keys of any type.
    Generic,
    /// Places in sorted sets.
    Geo,
    /// Fields with values.
    Hash,
    /// Estimates of cardinality.
    HyperLogLog,
    /// Elements in order.
    List,
    /// Channels.
    PubSub,
    /// Administration.
    Server,
    /// Members, each once.
    Set,
    /// Members by score.
    SortedSet,
    /// Logs and groups of consumers.
    Stream,
    /// Strings.
    String,
    /// MULTI and its kin.
    Transactions,
}

impl Group {
    /// The name in `COMMAND DOCS`.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Bitmap => "bitmap",
            Group::Connection => "connection",
            Group::Generic => "generic",
            Group::Geo => "geo",
            Group::Hash => "hash",
            Group::HyperLogLog => "hyperloglog",
            Group::List => "list",
            Group::PubSub => "pubsub",
            Group::Server => "server",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Stream => "stream",
            Group::String => "string",
            Group::Transactions => "transactions",
        }
    }
}

/// The shape of a reply, with what it means.
#[derive(Clone, Copy, Debug)]
pub enum ReplyShape {
    /// A status line, its usual text.
    Status(&'static str),
    /// An integer.
    Integer(&'static str),
    /// A byte string.
    Bulk(&'static str),
    /// Absence.
    Null(&'static str),
    /// A sequence.
    Array(&'static str),
    /// Pairs (an array of twice the length in RESP2).
    Map(&'static str),
    /// A floating point number.
    Double(&'static str),
    /// Anything else, described.
    Any(&'static str),
}

/// One command, or one subcommand of a container, as data.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// Lower case, without the container's name.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Cost in big-O terms.
    pub complexity: &'static str,
    /// The version of Redis whose clients may expect it.
    pub since: &'static str,
    /// Its family.
    pub group: Group,
    /// What it does to the server, for gates and `COMMAND INFO`.
    pub flags: &'static [Flag],
    /// Access categories beyond those that follow from group and flags.
    pub categories: &'static [Category],
    /// Its group gives it no access category (containers, WAIT).
    pub ungrouped: bool,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// Its arguments, the name excluded.
    pub args: &'static [Arg],
    /// What it answers.
    pub reply: &'static [ReplyShape],
    /// `COMMAND INFO` tips.
    pub tips: &'static [&'static str],
    /// Versions and what changed in them.
    pub history: &'static [(&'static str, &'static str)],
    /// The version that discourages it, and what to use instead.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// It is of the server's own use, not for applications.
    pub internal: bool,
}

impl CommandSpec {
    /// A row with everything empty, for `..CommandSpec::EMPTY`.
    pub const EMPTY: CommandSpec = CommandSpec {
        name: "",
        summary: "",
        complexity: "O(1)",
        since: "1.0.0",
        group: Group::Generic,
        flags: &[],
        categories: &[],
        ungrouped: false,
        keys: &[],
        args: &[],
        reply: &[],
        tips: &[],
        history: &[],
        deprecated: None,
        internal: false,
    };

    /// The arity as stock states it: the number of words, the name (`name_words` of them: two for a
    /// subcommand) included, negative if it is a minimum.
    pub const fn arity(&self, name_words: i64) -> i64 {
        let (required, open) = argument::width(self.args);
        let words = name_words + required;
        if open { -words } else { words }
    }

    /// Whether the command has one key, at a fixed word.
    pub const fn is_one_key(&self) -> bool {
        matches!(
            self.keys,
            [KeySpec { begin: BeginSearch::Index(_), find: FindKeys::Range { last: 0, .. }, .. }]
        )
    }

    /// The flags as bits.
    pub const fn flag_set(&self) -> FlagSet {
        FlagSet::of(self.flags)
    }
}
