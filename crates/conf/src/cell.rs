//! The typed places that hold the values of settings.
//!
//! Numbers, flags and choices are read without a lock, relaxed: a reader sees a change soon, not at
//! a moment that other memory agrees on. Who needs such a moment (role changes, CONFIG SET of
//! several pairs) makes it above this crate. Longer values are shared: reading clones an `Arc`
//! under a short lock.

use crate::choice::{ShutdownOn, Word};
use crate::plain::Plain;
use base::lock::{Mutex, Rank};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};

/// The limits of one class of clients. Zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassLimit {
    /// Bytes of pending output at which a client is closed.
    pub hard_bytes: u64,
    /// Bytes of pending output that may stand for `soft_seconds`.
    pub soft_bytes: u64,
    /// How long `soft_bytes` may be exceeded, in seconds.
    pub soft_seconds: u64,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// Access to a value without its type: what loading, CONFIG GET, SET and REWRITE work on.
pub trait Cell: Send + Sync {
    /// A copy of the value.
    fn plain(&self) -> Plain;
    /// Replaces the value. A value of another type is ignored; rows and cells are made together.
    fn store(&self, value: Plain);
}

/// `yes` or `no`.
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new(default: &Plain) -> Flag {
        Flag(AtomicBool::new(*default == Plain::Flag(true)))
    }

    /// The value. Never blocks.
    #[inline]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Replaces the value.
    pub fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl Cell for Flag {
    fn plain(&self) -> Plain {
        Plain::Flag(self.get())
    }
    fn store(&self, value: Plain) {
        if let Plain::Flag(value) = value {
            self.set(value);
        }
    }
}

/// An integer, in the unit of its row.
#[derive(Debug)]
pub struct Number(AtomicI64);

impl Number {
    pub(crate) fn new(default: &Plain) -> Number {
        Number(AtomicI64::new(if let Plain::Number(value) = default { *value } else { 0 }))
    }

    /// The value. Never blocks.
    #[inline]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The value as a count, zero if it is negative. Never blocks.
    #[inline]
    pub fn count(&self) -> u64 {
        u64::try_from(self.get()).unwrap_or(0)
    }

    /// The value as a number of things in memory, zero if it is negative. Never blocks.
    #[inline]
    pub fn size(&self) -> usize {
        usize::try_from(self.count()).unwrap_or(usize::MAX)
    }

    /// Replaces the value, unchecked.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl Cell for Number {
    fn plain(&self) -> Plain {
        Plain::Number(self.get())
    }
    fn store(&self, value: Plain) {
        if let Plain::Number(value) = value {
            self.set(value);
        }
    }
}

/// One of several words.
#[derive(Debug)]
pub struct Choice<E>(AtomicU8, PhantomData<E>);

impl<E: Word> Choice<E> {
    pub(crate) fn new(default: &Plain) -> Choice<E> {
        let position = if let Plain::Choice(at) = default { *at } else { 0 };
        Choice(AtomicU8::new(position), PhantomData)
    }

    /// The value. Never blocks.
    #[inline]
    pub fn get(&self) -> E {
        let at = usize::from(self.0.load(Ordering::Relaxed));
        E::ALL.get(at).copied().unwrap_or(E::ALL[0])
    }

    /// Replaces the value.
    pub fn set(&self, value: E) {
        self.0.store(value.position(), Ordering::Relaxed);
    }
}

impl<E: Word + Send + Sync> Cell for Choice<E> {
    fn plain(&self) -> Plain {
        Plain::Choice(self.get().position())
    }
    fn store(&self, value: Plain) {
        if let Plain::Choice(at) = value {
            self.0.store(at, Ordering::Relaxed);
        }
    }
}

/// A set of shutdown options.
#[derive(Debug)]
pub struct Shutdown(AtomicU8);

impl Shutdown {
    pub(crate) fn new(_: &Plain) -> Shutdown {
        Shutdown(AtomicU8::new(0))
    }

    /// The value. Never blocks.
    pub fn get(&self) -> ShutdownOn {
        ShutdownOn::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Cell for Shutdown {
    fn plain(&self) -> Plain {
        Plain::Shutdown(self.get())
    }
    fn store(&self, value: Plain) {
        if let Plain::Shutdown(value) = value {
            self.0.store(value.bits(), Ordering::Relaxed);
        }
    }
}

macro_rules! shared {
    ($($(#[$doc:meta])* $name:ident($held:ty), $variant:ident, $empty:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(Mutex<$held>);

        impl $name {
            pub(crate) fn new(default: &Plain) -> $name {
                let value = match default {
                    Plain::$variant(value) => value.clone(),
                    _ => $empty,
                };
                $name(Mutex::new(Rank::Settings, value))
            }

            /// The value: a short lock and a copy of the handle.
            pub fn get(&self) -> $held {
                self.0.lock().clone()
            }

            /// Replaces the value, unchecked.
            pub fn set(&self, value: $held) {
                *self.0.lock() = value;
            }
        }

        impl Cell for $name {
            fn plain(&self) -> Plain {
                Plain::$variant(self.get())
            }
            fn store(&self, value: Plain) {
                if let Plain::$variant(value) = value {
                    self.set(value);
                }
            }
        }
    )*};
}

shared! {
    /// Any bytes; empty means unset.
    Text(Arc<[u8]>), Text, Arc::from(&[][..]);
    /// Several words.
    List(Arc<Vec<Vec<u8>>>), List, Arc::default();
    /// Snapshot after so many seconds if so many changes were made.
    SaveRules(Arc<Vec<(u64, u64)>>), SaveRules, Arc::default();
    /// The limits of normal clients, replicas and subscribers.
    OutputLimits(Arc<[ClassLimit; 3]>), OutputLimits, Arc::default();
    /// A host and a port, or nothing.
    Address(Option<Arc<Endpoint>>), Address, None;
}

impl Text {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// The value as text, with the replacement character for what is not UTF-8.
    pub fn string(&self) -> String {
        String::from_utf8_lossy(&self.get()).into_owned()
    }
}
