//! A rewrite: the data at a cut becomes a new base, on a thread of its own.

use super::{Request, commands};
use crate::node::Node;
use crate::placement::place_saver;
use crate::snapshot::Cut;
use aof::Directory;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::{io, thread};

/// Begins to write the base of `cut` into `directory`; the writer's thread is told when it is durable.
/// `number` names this rewrite, of which a given-up one may still be ending.
pub(super) fn begin(
    node: &Arc<Node>,
    directory: &Directory,
    cut: Cut,
    number: u64,
    is_snapshot: bool,
) {
    let (writer, target) = (Arc::clone(node), directory.clone());
    let walk = Arc::clone(cut.walk());
    let body = move || {
        place_saver(&writer, &writer.settings.aof_rewrite_cpulist);
        let ran =
            catch_unwind(AssertUnwindSafe(|| write(&writer, &target, cut, number, is_snapshot)));
        let written = ran.unwrap_or_else(|_| {
            writer.incomplete.store(true, Ordering::Release);
            Err("the rewrite panicked; this node no longer vouches for its data".to_owned())
        });
        writer.append_only.send(Request::Rewritten(number, written));
    };
    if let Err(error) = thread::Builder::new().name("aof-rewrite".into()).spawn(body) {
        walk.abort();
        node.keyspace.walk(&walk, |_| false);
        node.append_only.send(Request::Rewritten(number, Err(error.to_string())));
    }
}

fn write(
    node: &Node,
    directory: &Directory,
    cut: Cut,
    number: u64,
    is_snapshot: bool,
) -> Result<PathBuf, String> {
    if let Err(error) = directory.make() {
        cut.discard(node);
        return Err(error.to_string());
    }
    let snapshot = directory.file(&format!("temp-rewriteaof-bg-{number}.aof"));
    let end = (cut.stream_db(), (cut.replid, cut.offset));
    let incremental_sync = node.settings.aof_rewrite_incremental_fsync.get();
    let options = rdb::Options { incremental_sync, ..super::super::snapshot::options(node) };
    let mut cut = Some(cut);
    let written =
        rdb::write_and_sync(directory.disk(), &snapshot, options, |writer| match cut.take() {
            Some(cut) => cut.write_base(node, writer),
            None => Err(io::ErrorKind::InvalidInput.into()),
        });
    if let Some(cut) = cut {
        // The file could not even be made.
        cut.discard(node);
    }
    let written = written.map(drop).map_err(|error| error.to_string()).and_then(|()| {
        if is_snapshot {
            return Ok(snapshot.clone());
        }
        let notes = node.settings.aof_timestamp_enabled.get();
        let noted_s = notes.then(|| base::clock::unix().0 / 1000);
        let requests = directory.file(&format!("temp-rewriteaof-{number}.aof"));
        let result = commands::transcribe(
            directory.disk(),
            &snapshot,
            &requests,
            noted_s,
            incremental_sync,
            end,
        );
        // It is of no more use, whatever came of it.
        let _ = directory.disk().remove(&snapshot);
        if result.is_err() {
            let _ = directory.disk().remove(&requests);
        }
        result.map(|()| requests)
    });
    if written.is_err() {
        // It may not exist; that it cannot be removed adds nothing to the first error.
        let _ = directory.disk().remove(&snapshot);
    }
    written
}
