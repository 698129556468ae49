//! Moving allocations to better places, so that the pages they leave can be given back.
//!
//! The allocator keeps small allocations of one size together in slabs of a few pages. When most of a
//! slab has been freed, what is left in it keeps the whole slab. A [`Mover`] asks the allocator of each
//! allocation that it is shown whether it lies in such a slab ([`Hints`]); if so it allocates anew, which
//! the allocator does in fuller slabs, copies, and frees the old one. What lies behind an allocation
//! never changes by that, only where it is.
//!
//! Each container has a method `relocate` or `relocate_some` that shows its allocations to a mover.

mod hints;

pub use hints::Hints;

use std::collections::VecDeque;
use std::mem::{self, MaybeUninit};
use std::ptr;

/// Moves what should be moved, and counts.
#[derive(Clone, Debug)]
pub struct Mover {
    /// Nothing: everything is moved.
    hints: Option<Hints>,
    /// How many allocations were moved.
    pub moved: u64,
    /// How many were looked at and left where they are.
    pub kept: u64,
}

impl Mover {
    /// A mover of what the allocator says should be moved, for this thread. The thread is without a
    /// cache of the allocator from here on: from that it would be given the places that it left last.
    pub fn new(hints: Hints) -> Mover {
        hints::drop_cache();
        Mover { hints: Some(hints), moved: 0, kept: 0 }
    }

    /// A mover of everything: for tests.
    pub fn of_all() -> Mover {
        Mover { hints: None, moved: 0, kept: 0 }
    }

    /// Whether the allocation at `at` is to be moved, which the caller then does. Counts it.
    ///
    /// # Safety
    /// `at` was given out by the global allocator and is not freed.
    #[inline]
    pub(crate) unsafe fn wants(&mut self, at: *const u8) -> bool {
        let wanted = match &self.hints {
            // SAFETY: 1. The caller's promise is the same.
            Some(hints) => unsafe { hints.is_sparse(at) },
            None => true,
        };
        self.moved += u64::from(wanted);
        self.kept += u64::from(!wanted);
        wanted
    }

    /// Moves the elements of a vector, whose capacity stays.
    pub fn vec<T>(&mut self, vec: &mut Vec<T>) {
        let owns = vec.capacity() > 0 && size_of::<T>() > 0;
        // SAFETY: 1. With a capacity in bytes the pointer is that of an allocation.
        if owns && unsafe { self.wants(vec.as_ptr().cast()) } {
            let mut fresh = Vec::with_capacity(vec.capacity());
            fresh.append(vec);
            *vec = fresh;
        }
    }

    /// Moves the elements of a ring, whose capacity stays.
    pub fn ring<T>(&mut self, ring: &mut VecDeque<T>) {
        let first = ring.as_slices().0;
        let owns = !first.is_empty() && size_of::<T>() > 0;
        // SAFETY: 1. An element lies in the ring's allocation, and the allocator knows an allocation by
        // any place in it.
        if owns && unsafe { self.wants(first.as_ptr().cast()) } {
            let mut fresh = VecDeque::with_capacity(ring.capacity());
            fresh.append(ring);
            *ring = fresh;
        }
    }

    /// Moves boxed bytes.
    pub fn bytes(&mut self, bytes: &mut Box<[u8]>) {
        // SAFETY: 1. A slice that is not empty has an allocation.
        if !bytes.is_empty() && unsafe { self.wants(bytes.as_ptr()) } {
            *bytes = Box::from(&**bytes);
        }
    }

    /// Moves a boxed value, not what the value owns.
    pub fn boxed<T>(&mut self, boxed: &mut Box<T>) {
        // SAFETY: 1. A value with a size has an allocation.
        if size_of::<T>() == 0 || !unsafe { self.wants(ptr::from_ref(&**boxed).cast()) } {
            return;
        }
        let mut fresh = Box::<T>::new_uninit();
        // SAFETY: 1. Both boxes hold a `T` and are distinct. 2. The copy is the value from here on: the
        // old box is freed as one of uninitialised memory, so that nothing is dropped.
        unsafe {
            ptr::copy_nonoverlapping(&raw const **boxed, fresh.as_mut_ptr(), 1);
            let old = mem::replace(boxed, fresh.assume_init());
            drop(Box::from_raw(Box::into_raw(old).cast::<MaybeUninit<T>>()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_moved_stays_what_it_is() {
        let shared = Rc::new(7);
        let mut mover = Mover::of_all();
        let mut vec = Vec::with_capacity(10);
        vec.push(Rc::clone(&shared));
        let place = vec.as_ptr();
        mover.vec(&mut vec);
        assert_ne!(vec.as_ptr(), place);
        assert_eq!((vec.capacity(), &vec[..]), (10, &[Rc::clone(&shared)][..]));

        let mut ring: VecDeque<_> = [1, 2, 3, 4].map(Rc::new).into();
        ring.rotate_left(1);
        ring.pop_back();
        let before = ring.clone();
        mover.ring(&mut ring);
        assert_eq!(ring, before);

        let mut bytes: Box<[u8]> = Box::from(&b"bytes"[..]);
        mover.bytes(&mut bytes);
        assert_eq!(&*bytes, b"bytes");

        let mut boxed = Box::new(Rc::clone(&shared));
        let place = ptr::from_ref(&*boxed);
        mover.boxed(&mut boxed);
        assert_ne!(ptr::from_ref(&*boxed), place);
        assert_eq!((&*boxed, mover.moved, mover.kept), (&shared, 4, 0));
        drop((vec, boxed));
        assert_eq!(Rc::strong_count(&shared), 1);
    }

    #[test]
    fn what_owns_nothing_is_not_looked_at() {
        let mut mover = Mover::of_all();
        mover.vec(&mut Vec::<u64>::new());
        mover.vec(&mut vec![(); 3]);
        mover.ring(&mut VecDeque::<u64>::new());
        mover.bytes(&mut Box::default());
        mover.boxed(&mut Box::new(()));
        assert_eq!((mover.moved, mover.kept), (0, 0));
    }
}
