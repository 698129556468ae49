//! Moving an entry, and the box of its value, to other allocations.

use super::pointer::{allocate, layout};
use super::{BOXED, Entry};
use crate::Mover;
use std::alloc::dealloc;
use std::ptr;

impl<B> Entry<B> {
    /// Moves the entry and the box of its value, if it has one, where `mover` wants them; not what the
    /// value owns. Key, value and all marks stay. `moved` is told of the entry at its new place while the
    /// bytes at the old one can still be read.
    pub fn relocate(&mut self, mover: &mut Mover, moved: impl FnOnce(&Entry<B>)) {
        if self.encoding() == BOXED {
            self.relocate_box(mover);
        }
        let old = self.base();
        // SAFETY: 1. An entry owns an allocation (invariant 1).
        if !unsafe { mover.wants(old) } {
            return;
        }
        let size = self.allocated_bytes();
        let fresh = allocate(size);
        // SAFETY: 1. Both allocations are `size` bytes long and distinct. 2. A boxed value is owned by
        // the copy from here on: the old bytes are freed, not dropped.
        unsafe { ptr::copy_nonoverlapping(old, fresh.as_ptr(), size) };
        self.set_base(fresh);
        moved(self);
        // SAFETY: 1. The old allocation has this layout (invariant 1), and nothing points to it any more.
        unsafe { dealloc(old, layout(size)) };
    }

    fn relocate_box(&mut self, mover: &mut Mover) {
        let at = self.value_pointer().cast::<*mut B>();
        // SAFETY: 1. The value is a pointer from `Box::into_raw` that we alone own (invariant 3). 2. What
        // is written is one as well, and the one that was read is forgotten.
        unsafe {
            let mut boxed = Box::from_raw(at.read_unaligned());
            mover.boxed(&mut boxed);
            at.write_unaligned(Box::into_raw(boxed));
        }
    }
}
