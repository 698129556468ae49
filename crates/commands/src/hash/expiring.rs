//! HGETEX, HSETEX and HGETDEL: values together with when they end, or with their removal. Commands of
//! Redis 8.0; HSETEX's NX and XX, which look at the key, are those of Valkey.
//!
//! HSETEX is logged as HSET if its fields do not expire, which every replica knows, and as HDEL if they
//! have ended already; HGETEX and HGETDEL as what they do.

use super::expire::{FIELDS, expire_fields, instant, persist_fields};
use super::field_expiry::{FEW, fields_among, log_removal, named_fields, remove_expired};
use super::limits;
use crate::expire_time::{EX, EXAT, Form, PX, PXAT, millis};
use crate::generic::expire::Condition;
use base::Millis;
use engine::effects::Event;
use engine::{Args, Command, CommandError, CommandResult, Context};
use spec::{Arg, CommandSpec, Flag, Group, KeyFlag, KeySpec, ReplyShape};
use values::{Collection, Hash};

const EXPIRATION: [Arg; 4] = [
    Arg::integer("seconds").token("EX"),
    Arg::integer("milliseconds").token("PX"),
    Arg::unix_time("unix-time-seconds").token("EXAT"),
    Arg::unix_time("unix-time-milliseconds").token("PXAT"),
];

/// HGETDEL.
pub const HGETDEL: Command = Command {
    spec: CommandSpec {
        name: "hgetdel",
        since: "8.0.0",
        group: Group::Hash,
        summary: "Answers the values of fields and removes these.",
        complexity: "O(N) in the fields.",
        flags: &[Flag::Write, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Delete])],
        args: &[Arg::key("key"), FIELDS],
        reply: &[ReplyShape::Array("The values, null for each field that is not there.")],
        ..CommandSpec::EMPTY
    },
    run: hgetdel,
    subcommands: &[],
};

/// HGETEX.
pub const HGETEX: Command = Command {
    spec: CommandSpec {
        name: "hgetex",
        summary: "Answers the values of fields after setting or removing their expiry.",
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Access, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::one_of(
                "expiration",
                &[
                    EXPIRATION[0],
                    EXPIRATION[1],
                    EXPIRATION[2],
                    EXPIRATION[3],
                    Arg::word("persist", "PERSIST"),
                ],
            )
            .optional(),
            FIELDS,
        ],
        ..HGETDEL.spec
    },
    run: hgetex,
    subcommands: &[],
};

/// HSETEX.
pub const HSETEX: Command = Command {
    spec: CommandSpec {
        name: "hsetex",
        summary: "Sets fields together with their expiry.",
        flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
        keys: &[KeySpec::one(1, &[KeyFlag::ReadWrite, KeyFlag::Update])],
        args: &[
            Arg::key("key"),
            Arg::one_of("key-condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")])
                .optional(),
            Arg::one_of("condition", &[Arg::word("fnx", "FNX"), Arg::word("fxx", "FXX")])
                .optional(),
            Arg::one_of(
                "expiration",
                &[
                    EXPIRATION[0],
                    EXPIRATION[1],
                    EXPIRATION[2],
                    EXPIRATION[3],
                    Arg::word("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
            Arg::block(
                "fields",
                &[
                    Arg::integer("numfields"),
                    Arg::block("data", &[Arg::bytes("field"), Arg::bytes("value")]).multiple(),
                ],
            )
            .token("FIELDS"),
        ],
        reply: &[ReplyShape::Integer("1 if the fields were set, 0 if none was.")],
        ..HGETDEL.spec
    },
    run: hsetex,
    subcommands: &[],
};

/// What becomes of the expiries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    /// It was not said.
    Unsaid,
    /// PERSIST or KEEPTTL.
    Word,
    /// An instant.
    At(i64),
}

