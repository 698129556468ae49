//! DEBUG DIGEST, DIGEST-VALUE, OBJECT, POPULATE, RELOAD: tools that look at the data set.

use engine::image::{self, Limits};
use engine::keys::{Text, kind_of};
use engine::snapshot::{LoadOptions, load_file, save_now};
use engine::{Args, CommandError, CommandResult, Context};
use keyspace::Entry;
use rdb::payload;
use rdb::save::Encoder;
use std::collections::BTreeMap;
use std::path::Path;
use values::digest::{DatasetDigest, Digest, KeysDigest, ValueDigest};

fn digest_of(begun: ValueDigest, entry: &Entry) -> Digest {
    image::digest(begun, entry).finish(entry.expire_at().is_some())
}

pub(super) fn digest(cx: &mut Context<'_>, _args: &mut Args<'_>) -> CommandResult {
    let mut dbs: BTreeMap<u32, KeysDigest> = BTreeMap::new();
    cx.node.keyspace.each_shard(|_, shard| {
        for (number, db) in shard.dbs().filter(|(_, db)| !db.is_empty()) {
            let keys = dbs.entry(number).or_default();
            for entry in db.iter() {
                keys.add(digest_of(ValueDigest::of_key(entry.key(), kind_of(entry)), entry));
            }
        }
    });
    let mut sum = DatasetDigest::default();
    for (number, keys) in dbs {
        sum.add_db(number, keys);
    }
    cx.reply.simple(sum.finish().to_string());
    Ok(())
}

pub(super) fn digest_value(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    cx.reply.array(args.left());
    while let Some(key) = args.next() {
        let entry = cx.keys.peek(key);
        let digest = entry.map(|entry| digest_of(ValueDigest::new(kind_of(entry)), entry));
        cx.reply.simple(digest.unwrap_or_default().to_string());
        cx.keys.release();
    }
    Ok(())
}

/// Bytes of a payload beside the value: its type, the version and the checksum.
const PAYLOAD_FRAME_BYTES: usize = 11;

pub(super) fn object(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.bytes()?;
    let clock = cx.node.access_clock();
    let entry = cx.keys.peek(key).ok_or(CommandError::NoSuchKey)?;
    let encoding = image::encoding(entry);
    let len = match Text::of(entry) {
        Ok(Text::Int(_)) => 5,
        Ok(text @ Text::Bytes(_)) => text.len() + 1,
        Err(_) => {
            let payload = payload::dump(&mut Encoder::new(true), image::saved(entry));
            payload.len().saturating_sub(PAYLOAD_FRAME_BYTES)
        }
    };
    let access = entry.access();
    let idle_s = clock.idle_s(access);
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{encoding} serializedlength:{len} lru:{access} \
         lru_seconds_idle:{idle_s}",
        std::ptr::from_ref(entry)
    );
    cx.reply.simple(line);
    Ok(())
}

pub(super) fn populate(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let count = u64::try_from(args.integer()?).map_err(|_| CommandError::NotPositive)?;
    let prefix = String::from_utf8_lossy(args.next().unwrap_or(b"key")).into_owned();
    let size = match args.next() {
        Some(_) if args.left() > 0 => return Err(CommandError::Syntax),
        Some(word) => {
            let size = values::string::parse_i64(word).ok_or(CommandError::NotInteger)?;
            Some(usize::try_from(size).map_err(|_| CommandError::NotPositive)?)
        }
        None => None,
    };
    let limit = cx.node.settings.proto_max_bulk_len.count();
    if size.is_some_and(|size| size as u64 > limit) {
        return Err(CommandError::TooLong);
    }
    for number in 0..count {
        let key = format!("{prefix}:{number}");
        if cx.keys.peek(key.as_bytes()).is_none() {
            let mut value = format!("value:{number}").into_bytes();
            if let Some(size) = size.filter(|&size| size > 0) {
                value.resize(size, 0);
            }
            cx.keys.put_string(key.as_bytes(), &value, None);
        }
        cx.keys.release();
    }
    cx.reply.ok();
    Ok(())
}

pub(super) fn reload(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let no_save = args.take_token("nosave");
    if args.left() > 0 {
        return Err(CommandError::text("ERR DEBUG RELOAD only supports the NOSAVE option."));
    }
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    if !no_save {
        save_now(cx.node, alone).map_err(|error| CommandError::Text(format!("ERR {error}")))?;
    }
    let settings = &cx.node.settings;
    let path = Path::new(&settings.dir.string()).join(settings.dbfilename.string());
    let options = LoadOptions {
        expired_before: cx.node.originates().then_some(cx.now),
        databases: u32::try_from(settings.databases.get()).unwrap_or(u32::MAX),
        checksum: settings.rdbchecksum.get(),
        limits: Limits::of(settings),
    };
    match load_file(&path, options, |_| {}) {
        Ok(Some(dataset)) => drop(dataset.install(&cx.node.keyspace, alone)),
        Ok(None) | Err(_) => {
            return Err(CommandError::text(
                "ERR Error trying to load the RDB dump, check server logs.",
            ));
        }
    }
    tracing::warn!("DB reloaded by DEBUG RELOAD");
    cx.reply.ok();
    Ok(())
}
