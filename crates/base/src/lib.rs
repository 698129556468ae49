//! The ground every other crate stands on: time, randomness, identities, positions, patterns and
//! ranked locks.
//!
//! Nothing here knows what a command is. What reads the machine (clock, operating system randomness) does so in
//! [`clock`] and [`random`] only, so that state machines and the simulator never do it by accident; threads are bound to
//! [`processors`].

pub mod clock;
pub mod disk;
pub mod double;
pub mod glob;
pub mod id;
pub mod lock;
pub mod processors;
pub mod random;
pub mod reason;
pub mod units;

pub use id::{NodeId, RunId};
pub use processors::Processors;
pub use reason::reason;
pub use units::{Millis, Offset};