impl Expiry {
    /// Takes the next words if they are about the expiry, `word` standing for `Expiry::Word`.
    fn take(
        &mut self,
        cx: &Context<'_>,
        args: &mut Args<'_>,
        word: &str,
    ) -> Result<bool, CommandError> {
        let forms: [(&str, Form); 4] = [("EX", EX), ("PX", PX), ("EXAT", EXAT), ("PXAT", PXAT)];
        let form = forms.into_iter().find(|(token, _)| args.take_token(token));
        let said = match form {
            None if args.take_token(word) => Expiry::Word,
            None => return Ok(false),
            Some((_, form)) => {
                let number = args.integer()?;
                Expiry::At(instant(cx, number, form)?)
            }
        };
        if *self != Expiry::Unsaid {
            return Err(CommandError::Text(format!(
                "ERR Only one of EX, PX, EXAT, PXAT or {word} arguments can be specified"
            )));
        }
        *self = said;
        Ok(true)
    }
}

/// The values of `fields`, ended ones taken out before.
fn values(
    cx: &mut Context<'_>,
    key: &[u8],
    fields: &[&[u8]],
) -> Result<Vec<Option<Vec<u8>>>, CommandError> {
    remove_expired(cx, key, fields.iter().copied())?;
    let now = cx.keys.fields_now();
    let hash = cx.keys.read::<Hash>(key)?;
    let value = |field: &&[u8]| Some(hash?.get(field, now)?.to_vec());
    Ok(fields.iter().map(value).collect())
}

fn answer(cx: &mut Context<'_>, values: &[Option<Vec<u8>>]) {
    cx.reply.array(values.len());
    for value in values {
        match value {
            Some(value) => cx.reply.bulk(value),
            None => cx.reply.null(),
        }
    }
}

fn hgetdel(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let fields = named_fields(args, FEW)?;
    let mut values = values(cx, key, &fields)?;
    if values.iter().any(Option::is_some) {
        remove(cx, key, &fields, |index, was_there| {
            // A field that is named twice is there once.
            if !was_there && let Some(value) = values.get_mut(index) {
                *value = None;
            }
        })?;
    }
    answer(cx, &values);
    Ok(())
}

/// Removes fields of a hash, telling of each by its index whether it was there.
fn remove(
    cx: &mut Context<'_>,
    key: &[u8],
    fields: &[&[u8]],
    mut tell: impl FnMut(usize, bool),
) -> CommandResult {
    let edited = cx.keys.edit::<Hash, _>(key, |hash| {
        let mut removed = Vec::with_capacity(fields.len());
        for (index, &field) in fields.iter().enumerate() {
            let was_there = hash.remove(field);
            removed.extend(was_there.then_some(field));
            tell(index, was_there);
        }
        Ok(removed)
    })?;
    if let Some(edited) = edited {
        cx.changed(key, Event::HashDelete, edited.value.len(), edited.removed);
        log_removal(cx, key, &edited.value);
    }
    Ok(())
}

fn hgetex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let (key, mut expiry) = (args.key()?, Expiry::Unsaid);
    let fields = fields_among(cx, args, (1, FEW), |args| expiry.take(cx, args, "PERSIST"))?;
    let values = values(cx, key, &fields)?;
    match expiry {
        Expiry::Unsaid => {}
        Expiry::Word => drop(persist_fields(cx, key, &fields)?),
        Expiry::At(instant) => {
            expire_fields(cx, key, &fields, Condition::default(), instant)?;
        }
    }
    answer(cx, &values);
    Ok(())
}

/// What HSETEX was told.
struct Setting<'a> {
    /// The key must be there (true) or absent (false).
    exists: Option<bool>,
    /// All fields must be there (true) or absent (false).
    present: Option<bool>,
    expiry: Expiry,
    /// Fields and values in turn.
    data: Vec<&'a [u8]>,
}

