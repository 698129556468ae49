//! Loading a snapshot aside: the data set is replaced only when the new one is complete.

mod build;

use super::Delay;
use crate::access::AccessClock;
use crate::functions::Libraries;
use crate::image::Limits;
use crate::node::Node;
use base::disk::Disk;
use base::{Millis, Offset, RunId};
use build::{Batch, Crew, Site};
use conf::Number;
use keyspace::{Exclusive, Keyspace, SHARD_COUNT, Shard};
use psync::history::History;
use rdb::{Item, LoadError, Loader, MemberExpiry, ModuleData, Piece};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Threads that one load is spread over.
const THREADS_MAX: usize = 8;

/// About the bytes of records that are handed to a thread at once: enough to be worth the hand-over, and
/// little enough for a second-level cache.
const BATCH_BYTES: usize = 128 << 10;

/// A data set that was loaded but is not served yet.
#[derive(Debug)]
pub struct Dataset {
    shards: Vec<Shard>,
    /// The highest database number seen, plus one.
    pub databases: u32,
    /// Keys.
    pub keys: u64,
    /// Keys that had expired; they are there if they were to be kept.
    pub expired: u64,
    /// Keys left out because their collections were empty.
    pub empty: u64,
    /// Keys left out because their values are those of modules.
    pub left_out: u64,
    /// What modules keep outside the keyspace.
    pub module_data: Vec<ModuleData>,
    /// Function libraries.
    pub functions: Libraries,
    /// The history the snapshot belongs to and its offset in it, if it says so.
    pub history: Option<(RunId, Offset)>,
    /// The database in which that history's stream stands there.
    pub stream_db: u32,
}

/// What stands behind a snapshot.
pub type Rest<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// How a load treats what it finds.
#[derive(Clone, Copy, Debug)]
pub struct LoadOptions<'a> {
    /// Keys that expire before this count as expired; `None` if none do (at a replica).
    pub expired_before: Option<Millis>,
    /// These are kept all the same, not left out: replicas may hold them, and whoever takes them out
    /// afterwards tells of it in the log.
    pub keeps_expired: bool,
    /// How many databases there are.
    pub databases: u32,
    /// Verify the checksum.
    pub checksum: bool,
    /// How large packed values may be.
    pub limits: Limits,
    /// Data of modules is kept as it is (`rdb-keep-unknown-modules`), not left out.
    pub keep_modules: bool,
    /// What the snapshot says of the use of keys counts from here; of keys without a word this is the first.
    pub clock: AccessClock,
    /// What is waited for each key (`key-load-delay`), if anything.
    pub delay: Option<&'a Number>,
    /// That nobody wants the data any more ends such a wait.
    pub given_up: Option<&'a AtomicBool>,
}

impl LoadOptions<'_> {
    /// As the settings of `node` want it.
    pub fn of(node: &Node, expired_before: Option<Millis>) -> LoadOptions<'_> {
        let settings = &node.settings;
        LoadOptions {
            expired_before,
            keeps_expired: false,
            databases: u32::try_from(settings.databases.get()).unwrap_or(u32::MAX),
            checksum: settings.rdbchecksum.get(),
            limits: Limits::of(settings),
            keep_modules: settings.rdb_keep_unknown_modules.get(),
            clock: node.access_clock(),
            delay: Some(&settings.key_load_delay),
            given_up: None,
        }
    }
}

impl LoadOptions<'_> {
    /// Whether nobody wants the data any more.
    fn is_given_up(&self) -> bool {
        self.given_up.is_some_and(|given_up| given_up.load(Ordering::Acquire))
    }
}

/// Everything is read, as without a configuration.
impl Default for LoadOptions<'_> {
    fn default() -> Self {
        LoadOptions {
            expired_before: None,
            keeps_expired: false,
            databases: 16,
            checksum: true,
            limits: Limits::default(),
            keep_modules: false,
            clock: AccessClock::new(0, None),
            delay: None,
            given_up: None,
        }
    }
}

