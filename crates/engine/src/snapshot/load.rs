//! Loading a snapshot aside: the data set is replaced only when the new one is complete.

use crate::image::{self, BadValue, Limits};
use crate::keys::Place;
use base::disk::Disk;
use base::{Millis, Offset, RunId};
use keyspace::{Exclusive, Keyspace, SHARD_COUNT, Shard};
use rdb::{Item, LoadError, LoadedKey, Loader};
use std::collections::BTreeSet;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// A data set that was loaded but is not served yet.
#[derive(Debug)]
pub struct Dataset {
    shards: Vec<Shard>,
    /// The highest database number seen, plus one.
    pub databases: u32,
    /// Keys.
    pub keys: u64,
    /// Keys left out because they had expired.
    pub expired: u64,
    /// Keys left out because their collections were empty.
    pub empty: u64,
    /// The history the snapshot belongs to and its offset in it, if it says so.
    pub history: Option<(RunId, Offset)>,
    /// The database in which that history's stream stands there.
    pub stream_db: u32,
}

/// How a load treats what it finds.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions {
    /// Keys that expire before this are left out; `None` keeps all (a replica does).
    pub expired_before: Option<Millis>,
    /// How many databases there are.
    pub databases: u32,
    /// Verify the checksum.
    pub checksum: bool,
    /// How large packed values may be.
    pub limits: Limits,
}

/// What a snapshot says of members that expire, behind their key.
#[derive(Debug, Default)]
struct Members {
    /// The key that was added last.
    key: Option<Vec<u8>>,
    /// The member of it that was named last.
    member: Option<Vec<u8>>,
}

impl Members {
    /// Takes note of a field.
    fn note(&mut self, set: &mut Dataset, db: u32, name: &[u8], value: Vec<u8>) {
        if name == rdb::MEMBER_EXPIRY_KEY {
            self.member = Some(value);
        } else if name == rdb::MEMBER_EXPIRY_WHEN {
            let at = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
            if let (Some(key), Some(member), Some(at)) = (&self.key, self.member.take(), at) {
                set.expire_member(db, key, &member, Millis(at));
            }
        }
    }
}

impl Dataset {
    /// Lets a member of the set, or a field of the hash, at `key` expire.
    fn expire_member(&mut self, db: u32, key: &[u8], member: &[u8], at: Millis) {
        let place = Place::of(key);
        let Some(shard) = self.shards.get_mut(usize::from(place.shard)) else { return };
        if let Some(change) = shard.change(db, place.hash, key) {
            image::expire_member(change, member, at);
        }
        shard.note_fields(db, place.hash, key);
    }

    /// Puts the data set in place of everything `keyspace` holds, giving that back to be freed.
    pub fn install(self, keyspace: &Keyspace, _alone: &Exclusive<'_>) -> Vec<Shard> {
        let (mut old, now) = (Vec::new(), base::clock::unix());
        for (index, mut new) in (0..SHARD_COUNT).zip(self.shards) {
            let mut shard = keyspace.lock(index);
            let mut taken = Shard::default();
            let numbers: BTreeSet<u32> = shard.dbs().chain(new.dbs()).map(|(db, _)| db).collect();
            for db in numbers {
                let fresh = new.clear(db).unwrap_or_default();
                taken.replace(db, shard.replace(db, fresh, now), now);
            }
            old.push(taken);
        }
        old
    }
}

/// Reads a whole snapshot from `input`; `progress` is called now and then with the bytes read.
///
/// # Errors
/// [`LoadError`]; nothing is kept then.
pub fn read_dataset<R: Read>(
    input: R,
    options: LoadOptions,
    mut progress: impl FnMut(u64),
) -> Result<(Dataset, R), LoadError> {
    /// Keys between two calls of `progress`.
    const PROGRESS_KEYS: u64 = 1024;
    let mut loader = Loader::new(input).verify_checksum(options.checksum);
    let mut set = Dataset {
        shards: (0..SHARD_COUNT).map(|_| Shard::default()).collect(),
        databases: 0,
        keys: 0,
        expired: 0,
        empty: 0,
        history: None,
        stream_db: 0,
    };
    let (mut db, mut replid, mut seen) = (0, None, 0);
    let mut members = Members::default();
    while let Some(item) = loader.next_item()? {
        match item {
            Item::SelectDb(number) if number < options.databases => {
                db = number;
                set.databases = set.databases.max(number + 1);
            }
            Item::SelectDb(number) => {
                return Err(LoadError::Io {
                    offset: loader.offset(),
                    source: io::Error::other(format!(
                        "the snapshot has a database {number} but only {} are configured",
                        options.databases
                    )),
                });
            }
            Item::Aux { key, value } if key == b"repl-id" => replid = RunId::parse(&value),
            Item::Aux { key, value } if key == b"repl-stream-db" => {
                let db = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                set.stream_db = db.filter(|&db| db < options.databases).unwrap_or(0);
            }
            Item::Aux { key, value } if key == b"repl-offset" => {
                let offset = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                set.history = replid.zip(offset.map(Offset));
            }
            Item::Aux { key, value } => members.note(&mut set, db, &key, value),
            Item::Key(loaded) => {
                seen += 1;
                let at = loaded.attributes.expire_at;
                if at.zip(options.expired_before).is_some_and(|(at, now)| at <= now) {
                    set.expired += 1;
                    members.key = None;
                } else {
                    let added = add(&mut set, db, loaded, &options.limits);
                    members.key = Some(added.map_err(|error| LoadError::Io {
                        offset: loader.offset(),
                        source: io::Error::new(io::ErrorKind::InvalidData, error),
                    })?);
                }
                if seen % PROGRESS_KEYS == 0 {
                    progress(loader.offset());
                }
            }
            _ => {}
        }
    }
    let (rest, _unread) = loader.into_rest();
    Ok((set, rest))
}

/// Adds a key, whose name is given back.
fn add(
    set: &mut Dataset,
    db: u32,
    loaded: LoadedKey,
    limits: &Limits,
) -> Result<Vec<u8>, BadValue> {
    let LoadedKey { key, value, attributes } = loaded;
    let entry = match image::entry(&key, value, attributes.expire_at, limits) {
        Err(BadValue::Empty) => {
            set.empty += 1;
            return Ok(key);
        }
        entry => entry?,
    };
    let place = Place::of(&key);
    if let Some(shard) = set.shards.get_mut(usize::from(place.shard)) {
        shard.insert(db, place.hash, entry);
        set.keys += 1;
    }
    Ok(key)
}

/// Reads the snapshot file at `path`; `Ok(None)` if there is none.
///
/// # Errors
/// [`LoadError`]; nothing is kept then.
pub fn load_file(
    disk: &dyn Disk,
    path: &Path,
    options: LoadOptions,
    progress: impl FnMut(u64),
) -> Result<Option<Dataset>, LoadError> {
    /// Read-ahead.
    const BUFFER_BYTES: usize = 1 << 20;
    let file = match disk.read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LoadError::Io { offset: 0, source }),
    };
    let input = BufReader::with_capacity(BUFFER_BYTES, file);
    read_dataset(input, options, progress).map(|(set, _)| Some(set))
}
