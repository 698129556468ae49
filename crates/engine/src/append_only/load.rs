//! Reading the append-only file back: first what it is ([`find`]), then the data ([`load`]).
//!
//! The data is built aside, in a node that nobody serves: the base is a snapshot or requests, the
//! increments are requests, applied as a primary's stream is. So nothing half-loaded is ever served, and
//! a file that cannot be loaded leaves everything as it was.

use super::writer::Tail;
use crate::args::OwnedRequest;
use crate::client::Origin;
use crate::functions::Libraries;
use crate::node::Node;
use crate::pipeline::{Applied, Worker};
use crate::session::Session;
use crate::snapshot::{Dataset, Delay, LoadOptions, Rest, read_dataset};
use aof::records::Reason;
use aof::{Damage, Directory, DirectoryError, Manifest, Part, Piece, Record, Records, Survey};
use base::{Offset, RunId};
use rdb::LoadError;
use std::io::{self, BufRead, BufReader, Read};

/// Read-ahead, in bytes.
const BUFFER_BYTES: usize = 1 << 20;

/// An append-only file that is there.
#[derive(Debug)]
pub struct Found {
    manifest: Manifest,
    /// Of the files that are requests, in the order of the manifest.
    surveys: Vec<Option<Survey>>,
    /// The history it belongs to and its end there, if it says so.
    pub place: Option<(RunId, Offset)>,
    /// All histories that are in it.
    pub histories: Vec<RunId>,
    /// Bytes of all its files.
    pub bytes: u64,
    /// The Unix second in which it was last written.
    pub written_s: u64,
    /// Whether there may be keys in it.
    pub has_data: bool,
    /// What was written after this Unix second does not count.
    until: Option<u64>,
}

/// Why the file is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum AofError {
    /// The files are not as the manifest says, or cannot be read.
    #[error("{0}")]
    Directory(#[from] DirectoryError),
    /// A snapshot in it cannot be read.
    #[error("Error reading the RDB preamble of the AOF file {0}: {1}")]
    Snapshot(String, LoadError),
    /// It ends too early.
    #[error(
        "Unexpected end of file reading the append only file {file} at offset {offset}. You can: 1) \
         Make a backup of your AOF file, then use redoubt check-aof --fix <filename.manifest>. 2) \
         Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart \
         the server."
    )]
    Truncated {
        /// Which file.
        file: String,
        /// Where it is not whole any more.
        offset: u64,
    },
    /// It is damaged.
    #[error(
        "Bad file format reading the append only file {file}: {reason} at offset {offset}: make a \
         backup of your AOF file, then use redoubt check-aof --fix <filename.manifest>"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// The byte at which it was noticed.
        offset: u64,
        /// What was noticed.
        reason: String,
    },
    /// It does not say what it held at that time.
    #[error(
        "What the append-only file held at second {until} cannot be told from {file}; from second \
         {from} on it can"
    )]
    Forgotten {
        /// The Unix second that was asked for.
        until: u64,
        /// Which file.
        file: String,
        /// The first Unix second of which it is known.
        from: u64,
    },
    /// A request cannot be run.
    #[error("{reason} reading the append only file {file} at offset {offset}")]
    Refused {
        /// Which file.
        file: String,
        /// Where the request ends.
        offset: u64,
        /// Why.
        reason: String,
    },
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The data.
    pub dataset: Dataset,
    /// How the files go on.
    pub tail: Tail,
}

/// Looks whether there is an append-only file, and how far it is whole. Reads all of its requests, but
/// applies none. With `until`, a Unix second, what was written later does not count.
///
/// # Errors
/// [`AofError`]; [`AofError::Forgotten`] if a base is younger than `until`, or if requests may be and
/// nothing notes when they were written.
pub fn find(directory: &Directory, until: Option<u64>) -> Result<Option<Found>, AofError> {
    let Some(manifest) = directory.open()? else { return Ok(None) };
    let (mut surveys, mut written_s, mut place) = (Vec::new(), 0, None);
    let (mut has_data, mut histories, mut bytes) = (false, Vec::new(), 0);
    let mut known: Option<(u64, String)> = None;
    for piece in manifest.pieces() {
        let (size, at) = directory.look(piece)?;
        bytes += size;
        written_s = written_s.max(at);
        let mut input = open(directory, piece)?;
        if starts_with_snapshot(&mut input, piece)? {
            let (fields, has_keys) = rdb::Fields::of_head(input);
            place = fields.replication().map(|at| (at.id, at.offset));
            histories.extend(place.map(|(replid, _)| replid));
            has_data |= has_keys;
            let from_s = fields.created.map_or(at, |created| created.0 / 1000);
            known = known.max(Some((from_s, piece.name.clone())));
            surveys.push(None);
            continue;
        }
        let mut survey = aof::survey(input, 0, until, place);
        if survey.damage.is_some() || survey.young_at.is_some() {
            // Where it stands at the end of what is whole is found by reading no further.
            let whole = survey.young_at.unwrap_or(survey.whole_until);
            let again = aof::survey(open(directory, piece)?.take(whole), 0, None, place);
            survey.place = again.place;
        }
        has_data |= survey.requests > 0;
        histories.append(&mut survey.histories);
        place = survey.place;
        let from_s = known_from(piece, &survey, at);
        known = known.max(from_s.map(|from_s| (from_s, piece.name.clone())));
        let is_end = survey.young_at.is_some();
        surveys.push(Some(survey));
        if is_end {
            break;
        }
    }
    if let (Some(until), Some((from, file))) = (until, known)
        && from > until
    {
        return Err(AofError::Forgotten { until, file, from });
    }
    Ok(Some(Found { manifest, surveys, place, histories, bytes, written_s, has_data, until }))
}