impl Dataset {
    /// None, of which nothing is known.
    pub(crate) fn empty() -> Dataset {
        Dataset {
            shards: Vec::new(),
            databases: 0,
            keys: 0,
            expired: 0,
            empty: 0,
            left_out: 0,
            module_data: Vec::new(),
            functions: Libraries::default(),
            history: None,
            stream_db: 0,
        }
    }

    /// Takes everything that `keyspace` holds, which nobody else uses.
    pub(crate) fn take_from(&mut self, keyspace: &Keyspace) {
        let take = |index| std::mem::take(&mut *keyspace.lock(index));
        self.shards = (0..SHARD_COUNT).map(take).collect();
        let databases = self.shards.iter().flat_map(Shard::dbs);
        self.keys = databases.map(|(_, db)| db.len() as u64).sum();
    }

    /// Makes the data set that of `node`, whose log goes on in its history: the start of a server.
    pub fn adopt(self, node: &Node) {
        let (history, stream_db) = (self.history, self.stream_db);
        let alone = node.keyspace.gate.exclusive();
        drop(self.install(node, &alone));
        if let Some((replid, offset)) = history {
            node.log.reset(offset);
            node.replication.set_stream_db(stream_db);
            let mut state = node.replication.state();
            state.history = History::new(replid);
            state.link.ever_synced = true;
        }
    }

    /// Puts the data set in place of everything `node` holds, giving that back to be freed.
    pub fn install(mut self, node: &Node, _alone: &Exclusive<'_>) -> Vec<Shard> {
        *node.module_data.lock() = std::mem::take(&mut self.module_data).into();
        if !self.functions.is_empty() {
            let count = self.functions.len();
            tracing::warn!("{count} function libraries are kept with the data, but not run");
        }
        node.functions.replace(std::mem::take(&mut self.functions));
        self.put_into(&node.keyspace)
    }

