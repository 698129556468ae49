//! The data of a start: what lies in the directory, which of it is the newest, and loading that.
//!
//! A snapshot and an append-only file may both be there. The one that has come further in the same
//! history counts; where histories cannot be compared, the younger, and without `appendonly` the
//! snapshot. The other is kept. A server never starts empty beside data that it does not understand,
//! unless it is told to (`--allow-empty-start`).

use base::disk::{Disk, SystemDisk};
use base::{Millis, Offset, RunId};
use conf::Settings;
use engine::Node;
use engine::append_only::{self, Tail, load};
use engine::snapshot::{Dataset, LoadOptions};
use rdb::LoadError;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// What the command line says about the data, for this start only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StartOptions {
    /// Start without data although there may be some that nobody can read.
    pub(crate) allow_empty: bool,
    /// Load what the append-only file held at the end of this Unix second.
    pub(crate) restore_to: Option<u64>,
}

impl StartOptions {
    /// Takes the options out of `arguments`.
    ///
    /// # Errors
    /// A text, if one of them makes no sense.
    pub(crate) fn take(arguments: &mut Vec<String>) -> Result<StartOptions, String> {
        let mut options = StartOptions::default();
        if let Some(at) = arguments.iter().position(|word| word == "--allow-empty-start") {
            arguments.remove(at);
            options.allow_empty = true;
        }
        if let Some(at) = arguments.iter().position(|word| word == "--restore-to") {
            arguments.remove(at);
            let time = if at < arguments.len() { arguments.remove(at) } else { String::new() };
            let seconds = time.parse().ok();
            if seconds.is_none() {
                return Err(format!("--restore-to wants a Unix time in seconds, not '{time}'"));
            }
            options.restore_to = seconds;
        }
        Ok(options)
    }
}

/// What a data set says of itself before it is loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// The history it belongs to and its offset there.
    pub(crate) history: Option<(RunId, Offset)>,
    /// Whether it holds keys.
    pub(crate) has_keys: bool,
}

/// What lies in the directory, and what of it is to be loaded.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A snapshot; an append-only file that is older is set aside if one is to be written.
    Snapshot(Head, bool),
    /// An append-only file, up to that second if one is given.
    AppendOnly(Box<load::Found>, Option<u64>),
}

impl Found {
    /// Looks into the directory.
    ///
    /// # Errors
    /// The text of what makes it impossible to start.
    pub(crate) fn look(settings: &Settings, start: &StartOptions) -> Result<Found, String> {
        let snapshot = snapshot_head(settings)?;
        let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
        let directory = append_only::directory(settings, &disk);
        let appends = settings.appendonly.get();
        let file = match load::find(&directory, start.restore_to) {
            Ok(file) => file,
            Err(error) if snapshot.is_some() && !appends && start.restore_to.is_none() => {
                tracing::warn!("The append-only file is left alone: {error}");
                None
            }
            Err(load::AofError::Directory(error @ aof::DirectoryError::NoManifest { .. }))
                if start.allow_empty =>
            {
                let kept = directory.set_aside(now_s()).map_err(|error| error.to_string())?;
                tracing::warn!("{error}. It is kept as {}.", kept.display());
                None
            }
            Err(error) => return Err(error.to_string()),
        };
        if start.restore_to.is_some() {
            let file = file.ok_or("there is no append-only file to restore from")?;
            return Ok(Found::AppendOnly(Box::new(file), start.restore_to));
        }
        Ok(match (snapshot, file) {
            (None, None) => Found::Nothing,
            (Some((head, _)), None) => Found::Snapshot(head, false),
            (Some((head, created)), Some(file)) if is_newer(&head, created, &file, appends) => {
                tracing::warn!("The snapshot is newer than the append-only file, and is loaded.");
                Found::Snapshot(head, true)
            }
            (_, Some(file)) => Found::AppendOnly(Box::new(file), None),
        })
    }

    /// What is to be loaded says this of itself.
    pub(crate) fn head(&self) -> Head {
        match self {
            Found::Nothing => Head::default(),
            Found::Snapshot(head, _) => head.clone(),
            Found::AppendOnly(file, _) => Head { history: file.place, has_keys: file.has_data },
        }
    }