/// Loads what [`find`] has found. `node` is told how far it has come.
///
/// # Errors
/// [`AofError`]; nothing is kept then.
pub fn load(
    node: &Node,
    directory: &Directory,
    found: Found,
    options: LoadOptions<'_>,
) -> Result<Loaded, AofError> {
    let scratch = node.aside();
    let mut loading = Loading::new(&scratch, directory, options)?;
    let Found { manifest, surveys, until, .. } = found;
    loading.until = until;
    let count = surveys.len();
    let mut length = None;
    for (index, (piece, survey)) in manifest.pieces().zip(&surveys).enumerate() {
        let is_last = index + 1 == count;
        let began = base::clock::monotonic();
        let whole = loading.file(node, piece, survey.as_ref(), is_last)?;
        let took = base::clock::monotonic().since(began).0;
        let title = if piece.part == Part::Base { "base" } else { "incr" };
        tracing::info!(
            "DB loaded from {title} file {}: {}.{:03} seconds",
            piece.name,
            took / 1000,
            took % 1000
        );
        length = (is_last && piece.part == Part::Increment).then_some(whole);
    }
    let dataset = loading.finish();
    // Without a word of a history, a log begins.
    let end = dataset.history.map_or(Offset(0), |(_, end)| end);
    Ok(Loaded { dataset, tail: Tail { manifest, length, end } })
}

/// The first Unix second of which a file of requests, last written in second `written_s`, tells what it
/// held; `None` if it tells that of any.
fn known_from(piece: &Piece, survey: &Survey, written_s: u64) -> Option<u64> {
    match survey.first_s {
        // A base is of one instant, unless it is a single file of before stock 7.
        Some(first_s) => (piece.part == Part::Base).then_some(first_s),
        None => (survey.requests > 0).then_some(written_s),
    }
}

fn open(
    directory: &Directory,
    piece: &Piece,
) -> Result<BufReader<Box<dyn Read + Send>>, DirectoryError> {
    let path = directory.file(&piece.name);
    let file = directory.disk().read(&path);
    let file =
        file.map_err(|source| DirectoryError::Disk { action: "Cannot open", path, source })?;
    Ok(BufReader::with_capacity(BUFFER_BYTES, file))
}

fn starts_with_snapshot(input: &mut impl BufRead, piece: &Piece) -> Result<bool, AofError> {
    let head = input.fill_buf().map_err(|error| unreadable(piece, 0, &error))?;
    Ok(rdb::format::is_snapshot(head))
}

fn unreadable(piece: &Piece, offset: u64, error: &io::Error) -> AofError {
    let reason = format!("cannot read: {error}");
    AofError::Damaged { file: piece.name.clone(), offset, reason }
}

/// A load under way.
struct Loading<'n> {
    scratch: &'n Node,
    worker: Worker<'n>,
    session: Session,
    directory: &'n Directory,
    options: LoadOptions<'n>,
    /// What is known of the data, which is in the node meanwhile.
    dataset: Dataset,
    read: u64,
    /// What was written after this Unix second is not to be loaded.
    until: Option<u64>,
}

