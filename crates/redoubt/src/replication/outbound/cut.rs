//! Full syncs: the cut, and the threads that write the snapshot.
//!
//! By mark: one thread walks the data and writes to all replicas of the cut as it goes. By length: it
//! writes a file without a name in the data directory first; then a thread copies that to the replicas.

use super::fan::{Fan, Target};
use super::{Message, Outbound};
use base::disk::Scratch;
use base::{Millis, RunId};
use engine::Node;
use engine::placement::place_saver;
use engine::snapshot::Cut;
use psync::primary::{CutId, Format, ReplicaId};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Bytes that are written to replicas at once.
const PIECE_BYTES: usize = 64 << 10;

/// A full sync under way.
pub(super) struct RunningCut {
    walk: Arc<keyspace::Walk>,
    /// The cut, until a thread writes it.
    cut: Option<Cut>,
    /// The snapshot's file, until a thread sends it.
    pub(super) file: Option<Box<dyn Scratch>>,
    cancelled: Arc<AtomicBool>,
}

impl RunningCut {
    /// Ends its threads soon.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.walk.abort();
    }

    /// Takes the walk out of the shards if no thread does.
    pub(super) fn discard(self, node: &Node) {
        if let Some(cut) = self.cut {
            cut.discard(node);
        }
    }
}

impl Outbound<'_> {
    /// Freezes an instant for `replicas`.
    pub(super) fn cut(&mut self, now: Millis, id: CutId, replicas: &[ReplicaId], format: Format) {
        let alone = self.node.keyspace.gate.exclusive();
        let history = self.node.replication.state().history;
        let same = history.replid == self.machine.history().replid;
        let made = if same { Cut::take(self.node, &alone) } else { None };
        let Some(cut) = made else {
            drop(alone);
            let text = if same { "too many snapshots at once" } else { "the history has changed" };
            return self.machine.handle_cut(now, id, Err(text.to_owned()), RunId::zero());
        };
        let offset = cut.offset;
        for replica in replicas {
            if let Some(link) = self.links().by_client.get_mut(&replica.0) {
                link.held = self.node.log.reader(offset).ok();
            }
        }
        drop(alone);
        let walk = Arc::clone(cut.walk());
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut running = RunningCut { walk, cut: Some(cut), file: None, cancelled };
        if format == Format::Length {
            self.write_file(id, &mut running);
        }
        self.cuts.insert(id, running);
        self.machine.handle_cut(now, id, Ok(offset), Outbound::fresh_mark());
    }

    /// Sends a snapshot to those replicas, from the walk or from the file.
    pub(super) fn send_snapshot(
        &mut self,
        now: Millis,
        id: CutId,
        replicas: &[ReplicaId],
        mark: Option<RunId>,
    ) {
        let Some(running) = self.cuts.get_mut(&id) else { return };
        let mut links = self.shared.replicas.links();
        let targets: Vec<Arc<Target>> = replicas
            .iter()
            .filter_map(|replica| links.by_client.get_mut(&replica.0).map(super::ReplicaLink::lend))
            .collect();
        drop(links);
        let fan = Fan::new(self.shared, targets, Arc::clone(&running.cancelled));
        let (shared, cut, file) =
            (Arc::clone(self.shared), running.cut.take(), running.file.take());
        let body = move || {
            place_saver(&shared.node, &shared.node.settings.bgsave_cpulist);
            let result = match (cut, mark, file) {
                (Some(cut), Some(mark), _) => stream(&shared.node, cut, fan, mark),
                (_, _, Some(file)) => copy(file, fan),
                _ => Err(io::Error::other("there is nothing to be sent")),
            };
            if let Err(error) = result {
                shared.outbound.send(Message::CutFailed(id, error.to_string()));
            }
        };
        if let Err(error) = thread::Builder::new().name("repl-snapshot".into()).spawn(body) {
            // The walk stays in the shards, aborted, until the next full sync or save ends.
            running.cancel();
            self.machine.handle_snapshot_failed(now, id, &error.to_string());
        }
    }

    fn write_file(&self, id: CutId, running: &mut RunningCut) {
        let (shared, cut) = (Arc::clone(self.shared), running.cut.take());
        let body = move || {
            place_saver(&shared.node, &shared.node.settings.bgsave_cpulist);
            let Some(cut) = cut else { return };
            let message = match write_to_file(&shared.node, cut) {
                Ok((file, length)) => Message::Written(id, file, length),
                Err(error) => Message::CutFailed(id, error.to_string()),
            };
            shared.outbound.send(message);
        };
        if let Err(error) = thread::Builder::new().name("repl-snapshot".into()).spawn(body) {
            running.cancel();
            self.shared.outbound.send(Message::CutFailed(id, error.to_string()));
        }
    }
}

/// Runs the walk into `out`.
fn write<W: Write>(node: &Node, cut: Cut, out: W) -> io::Result<W> {
    let writer = rdb::Writer::begin(out, engine::snapshot::options(node));
    match writer {
        Ok(mut writer) => {
            cut.write(node, &mut writer, |_| true)?;
            writer.finish()
        }
        Err(error) => {
            cut.discard(node);
            Err(error)
        }
    }
}

fn stream(node: &Node, cut: Cut, mut fan: Fan, mark: RunId) -> io::Result<()> {
    if let Err(error) = fan.begin() {
        cut.discard(node);
        return Err(error);
    }
    let out = write(node, cut, BufWriter::with_capacity(PIECE_BYTES, fan))?;
    let mut fan = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    fan.write_all(mark.as_str().as_bytes())?;
    fan.finish();
    Ok(())
}

fn write_to_file(node: &Node, cut: Cut) -> io::Result<(Box<dyn Scratch>, u64)> {
    let file = match node.disk.scratch(&PathBuf::from(node.settings.dir.string())) {
        Ok(file) => file,
        Err(error) => {
            cut.discard(node);
            return Err(error);
        }
    };
    let out = write(node, cut, BufWriter::with_capacity(PIECE_BYTES, file))?;
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    let length = file.stream_position()?;
    file.rewind()?;
    Ok((file, length))
}

fn copy(mut file: Box<dyn Scratch>, mut fan: Fan) -> io::Result<()> {
    fan.begin()?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            break;
        }
        fan.write_all(piece.get(..count).unwrap_or_default())?;
    }
    fan.finish();
    Ok(())
}
