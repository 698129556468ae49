//! Commands and the table that finds them.
//!
//! A command is a row ([`spec::CommandSpec`]) and a function. The table computes once, at start, what
//! the pipeline wants to know of each: bits for the gates, the scope, the place of its statistics.

use crate::args::{Args, Request};
use crate::context::Context;
use crate::error::CommandResult;
use crate::gates::{self, GateSet};
use ahash::AHashMap;
use spec::{CommandSpec, Flag, FlagSet, KeySpec};

/// What runs when a command is called.
pub type Handler = fn(&mut Context<'_>, &mut Args<'_>) -> CommandResult;

/// A command: its description and its function. A container (CLIENT, CONFIG) has subcommands, each a
/// command; its own function runs when no subcommand is named.
#[derive(Debug)]
pub struct Command {
    /// The row.
    pub spec: CommandSpec,
    /// The function.
    pub run: Handler,
    /// Subcommands, for a container.
    pub subcommands: &'static [&'static Command],
}

/// Which part of the keyspace a command locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    None,
    /// The shards of its keys.
    Keys,
    /// Everything, for an instant.
    All,
}

/// A command as the table holds it.
#[derive(Debug)]
pub struct Registered {
    /// The row and function.
    pub command: &'static Command,
    /// The place of its statistics.
    pub index: usize,
    /// Lower case, `container|name` for a subcommand.
    pub full_name: String,
    /// Its flags as bits.
    pub flags: FlagSet,
    /// Words, the name included; a minimum if negative.
    pub arity: i64,
    /// What it locks.
    pub scope: Scope,
    /// It has one key, always at the same place.
    pub is_one_key: bool,
    /// The gates that may refuse it.
    pub gates: GateSet,
    /// Nothing behind it is parsed before it has run.
    pub ends_window: bool,
    /// It runs at once inside MULTI.
    pub never_queued: bool,
    /// Words that name it: 1, or 2 for a subcommand.
    pub name_words: usize,
    /// Subcommands by lower-case name.
    pub subcommands: Vec<&'static Registered>,
}

impl Registered {
    /// Whether `words` words are enough and not too many.
    pub fn fits(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        if self.arity >= 0 { words == self.arity } else { words >= -self.arity }
    }

    /// What it locks for `request`: its keys, if that is all its words let it reach.
    #[inline]
    pub fn scope_of(&self, request: Request<'_>) -> Scope {
        let spec = &self.command.spec;
        let keys = || spec.keys.iter().filter(|keys| keys.is_unknown());
        let reaches = |keys: &KeySpec| keys.may_reach(request.len(), |at| request.word(at));
        if self.scope == Scope::All && keys().next().is_some() && !keys().any(reaches) {
            return Scope::Keys;
        }
        self.scope
    }

    /// The keys of `request`, in order. `None` if the words do not fit the row.
    pub fn keys<'a>(
        &self,
        request: Request<'a>,
    ) -> impl Iterator<Item = (&'static spec::KeySpec, &'a [u8])> + use<'a> {
        self.command.spec.keys.iter().filter(|spec| !spec.is_no_key()).flat_map(move |spec| {
            let found = spec.positions(request.len(), |at| request.word(at));
            found.into_iter().flatten().map(move |at| (spec, request.word(at)))
        })
    }
}

/// The longest name that is looked up.
const NAME_BYTES_MAX: usize = 32;

/// The longest name that fits a word.
const SHORT_BYTES_MAX: usize = size_of::<u64>();
/// Places for short names, several for each command.
const SHORT_PLACES: usize = 1024;
/// Places that are looked at for one name.
const SHORT_PROBES: usize = 8;