    /// Loads it into `node`. Gives how the append-only file goes on, if it is to and can.
    ///
    /// # Errors
    /// The text of what makes it impossible to start.
    pub(crate) fn load(self, node: &Arc<Node>, will_follow: bool) -> Result<Option<Tail>, String> {
        let settings = &node.settings;
        let directory = append_only::directory(settings, &node.disk);
        let began = base::clock::monotonic();
        let options = LoadOptions::of(node, (!will_follow).then(base::clock::unix));
        let took = || {
            let took = base::clock::monotonic().since(began).0;
            format!("{}.{:03} seconds", took / 1000, took % 1000)
        };
        match self {
            Found::Nothing => Ok(None),
            Found::Snapshot(head, is_beside) => {
                let keeps_expired = head.history.is_some();
                load_snapshot(node, LoadOptions { keeps_expired, ..options })?;
                tracing::info!("DB loaded from disk: {}", took());
                if is_beside && settings.appendonly.get() {
                    set_aside(&directory)?;
                }
                Ok(None)
            }
            Found::AppendOnly(file, until) => {
                // A base keeps keys that have expired: what follows may speak of them.
                let options = LoadOptions { expired_before: None, ..options };
                node.load.begin(file.bytes);
                let loaded = load::load(node, &directory, *file, options);
                let loaded = loaded.map_err(|error| error.to_string())?;
                adopt(node, loaded.dataset);
                tracing::info!("DB loaded from append only file: {}", took());
                if until.is_some() {
                    // Until it is written anew, the data is in the old file alone.
                    save_beside(node)?;
                    set_aside(&directory)?;
                    return Ok(None);
                }
                if !settings.appendonly.get() {
                    tracing::warn!(
                        "The data comes from the append-only file, which 'appendonly no' does not \
                         go on with: there is no snapshot that is as new."
                    );
                    return Ok(None);
                }
                Ok(Some(loaded.tail))
            }
        }
    }
}

fn now_s() -> u64 {
    base::clock::unix().0 / 1000
}

fn set_aside(directory: &aof::Directory) -> Result<(), String> {
    let kept = directory.set_aside(now_s()).map_err(|error| error.to_string())?;
    tracing::warn!("The old append-only file is kept as {}.", kept.display());
    Ok(())
}

/// Saves the data; a snapshot that is there already is kept.
fn save_beside(node: &Node) -> Result<(), String> {
    let name = node.settings.dbfilename.string();
    let kept = format!("{name}.kept-{}", now_s());
    // A second name, so that there is a snapshot at any time; the new one takes the first from it.
    match fs::hard_link(&name, &kept).or_else(|_| fs::copy(&name, &kept).map(drop)) {
        Ok(()) => tracing::warn!("The old snapshot is kept as {kept}."),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(format!("Cannot keep the old snapshot as {kept}: {error}")),
    }
    let alone = node.keyspace.gate.exclusive();
    let saved = engine::snapshot::save_now(node, &alone);
    saved.map_err(|error| format!("Cannot save what was restored: {error}"))
}

/// Whether the snapshot holds more than the file.
fn is_newer(head: &Head, created: Option<Millis>, file: &load::Found, appends: bool) -> bool {
    if let (Some((replid, offset)), Some((_, end))) = (head.history, file.place)
        && file.histories.contains(&replid)
    {
        return offset > end;
    }
    !appends || created.is_some_and(|created| created.0 / 1000 > file.written_s)
}

fn load_snapshot(node: &Arc<Node>, options: LoadOptions<'_>) -> Result<(), String> {
    let name = node.settings.dbfilename.string();
    node.load.begin(node.disk.look(Path::new(&name)).map_or(0, |(bytes, _)| bytes));
    let loaded = engine::snapshot::load_file(&*node.disk, Path::new(&name), options, |bytes| {
        node.load.note(bytes);
    });
    let loaded = loaded.map_err(|error| {
        tell_of_damage(&name, &error);
        tracing::error!("Terminating server after rdb file reading failure.");
        format!("Fatal error loading the DB, check server logs. {name}: {error}")
    })?;
    let Some(dataset) = loaded else { return Ok(()) };
    tracing::info!(
        "Done loading RDB, keys loaded: {}, keys expired: {}, empty keys skipped: {}.",
        dataset.keys,
        dataset.expired,
        dataset.empty
    );
    adopt(node, dataset);
    Ok(())
}

/// Logs what the checker says of a snapshot that could not be loaded.
fn tell_of_damage(name: &str, error: &LoadError) {
    if matches!(error, LoadError::Io { .. }) {
        return;
    }
    let mut said = Vec::new();
    crate::check::check_rdb(&[name.to_owned()], &mut said, &crate::check::Bar::default());
    for line in String::from_utf8_lossy(&said).lines() {
        tracing::warn!("{line}");
    }
}

fn adopt(node: &Arc<Node>, dataset: Dataset) {
    node.saves.state().loaded = (dataset.keys, dataset.expired);
    dataset.adopt(node);
}

/// What the snapshot says of itself before its first key, and when it was cut; `None` if there is none.
/// One that is damaged says nothing here, and stops the start when it is loaded.
///
/// # Errors
/// The text of why a snapshot that is there cannot be read.
fn snapshot_head(settings: &Settings) -> Result<Option<(Head, Option<Millis>)>, String> {
    let name = settings.dbfilename.string();
    let mut input = match File::open(&name) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(format!(
                "Fatal error: can't open the RDB file {name} for reading: {error}"
            ));
        }
    };
    let begun = input.fill_buf();
    begun.map_err(|error| format!("Fatal error: can't read the RDB file {name}: {error}"))?;
    let (fields, has_keys) = rdb::Fields::of_head(input);
    let history = fields.replication().map(|place| (place.id, place.offset));
    Ok(Some((Head { history, has_keys }, fields.created)))
}
