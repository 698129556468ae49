//! Loops: sockets in, requests to the engine, replies out.
//!
//! One loop per core, each with its own connections, over epoll. A turn has four phases: read every
//! ready socket; parse their complete requests into windows, with hash and shard worked out and
//! bucket and entry prefetched; execute each window in order; write once per connection. A loop never
//! sleeps but in epoll. There is no `unsafe` here: system calls go through `rustix`.

mod connection;
mod event_loop;
mod listener;
mod pool;
mod turn;
mod window;

pub use event_loop::{EventLoop, LoopHandle, Loops, make_loops};
pub use listener::{BindError, Binding, bind_all};
