//! Which connections CLIENT LIST and CLIENT KILL mean: words that all must hold, and with NOT- in
//! front of them words of which none may.
//!
//! Source: Valkey documentation, "CLIENT LIST", "CLIENT KILL" (9.0).

use super::describe::flags;
use engine::client::{Class, ClientInfo};
use engine::{Args, CommandError};
use spec::Arg;
use std::sync::atomic::Ordering;

/// Letters of `flags=` that may be asked for.
const FLAGS: &[u8] = b"AbBcdeEiINOPrRStTuUx";

const TYPES: &[Arg] = &[
    Arg::word("normal", "NORMAL"),
    Arg::word("master", "MASTER"),
    Arg::word("slave", "SLAVE"),
    Arg::word("replica", "REPLICA"),
    Arg::word("pubsub", "PUBSUB"),
];
const YES_NO: &[Arg] = &[Arg::word("yes", "YES"), Arg::word("no", "NO")];

/// The words of CLIENT KILL.
pub(super) const KILL_WORDS: &[Arg] = &[
    Arg::block("id", &[Arg::integer("client-id").multiple()]).token("ID"),
    Arg::one_of("client-type", TYPES).token("TYPE"),
    Arg::bytes("username").token("USER"),
    Arg::bytes("ip:port").token("ADDR"),
    Arg::bytes("ip:port").token("LADDR"),
    Arg::one_of("yes/no", YES_NO).token("SKIPME"),
    Arg::integer("maxage").token("MAXAGE"),
    Arg::integer("idle").token("IDLE"),
    Arg::bytes("name").token("NAME"),
    Arg::bytes("flags").token("FLAGS"),
    Arg::bytes("lib-name").token("LIB-NAME"),
    Arg::bytes("lib-ver").token("LIB-VER"),
    Arg::integer("db").token("DB"),
    Arg::bytes("capa").token("CAPA"),
    Arg::bytes("ip").token("IP"),
    Arg::block("id", &[Arg::integer("client-id").multiple()]).token("NOT-ID"),
    Arg::one_of("client-type", TYPES).token("NOT-TYPE"),
    Arg::bytes("username").token("NOT-USER"),
    Arg::bytes("ip:port").token("NOT-ADDR"),
    Arg::bytes("ip:port").token("NOT-LADDR"),
    Arg::bytes("name").token("NOT-NAME"),
    Arg::bytes("flags").token("NOT-FLAGS"),
    Arg::bytes("lib-name").token("NOT-LIB-NAME"),
    Arg::bytes("lib-ver").token("NOT-LIB-VER"),
    Arg::integer("db").token("NOT-DB"),
    Arg::bytes("capa").token("NOT-CAPA"),
    Arg::bytes("ip").token("NOT-IP"),
];

/// The words of CLIENT LIST.
pub(super) const LIST_WORDS: &[Arg] = &[
    Arg::one_of("client-type", TYPES).token("TYPE").optional(),
    Arg::block("id", &[Arg::integer("client-id").multiple()]).token("ID").optional(),
    Arg::one_of("filter", KILL_WORDS).optional().multiple(),
];

/// Facts of a connection; those that are given count.
#[derive(Debug, Default)]
struct Terms {
    ids: Option<Vec<u64>>,
    class: Option<Class>,
    user: bool,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    ip: Option<Vec<u8>>,
    name: Option<Vec<u8>>,
    library: Option<Vec<u8>>,
    library_version: Option<Vec<u8>>,
    flags: Option<Vec<u8>>,
    db: Option<u32>,
    capability: bool,
}

