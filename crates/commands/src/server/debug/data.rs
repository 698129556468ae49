//! DEBUG DIGEST, DIGEST-VALUE, LOADAOF, OBJECT, POPULATE, RELOAD: tools that look at the data set.

use crate::generic::object::references;
use base::Millis;
use engine::append_only::{self, load};
use engine::image;
use engine::keys::kind_of;
use engine::snapshot::{LoadOptions, load_file, save_now};
use engine::{Args, CommandError, CommandResult, Context};
use keyspace::Entry;
use rdb::{Encoder, payload};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use values::digest::{DatasetDigest, Digest, KeysDigest, ValueDigest};
use values::{Kind, List, ListRef};

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

/// What DEBUG OBJECT adds for a list of so many nodes, elements and bytes.
fn about_nodes(cx: &Context<'_>, (nodes, count, bytes): (usize, usize, usize)) -> String {
    // Hundredths, cut off.
    let Some(average) = (count * 100).checked_div(nodes) else { return String::new() };
    let settings = &cx.node.settings;
    format!(
        " ql_nodes:{nodes} ql_avg_node:{}.{:02} ql_listpack_max:{} ql_compressed:{} \
         ql_uncompressed_size:{}",
        average / 100,
        average % 100,
        settings.list_max_listpack_size.get(),
        u8::from(settings.list_compress_depth.get() != 0),
        bytes
    )
}

pub(super) fn object(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    let key = args.bytes()?;
    let clock = cx.node.access_clock();
    let mut encoder = Encoder::new(cx.node.settings.rdbcompression.get());
    let entry = cx.keys.peek(key).ok_or(CommandError::NoSuchKey)?;
    let references = references(entry, &cx.node.settings);
    let encoding = image::encoding(entry);
    // Without the type before the value and what stands behind it.
    let len = payload::dump(&mut encoder, image::saved(entry)).len() - payload::FRAME_LEN;
    let (access, place) = (entry.access(), std::ptr::from_ref(entry));
    let idle_s = clock.idle_s(access);
    let mut line = format!(
        "Value at:{place:p} refcount:{references} encoding:{encoding} serializedlength:{len} \
         lru:{access} lru_seconds_idle:{idle_s}"
    );
    if kind_of(entry) == Kind::List {
        let settled = cx.keys.peek_at::<List>(key)?.map(|list| match list {
            ListRef::Large(quick) => (quick.node_count(), list.len(), quick.plain_bytes()),
            ListRef::Packed(_) => (0, 0, 0),
        });
        line += &about_nodes(cx, settled.unwrap_or_default());
    }
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

/// How a reload treats what it finds.
fn load_options<'a>(cx: &Context<'a>, expired_before: Option<Millis>) -> LoadOptions<'a> {
    let options = LoadOptions::of(cx.node, expired_before);
    let checksum = options.checksum && !cx.node.skip_checksums.load(Ordering::Relaxed);
    LoadOptions { checksum, ..options }
}

pub(super) fn load_append_only(cx: &mut Context<'_>, args: &mut Args<'_>) -> CommandResult {
    args.end()?;
    let alone = cx.alone.ok_or(CommandError::Internal)?;
    cx.keys.release();
    let node = cx.node;
    let directory = append_only::directory(&node.settings, &node.disk);
    let loaded = node.append_only.flush().and_then(|()| {
        let found = load::find(&directory, None).map_err(|error| error.to_string())?;
        let found = found.ok_or("there is no append-only file")?;
        let options = load_options(cx, None);
        // The node in which it is built has a gate of its own, and this thread holds one already.
        let load = || load::load(node, &directory, found, options);
        let loaded = thread::scope(|scope| scope.spawn(load).join());
        loaded.map_err(|_| "the load panicked")?.map_err(|error| error.to_string())
    });
    match loaded {
        Ok(loaded) => drop(loaded.dataset.install(node, alone)),
        Err(error) => {
            tracing::error!("{error}");
            let text = "ERR Error trying to load the AOF files, check server logs.";
            return Err(CommandError::text(text));
        }
    }
    tracing::warn!("Append Only File loaded by DEBUG LOADAOF");
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
    let options = load_options(cx, cx.node.originates().then_some(cx.now));
    match load_file(&*cx.node.disk, &path, options, |_| {}) {
        Ok(Some(dataset)) => drop(dataset.install(cx.node, alone)),
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
