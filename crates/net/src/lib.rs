//! Loops: sockets in, requests to the engine, replies out.
//!
//! One loop per core, each with its own connections, over epoll or `io_uring`. A turn has four phases: read every
//! ready socket; parse their complete requests into windows, with hash and shard worked out and
//! bucket and entry prefetched; execute each window in order; write once per connection. A loop never
//! sleeps but in its driver. `unsafe` is in that of `io_uring` (`driver/ring.rs`) and in `slice.rs` alone.

mod connection;
mod driver;
mod event_loop;
mod listener;
mod pool;
mod slice;
mod window;

pub use event_loop::{EventLoop, LoopHandle, Loops, make_loops};
pub use listener::{BindError, Binding, bind_all};
pub use slice::take_slices;
