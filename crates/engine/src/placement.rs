//! Where threads run: the processors that `server-cpulist` and its kin name.

use base::Processors;
use conf::Text;
use std::io;

/// Binds the calling thread to the processors of the first of `lists` that is not empty. If there is none,
/// or it cannot be, the thread stays where the one that started it runs; the log is told of the latter.
pub fn place(lists: &[&Text]) {
    let Some(list) = lists.iter().map(|list| list.string()).find(|list| !list.is_empty()) else {
        return;
    };
    let processors = Processors::parse(list.as_bytes()).ok_or(io::ErrorKind::InvalidInput.into());
    if let Err(error) = processors.and_then(|processors| processors.bind_thread()) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        tracing::warn!("The thread {name} cannot run on the processors {list}: {error}");
    }
}