/// Commands by short names: a search looks at a few places from the name's own on.
#[derive(Clone, Debug)]
struct ShortNames(Box<[Option<(u64, &'static Registered)>]>);

impl ShortNames {
    fn new() -> ShortNames {
        ShortNames(vec![None; SHORT_PLACES].into())
    }

    /// A short name in lower case as one word; no name holds a zero.
    #[inline]
    fn word_of(name: &[u8]) -> Option<u64> {
        let mut bytes = [0; SHORT_BYTES_MAX];
        if name.len() > SHORT_BYTES_MAX || name.last().is_none_or(|&byte| byte == 0) {
            return None;
        }
        bytes.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        bytes.make_ascii_lowercase();
        Some(u64::from_le_bytes(bytes))
    }

    #[inline]
    fn places(word: u64) -> impl Iterator<Item = usize> {
        /// The highest bits of a product with it depend on all bits of the other factor.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let first = word.wrapping_mul(SPREAD) >> (u64::BITS - SHORT_PLACES.ilog2());
        let first = usize::try_from(first).unwrap_or(0);
        (first..first + SHORT_PROBES).map(|at| at % SHORT_PLACES)
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&'static Registered> {
        let word = ShortNames::word_of(name)?;
        let mut found = ShortNames::places(word).map_while(|at| self.0[at]);
        found.find(|(other, _)| *other == word).map(|(_, command)| command)
    }

    /// Adds a command, unless its name is long or all places for it are taken.
    fn add(&mut self, name: &[u8], command: &'static Registered) {
        let Some(word) = ShortNames::word_of(name) else { return };
        let is_free = |at: &usize| self.0[*at].is_none_or(|(other, _)| other == word);
        if let Some(at) = ShortNames::places(word).find(is_free) {
            self.0[at] = Some((word, command));
        }
    }
}

/// All commands by name.
#[derive(Clone, Debug)]
pub struct CommandTable {
    short: ShortNames,
    by_name: AHashMap<Box<[u8]>, &'static Registered>,
    all: Vec<&'static Registered>,
    ordered: Vec<&'static Registered>,
}

impl CommandTable {
    /// The table of `commands`, with some renamed (`rename-command`; an empty new name removes). The
    /// table lives as long as the process.
    pub fn new(commands: &[&'static Command], renamed: &[(Vec<u8>, Vec<u8>)]) -> CommandTable {
        let mut table = CommandTable {
            short: ShortNames::new(),
            by_name: AHashMap::new(),
            all: Vec::new(),
            ordered: Vec::new(),
        };
        for command in commands {
            let registered = table.register(command, None);
            table.ordered.push(registered);
            let name = command.spec.name.as_bytes();
            let new = renamed.iter().find(|(old, _)| old.eq_ignore_ascii_case(name));
            let name = new.map_or(name, |(_, new)| new);
            if !name.is_empty() {
                table.short.add(name, registered);
                table.by_name.insert(name.to_ascii_lowercase().into(), registered);
            }
        }
        table
    }

    fn register(
        &mut self,
        command: &'static Command,
        container: Option<&str>,
    ) -> &'static Registered {
        let spec = &command.spec;
        let flags = spec.flag_set();
        let full_name =
            container.map_or_else(|| spec.name.into(), |c| format!("{c}|{}", spec.name));
        let name_words = if container.is_some() { 2 } else { 1 };
        let subcommands: Vec<_> =
            command.subcommands.iter().map(|sub| self.register(sub, Some(spec.name))).collect();
        let runs_alone = subcommands.is_empty() || !spec.args.is_empty();
        let arity =
            if runs_alone { spec.arity(if container.is_some() { 2 } else { 1 }) } else { -2 };
        let scope = if flags.has(Flag::WholeKeyspace) {
            Scope::All
        } else if spec.keys.iter().all(KeySpec::is_no_key) {
            Scope::None
        } else {
            Scope::Keys
        };
        let index = self.all.len();
        let registered: &'static Registered = Box::leak(Box::new(Registered {
            command,
            index,
            flags,
            arity,
            scope,
            is_one_key: spec.is_one_key(),
            gates: gates::concerned(spec),
            ends_window: matches!(
                spec.name,
                "auth" | "hello" | "reset" | "psync" | "sync" | "quit"
            ),
            never_queued: container.is_none()
                && matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset"),
            full_name,
            name_words,
            subcommands,
        }));
        self.all.push(registered);
        registered
    }

    /// The command of that name in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&'static Registered> {
        self.short.find(name).or_else(|| self.find_any(name))
    }

    /// As [`CommandTable::find`], whatever the name's length.
    fn find_any(&self, name: &[u8]) -> Option<&'static Registered> {
        let mut lower = [0; NAME_BYTES_MAX];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.by_name.get(&*lower).copied()
    }

    /// The command that `request` names, its subcommand if it is a container that has it.
    #[inline]
    pub fn resolve(&self, request: Request<'_>) -> Option<&'static Registered> {
        let found = self.find(request.word(0))?;
        if found.subcommands.is_empty() || request.len() < 2 {
            return Some(found);
        }
        let name = request.word(1);
        let sub = found
            .subcommands
            .iter()
            .find(|sub| sub.command.spec.name.as_bytes().eq_ignore_ascii_case(name));
        Some(sub.copied().unwrap_or(found))
    }

    /// The command of that full name: `get`, or `config|set` for a subcommand.
    pub fn find_full(&self, name: &[u8]) -> Option<&'static Registered> {
        let mut words = name.splitn(2, |&byte| byte == b'|');
        let found = self.find(words.next()?)?;
        let Some(name) = words.next() else { return Some(found) };
        let is_named =
            |sub: &&&Registered| sub.command.spec.name.as_bytes().eq_ignore_ascii_case(name);
        found.subcommands.iter().find(is_named).copied()
    }

    /// Commands without subcommands, in the order of the rows.
    pub fn commands(&self) -> &[&'static Registered] {
        &self.ordered
    }

    /// Commands and subcommands, by the place of their statistics.
    pub fn all(&self) -> &[&'static Registered] {
        &self.all
    }
}