    /// As [`Dataset::install`], into a keyspace that nobody else knows; what is known of the data stays.
    pub(crate) fn put_into(&mut self, keyspace: &Keyspace) -> Vec<Shard> {
        let (mut old, now) = (Vec::new(), base::clock::unix());
        for (index, mut new) in (0..SHARD_COUNT).zip(std::mem::take(&mut self.shards)) {
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

/// Reads a whole snapshot from `input`; `progress` is called now and then with the bytes read. Gives
/// also what stands behind it, and how long it is.
///
/// Keys are built on as many threads as there are processors, the calling one included, which alone
/// touches `input`.
///
/// # Errors
/// [`LoadError`]; nothing is kept then.
pub fn read_dataset<R: Read>(
    input: R,
    options: LoadOptions<'_>,
    progress: impl FnMut(u64),
) -> Result<(Dataset, Rest<R>, u64), LoadError> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let division = Division { workers: processors.min(THREADS_MAX) - 1, batch_bytes: BATCH_BYTES };
    read_divided(input, options, division, progress)
}

/// How the work is divided.
#[derive(Clone, Copy, Debug)]
struct Division {
    /// Threads beside the calling one.
    workers: usize,
    /// About the bytes of records that are handed to a thread at once.
    batch_bytes: usize,
}

fn read_divided<R: Read>(
    input: R,
    options: LoadOptions<'_>,
    division: Division,
    mut progress: impl FnMut(u64),
) -> Result<(Dataset, Rest<R>, u64), LoadError> {
    let loader = Loader::new(input).verify_checksum(options.checksum);
    let mut loader = loader.keep_modules(options.keep_modules);
    let site = Site::new(options);
    let (about, counts) = thread::scope(|scope| {
        let mut crew = Crew::start(scope, &site, division.workers);
        let about = About::default();
        let about = about.read(&mut loader, &site, division, &mut crew, &mut progress);
        (about, crew.finish())
    });
    let shards = site.finish()?;
    if !counts.passed_over.modules.is_empty() {
        let names: Vec<_> = counts.passed_over.modules.iter().map(String::as_str).collect();
        tracing::warn!(
            "The snapshot has data of modules that this server does not have ({}): it was left out, {} keys",
            names.join(", "),
            counts.passed_over.keys
        );
    }
    let set = Dataset {
        shards,
        databases: about.databases,
        keys: counts.keys - counts.kept,
        expired: counts.expired + counts.kept,
        empty: counts.empty,
        left_out: counts.passed_over.keys,
        module_data: about.module_data,
        functions: about.functions,
        history: about.history,
        stream_db: about.stream_db,
    };
    let offset = loader.offset();
    let (rest, unread) = loader.into_rest();
    Ok((set, io::Cursor::new(unread).chain(rest), offset))
}

/// What a snapshot says beside its keys.
#[derive(Debug, Default)]
struct About {
    databases: u32,
    history: Option<(RunId, Offset)>,
    stream_db: u32,
    module_data: Vec<ModuleData>,
    functions: Libraries,
    /// The database of the keys that come next.
    db: u32,
    replid: Option<RunId>,
}

impl About {
    /// Reads to the end or to the first fault, which the site is told.
    fn read<R: Read>(
        mut self,
        loader: &mut Loader<R>,
        site: &Site<'_>,
        division: Division,
        crew: &mut Crew<'_, '_>,
        progress: &mut impl FnMut(u64),
    ) -> About {
        let options = site.options();
        let mut delay = options.delay.map(Delay::new);
        let mut wait = |keys: u64| {
            if let Some(delay) = &mut delay {
                delay.wait(keys, || !options.is_given_up());
            }
        };
        while !site.has_fault() {
            match loader.next_piece(division.batch_bytes) {
                Ok(None) => break,
                Ok(Some(Piece::Keys(keys))) => {
                    let count = keys.count();
                    crew.build(Batch { db: self.db, keys, is_cut_off: false });
                    progress(loader.offset());
                    wait(count);
                }
                Ok(Some(Piece::Item(Item::Key(key)))) => {
                    crew.add(self.db, key, loader.offset());
                    progress(loader.offset());
                    wait(1);
                }
                Ok(Some(Piece::Item(Item::ModuleSkipped { module, key }))) => {
                    crew.pass_over(module, key.is_some());
                }
                Ok(Some(Piece::Item(Item::Aux { key, value })))
                    if MemberExpiry::is_said_by(&key) =>
                {
                    crew.note(&key, value);
                }
                Ok(Some(Piece::Item(item))) => {
                    if let Err(source) = self.note(item, site.options().databases) {
                        let offset = loader.offset();
                        site.blame(offset, LoadError::Io { offset, source });
                    }
                }
                Err((keys, error)) => {
                    // What the keys before it show comes first.
                    if let Some(keys) = keys {
                        crew.build(Batch { db: self.db, keys, is_cut_off: true });
                    }
                    site.blame(loader.offset(), error);
                }
            }
        }
        self
    }

    fn note(&mut self, item: Item, databases: u32) -> io::Result<()> {
        match item {
            Item::SelectDb(number) if number < databases => {
                self.db = number;
                self.databases = self.databases.max(number + 1);
            }
            Item::SelectDb(number) => {
                return Err(io::Error::other(format!(
                    "the snapshot has a database {number} but only {databases} are configured"
                )));
            }
            Item::ModuleData(data) => self.module_data.push(data),
            Item::Function(code) => self.functions.add(code, false).map_err(io::Error::other)?,
            Item::Aux { key, value } if key == b"repl-id" => self.replid = RunId::parse(&value),
            Item::Aux { key, value } if key == b"repl-stream-db" => {
                let db = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                self.stream_db = db.filter(|&db| db < databases).unwrap_or(0);
            }
            Item::Aux { key, value } if key == b"repl-offset" => {
                let offset = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
                self.history = self.replid.zip(offset.map(Offset));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Reads the snapshot file at `path`; `Ok(None)` if there is none.
///
/// # Errors
/// [`LoadError`]; nothing is kept then.
pub fn load_file(
    disk: &dyn Disk,
    path: &Path,
    options: LoadOptions<'_>,
    progress: impl FnMut(u64),
) -> Result<Option<Dataset>, LoadError> {
    let file = match disk.read(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LoadError::Io { offset: 0, source }),
    };
    read_dataset(file, options, progress).map(|(set, ..)| Some(set))
}

#[cfg(test)]
mod tests;