impl<'a> Setting<'a> {
    fn parse(cx: &Context<'_>, args: &mut Args<'a>) -> Result<Setting<'a>, CommandError> {
        let (present, expiry, data) = (None, Expiry::Unsaid, Vec::new());
        let mut setting = Setting { exists: None, present, expiry, data };
        let few = "ERR invalid number of fields";
        setting.data = fields_among(cx, args, (2, few), |args| setting.take_option(cx, args))?;
        Ok(setting)
    }

    /// Takes the next words if they are an option.
    fn take_option(&mut self, cx: &Context<'_>, args: &mut Args<'_>) -> Result<bool, CommandError> {
        let either = |args: &mut Args<'_>, absent: &str, present: &str| {
            if args.take_token(absent) {
                Some(false)
            } else {
                args.take_token(present).then_some(true)
            }
        };
        if let Some(wanted) = either(args, "FNX", "FXX") {
            if self.present.replace(wanted).is_some() {
                return Err(CommandError::text(
                    "ERR Only one of FXX or FNX arguments can be specified",
                ));
            }
        } else if let Some(wanted) = either(args, "NX", "XX") {
            if self.exists.replace(wanted).is_some() {
                return Err(CommandError::Syntax);
            }
        } else {
            return self.expiry.take(cx, args, "KEEPTTL");
        }
        Ok(true)
    }

    fn fields(&self) -> impl Iterator<Item = &'a [u8]> {
        self.data.chunks_exact(2).map(|pair| pair[0])
    }
}

fn hsetex(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.key()?;
    let setting = Setting::parse(cx, args)?;
    remove_expired(cx, key, setting.fields())?;
    let now = cx.keys.fields_now();
    let hash = cx.keys.peek_at::<Hash>(key)?;
    let has = |field: &[u8]| hash.is_some_and(|hash| hash.get(field, now).is_some());
    let holds = setting.exists.is_none_or(|wanted| wanted == hash.is_some())
        && setting.present.is_none_or(|wanted| setting.fields().all(|at| has(at) == wanted));
    let (key_is_there, any) = (hash.is_some(), setting.fields().any(has));
    if holds {
        match setting.expiry {
            Expiry::At(at) if millis(at) <= cx.now && cx.node.originates() => {
                cx.effects.notify(cx.keys.db, key, Event::HashSet);
                if any {
                    let fields: Vec<&[u8]> = setting.fields().collect();
                    remove(cx, key, &fields, |_, _| ())?;
                } else {
                    tell_of_removal(cx, key, key_is_there);
                }
            }
            _ => put(cx, key, &setting)?,
        }
    }
    cx.reply.integer(i64::from(holds));
    Ok(())
}

/// Tells that fields went which nobody saw, and with them the hash if they alone were to be in it.
fn tell_of_removal(cx: &mut Context<'_>, key: &[u8], key_is_there: bool) {
    cx.effects.notify(cx.keys.db, key, Event::HashDelete);
    if !key_is_there {
        cx.effects.notify(cx.keys.db, key, Event::Delete);
    }
}

/// Sets the fields.
fn put(cx: &mut Context<'_>, key: &[u8], setting: &Setting<'_>) -> CommandResult {
    let (db, limits, expiry) = (cx.keys.db, limits(cx), setting.expiry);
    cx.keys.edit_or_create::<Hash, _>(key, |hash| {
        for pair in setting.data.chunks_exact(2) {
            let at = match expiry {
                Expiry::Unsaid => None,
                Expiry::Word => hash.as_ref().expire_at(pair[0], Millis(0)).flatten(),
                Expiry::At(at) => Some(millis(at)),
            };
            hash.set(pair[0], pair[1], at, limits);
        }
        Ok(())
    })?;
    cx.effects.changed_by(db, key, Event::HashSet, setting.data.len() / 2);
    let mut room = itoa::Buffer::new();
    let middle: &[&[u8]] = match expiry {
        Expiry::Unsaid => {
            let mut words: Vec<&[u8]> = vec![b"HSET", key];
            words.extend(&setting.data);
            cx.effects.log_instead(db, &words);
            return Ok(());
        }
        Expiry::Word => &[b"KEEPTTL"],
        Expiry::At(at) => {
            cx.effects.notify(db, key, Event::HashExpire);
            &[b"PXAT", room.format(millis(at).0).as_bytes()]
        }
    };
    let mut count = itoa::Buffer::new();
    let mut words: Vec<&[u8]> = vec![b"HSETEX", key];
    words.extend(middle);
    words.extend([&b"FIELDS"[..], count.format(setting.data.len() / 2).as_bytes()]);
    words.extend(&setting.data);
    cx.effects.log_instead(db, &words);
    Ok(())
}
