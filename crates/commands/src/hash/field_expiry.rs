//! What all commands that name fields share: the words `FIELDS numfields field ...`, which end a command
//! or stand anywhere among its options (as in Redis 8.4), and ended fields, which are taken out when
//! somebody asks for them.
//!
//! Only a primary takes out, and logs the HDEL in front of what the command itself does. Replicas hide
//! what has ended until their primary's HDEL comes; to the primary's stream nothing has ended.

use engine::{Args, CommandError, Context};
use values::{Hash, Kind};

/// Takes those of `fields` out that have ended.
///
/// # Errors
/// `WrongType`.
pub(crate) fn remove_expired<'a>(
    cx: &mut Context<'_>,
    key: &[u8],
    fields: impl Iterator<Item = &'a [u8]>,
) -> Result<(), CommandError> {
    let (now, expires) = (cx.keys.fields_now(), cx.keys.expires());
    let Some(hash) = cx.keys.peek_at::<Hash>(key)? else { return Ok(()) };
    if !hash.may_have_ended(now) || !expires {
        return Ok(());
    }
    let mut ended: Vec<Vec<u8>> =
        fields.filter(|field| hash.has_ended(field, now)).map(<[u8]>::to_vec).collect();
    ended.sort_unstable();
    ended.dedup();
    if ended.is_empty() {
        return Ok(());
    }
    let removed = cx.keys.edit::<Hash, _>(key, |hash| {
        for field in &ended {
            hash.remove(field);
        }
        Ok(())
    })?;
    let emptied = removed.is_some_and(|edited| edited.removed);
    let place = (cx.keys.db, key, Kind::Hash);
    cx.effects.fields_expired(cx.node, place, &ended, emptied);
    Ok(())
}

/// `FIELDS numfields field ...`, which ends a command; `few` is what is said to fewer than one.
///
/// # Errors
/// What stock says to a wrong word or number.
pub(super) fn named_fields<'a>(
    args: &mut Args<'a>,
    few: &str,
) -> Result<Vec<&'a [u8]>, CommandError> {
    if !args.take_token("FIELDS") {
        return Err(missing());
    }
    if number(args, few)? != args.left() {
        return Err(CommandError::text(
            "ERR The `numfields` parameter must match the number of arguments",
        ));
    }
    Ok(args.words().collect())
}

fn missing() -> CommandError {
    CommandError::text("ERR Mandatory argument FIELDS is missing or not at the right position")
}

fn number(args: &mut Args<'_>, few: &str) -> Result<usize, CommandError> {
    let count = args.integer().ok().and_then(|count| usize::try_from(count).ok());
    count.filter(|&count| count > 0).ok_or_else(|| CommandError::text(few))
}

/// The words left: options, each taken by `option` if it is one, and once among them
/// `FIELDS numfields` with `width` words for each field, which are given; `few` is said to fewer than one.
///
/// # Errors
/// What Redis 8.4 says to a wrong word or number, or what `option` says.
pub(super) fn fields_among<'a>(
    cx: &Context<'_>,
    args: &mut Args<'a>,
    (width, few): (usize, &str),
    mut option: impl FnMut(&mut Args<'a>) -> Result<bool, CommandError>,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let mut fields = Vec::new();
    while let Some(word) = args.peek() {
        if !args.take_token("FIELDS") {
            if option(args)? {
                continue;
            }
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::Text(format!("ERR unknown argument: {word}")));
        }
        if !fields.is_empty() {
            return Err(CommandError::text("ERR FIELDS keyword specified multiple times"));
        }
        let len = number(args, few)?.checked_mul(width).filter(|&len| len <= args.left());
        let len = len.ok_or_else(|| CommandError::Arity(cx.command.full_name.clone()))?;
        fields.extend((0..len).filter_map(|_| args.next()));
    }
    if fields.is_empty() { Err(missing()) } else { Ok(fields) }
}

/// Said to fewer fields than one.
pub(super) const FEW: &str = "ERR Number of fields must be a positive integer";

/// Logs `verb` with `middle`, and `FIELDS numfields field ...` behind it, for fields of `key`.
pub(super) fn log_fields(
    cx: &mut Context<'_>,
    key: &[u8],
    (verb, middle): (&[u8], &[&[u8]]),
    fields: &[&[u8]],
) {
    let mut room = itoa::Buffer::new();
    let count = room.format(fields.len()).as_bytes();
    let mut words: Vec<&[u8]> = vec![verb, key];
    words.extend(middle);
    words.extend([&b"FIELDS"[..], count]);
    words.extend(fields);
    cx.effects.log_instead(cx.keys.db, &words);
}

/// Logs the removal of fields of `key`.
pub(super) fn log_removal(cx: &mut Context<'_>, key: &[u8], fields: &[&[u8]]) {
    let mut words: Vec<&[u8]> = vec![b"HDEL", key];
    words.extend(fields);
    cx.effects.log_instead(cx.keys.db, &words);
}