impl<'n> Loading<'n> {
    fn new(
        scratch: &'n Node,
        directory: &'n Directory,
        options: LoadOptions<'n>,
    ) -> Result<Loading<'n>, AofError> {
        let Some(worker) = Worker::new(scratch) else {
            let (file, reason) = (directory.name().to_owned(), "no seat is left".to_owned());
            return Err(AofError::Refused { file, offset: 0, reason });
        };
        let info = scratch.clients.add(Origin { primary: true, ..Origin::default() });
        Ok(Loading {
            scratch,
            worker,
            session: Session::new(info, true),
            directory,
            options,
            dataset: Dataset::empty(),
            read: 0,
            until: None,
        })
    }

    /// Loads one file; gives up to where it is whole.
    fn file(
        &mut self,
        node: &Node,
        piece: &Piece,
        survey: Option<&Survey>,
        is_last: bool,
    ) -> Result<u64, AofError> {
        let mut input = open(self.directory, piece)?;
        let Some(survey) = survey else {
            let (rest, offset) = self.snapshot(node, piece, input)?;
            let mut head = BufReader::new(rest);
            let is_over = head.fill_buf().map_err(|error| unreadable(piece, offset, &error))?;
            if is_over.is_empty() {
                return Ok(offset);
            }
            let (_, written_s) = self.directory.look(piece)?;
            if let Some(until) = self.until.filter(|&until| until < written_s) {
                let (file, from) = (piece.name.clone(), written_s);
                return Err(AofError::Forgotten { until, file, from });
            }
            tracing::info!("Reading the remaining AOF tail...");
            let mut records = Records::new(head, offset);
            let damage = self.requests(node, piece, &mut records)?;
            return match damage {
                None => Ok(records.whole_until()),
                Some(damage) => {
                    let torn = damage.is_truncation() || damage.is_gap();
                    judge(node, piece, &damage, torn && is_last)?;
                    Ok(records.whole_until())
                }
            };
        };
        if let Some(damage) = &survey.damage {
            judge(node, piece, damage, survey.is_torn && is_last)?;
        }
        let whole = survey.young_at.unwrap_or(survey.whole_until);
        let mut records = Records::new((&mut input).take(whole), 0);
        match self.requests(node, piece, &mut records)? {
            None => Ok(whole),
            // It has changed since it was looked at.
            Some(damage) => judge(node, piece, &damage, false).map(|()| whole),
        }
    }

    fn snapshot<R: Read>(
        &mut self,
        node: &Node,
        piece: &Piece,
        input: R,
    ) -> Result<(Rest<R>, u64), AofError> {
        let before = self.read;
        let read = read_dataset(input, self.options, |bytes| node.load.note(before + bytes));
        let (dataset, rest, offset) =
            read.map_err(|error| AofError::Snapshot(piece.name.clone(), error))?;
        self.dataset = dataset;
        self.session.db = self.dataset.stream_db;
        self.scratch.functions.replace(std::mem::take(&mut self.dataset.functions));
        self.read += offset;
        drop(self.dataset.put_into(&self.scratch.keyspace));
        Ok((rest, offset))
    }

    /// Applies requests to the end, or to the first damage.
    fn requests(
        &mut self,
        node: &Node,
        piece: &Piece,
        records: &mut Records<impl BufRead>,
    ) -> Result<Option<Damage>, AofError> {
        /// Requests between two notes of how far it has come.
        const PROGRESS_REQUESTS: u64 = 1024;
        let (mut count, begin) = (0, records.offset());
        let mut delay = self.options.delay.map(Delay::new);
        self.worker.enter();
        let result = loop {
            match records.next_record() {
                Ok(Some(Record::Request(words))) => {
                    if let Err(reason) = self.apply(&words) {
                        let (file, offset) = (piece.name.clone(), records.offset());
                        break Err(AofError::Refused { file, offset, reason });
                    }
                    if let Some(delay) = &mut delay {
                        delay.wait(1, || true);
                    }
                }
                Ok(Some(Record::Note(_))) => {}
                Ok(None) => break Ok(None),
                Err(damage) => break Ok(Some(damage)),
            }
            count += 1;
            if count % PROGRESS_REQUESTS == 0 {
                node.load.note(self.read + records.offset() - begin);
            }
        };
        self.worker.leave();
        self.read += records.offset() - begin;
        self.dataset.history = records.place(self.dataset.history);
        // A transaction that is not complete never happened.
        self.session.queue = None;
        result
    }

    fn apply(&mut self, words: &[Vec<u8>]) -> Result<(), String> {
        let request = OwnedRequest::from_words(words.iter().map(Vec::as_slice));
        match self.worker.apply(&mut self.session, request.request(), &[], &|| true) {
            Applied::Done | Applied::Queued => Ok(()),
            Applied::Overtaken => Err("overtaken".to_owned()),
            Applied::Failed(reason) => {
                let name = words.first().map_or(&[][..], Vec::as_slice);
                if self.scratch.table.find(name).is_none() {
                    return Err(format!("Unknown command '{}'", String::from_utf8_lossy(name)));
                }
                Err(reason)
            }
        }
    }

    fn finish(mut self) -> Dataset {
        self.dataset.stream_db = self.session.db;
        self.dataset.databases = self.dataset.databases.max(self.session.db + 1);
        self.dataset.functions = Libraries::clone(&self.scratch.functions.libraries());
        self.dataset.take_from(&self.scratch.keyspace);
        self.dataset
    }
}

/// Decides on damage: an end that is missing may be done without.
fn judge(node: &Node, piece: &Piece, damage: &Damage, torn: bool) -> Result<(), AofError> {
    let file = piece.name.clone();
    if torn && node.settings.aof_load_truncated.get() {
        tracing::warn!("!!! Warning: short read while loading the AOF file {file}!!!");
        tracing::warn!("AOF {file} loaded anyway because aof-load-truncated is enabled: {damage}");
        return Ok(());
    }
    match &damage.reason {
        Reason::CutShort | Reason::OpenTransaction => {
            Err(AofError::Truncated { file, offset: damage.offset })
        }
        reason => {
            Err(AofError::Damaged { file, offset: damage.offset, reason: reason.to_string() })
        }
    }
}