impl Terms {
    /// What each fact that counts says of `client`.
    fn verdicts(&self, client: &ClientInfo) -> Vec<bool> {
        let ip = || client.address.rsplit_once(':').map_or("", |(ip, _)| ip).as_bytes();
        let shown = || flags(client).into_bytes();
        let names = client.names.lock().clone();
        let same = |wanted: &Option<Vec<u8>>, own: &[u8]| wanted.as_ref().map(|w| w == own);
        [
            self.ids.as_ref().map(|ids| ids.contains(&client.id)),
            self.class.map(|class| client.class() == class),
            // There is no other user yet.
            self.user.then_some(true),
            same(&self.address, client.address.as_bytes()),
            same(&self.local_address, client.local_address.as_bytes()),
            self.ip.as_ref().map(|wanted| *wanted == ip()),
            same(&self.name, &names.name),
            same(&self.library, &names.library),
            same(&self.library_version, &names.library_version),
            self.flags.as_ref().map(|all| all.iter().all(|letter| shown().contains(letter))),
            self.db.map(|db| client.db.load(Ordering::Relaxed) == db),
            // Nobody can declare one.
            self.capability.then_some(false),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Which connections are meant.
#[derive(Debug, Default)]
pub(super) struct Filter {
    with: Terms,
    without: Terms,
    age_s: Option<u64>,
    idle_s: Option<u64>,
    spares_caller: bool,
}

impl Filter {
    /// All connections of an address.
    pub(super) fn of_address(address: &[u8]) -> Filter {
        let with = Terms { address: Some(address.to_vec()), ..Terms::default() };
        Filter { with, ..Filter::default() }
    }

    /// Of CLIENT KILL, which spares the caller unless it is told otherwise.
    pub(super) fn of_kill(args: &mut Args<'_>) -> Result<Filter, CommandError> {
        let mut filter = Filter { spares_caller: true, ..Filter::default() };
        while args.left() > 0 {
            filter.take(args, ids_to_kill)?;
        }
        Ok(filter)
    }

    /// Of CLIENT LIST, which takes any number of ids.
    pub(super) fn of_list(args: &mut Args<'_>) -> Result<Filter, CommandError> {
        let mut filter = Filter::default();
        while args.left() > 0 {
            filter.take(args, list_of_ids)?;
        }
        Ok(filter)
    }

    fn take(
        &mut self,
        args: &mut Args<'_>,
        ids: impl Fn(&mut Args<'_>) -> Result<Vec<u64>, CommandError>,
    ) -> Result<(), CommandError> {
        let option = args.bytes()?.to_ascii_lowercase();
        if args.left() == 0 {
            return Err(CommandError::Syntax);
        }
        let (terms, option) = match option.strip_prefix(b"not-") {
            Some(option) => (&mut self.without, option),
            None => (&mut self.with, &option[..]),
        };
        match option {
            b"id" => terms.ids.get_or_insert_default().extend(ids(args)?),
            b"type" => terms.class = Some(class_of(args.bytes()?)?),
            b"user" => {
                let user = args.bytes()?;
                if user != b"default" {
                    let user = String::from_utf8_lossy(user);
                    return Err(CommandError::Text(format!("ERR No such user '{user}'")));
                }
                terms.user = true;
            }
            b"addr" => terms.address = Some(args.bytes()?.to_vec()),
            b"laddr" => terms.local_address = Some(args.bytes()?.to_vec()),
            b"capa" => {
                args.bytes()?;
                terms.capability = true;
            }
            b"ip" => terms.ip = Some(args.bytes()?.to_vec()),
            b"name" => terms.name = Some(args.bytes()?.to_vec()),
            b"lib-name" => terms.library = Some(args.bytes()?.to_vec()),
            b"lib-ver" => terms.library_version = Some(args.bytes()?.to_vec()),
            b"flags" => terms.flags = Some(letters(args.bytes()?)?),
            b"db" => {
                let db = u32::try_from(args.integer()?);
                terms.db = Some(db.map_err(|_| CommandError::DbOutOfRange)?);
            }
            _ => return self.take_once(option, args),
        }
        Ok(())
    }

    /// Words that have no negation.
    fn take_once(&mut self, option: &[u8], args: &mut Args<'_>) -> Result<(), CommandError> {
        // The word that named it has been taken.
        let value = args.bytes()?;
        match option {
            b"maxage" => self.age_s = Some(seconds(value, "maxage")?),
            b"idle" => self.idle_s = Some(seconds(value, "idle")?),
            b"skipme" if value.eq_ignore_ascii_case(b"yes") => self.spares_caller = true,
            b"skipme" if value.eq_ignore_ascii_case(b"no") => self.spares_caller = false,
            _ => return Err(CommandError::Syntax),
        }
        Ok(())
    }

    pub(super) fn matches(&self, client: &ClientInfo, caller: u64) -> bool {
        let since = |at: u64| base::clock::monotonic().0.saturating_sub(at) / 1000;
        let idle_s = || since(client.last_interaction.load(Ordering::Relaxed));
        !(self.spares_caller && client.id == caller)
            && self.age_s.is_none_or(|least| since(client.created.0) >= least)
            && self.idle_s.is_none_or(|least| idle_s() >= least)
            && self.with.verdicts(client).into_iter().all(|holds| holds)
            && !self.without.verdicts(client).into_iter().any(|holds| holds)
    }
}

/// Ids above zero up to a word that is no number; at least one.
fn ids_to_kill(args: &mut Args<'_>) -> Result<Vec<u64>, CommandError> {
    let mut ids = vec![positive(args.bytes()?, "client-id")?];
    while args.peek().is_some_and(|word| values::string::parse_i64(word).is_some()) {
        ids.push(positive(args.bytes()?, "client-id")?);
    }
    Ok(ids)
}

/// Ids up to a word that is none; at least one.
fn list_of_ids(args: &mut Args<'_>) -> Result<Vec<u64>, CommandError> {
    let mut ids = Vec::new();
    while let Some(id) = args.peek().and_then(values::string::parse_i64) {
        ids.extend(u64::try_from(id));
        args.bytes()?;
        if args.left() == 0 {
            return Ok(ids);
        }
    }
    // What follows is another word of the filter if it can be one.
    let is_word = |word: &[u8]| word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
    if ids.is_empty() || !args.peek().is_some_and(is_word) || args.left() < 2 {
        return Err(CommandError::text("ERR Invalid client ID"));
    }
    Ok(ids)
}

fn letters(word: &[u8]) -> Result<Vec<u8>, CommandError> {
    if word.iter().all(|letter| FLAGS.contains(letter)) {
        return Ok(word.to_vec());
    }
    let word = String::from_utf8_lossy(word);
    Err(CommandError::Text(format!("ERR Unknown flags found in the provided filter: {word}")))
}

fn seconds(word: &[u8], what: &str) -> Result<u64, CommandError> {
    values::string::parse_i64(word).ok_or(CommandError::NotInteger)?;
    positive(word, what)
}

fn positive(word: &[u8], what: &str) -> Result<u64, CommandError> {
    let number = values::string::parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number
        .filter(|&number| number > 0)
        .ok_or_else(|| CommandError::Text(format!("ERR {what} should be greater than 0")))
}

/// The class that a word of TYPE names.
fn class_of(word: &[u8]) -> Result<Class, CommandError> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(Class::Normal),
        b"master" | b"primary" => Ok(Class::Primary),
        b"slave" | b"replica" => Ok(Class::Replica),
        b"pubsub" => Ok(Class::PubSub),
        _ => {
            let word = String::from_utf8_lossy(word);
            Err(CommandError::Text(format!("ERR Unknown client type '{word}'")))
        }
    }
}
