//! A value of which a snapshot walk may take a reference while it goes on being changed.
//!
//! Nodes of lists and blocks of streams are saved by reference: the walk takes one of each, and writes
//! them later and without a lock; whoever changes such a value meanwhile makes a copy first. Outside of
//! walks a value costs no allocation more than by itself, and a change one test.

use std::mem;
use std::ops::Deref;
use std::sync::Arc;

/// A value, owned alone or together with walks.
#[derive(Debug)]
pub enum Shared<T> {
    /// Owned alone.
    Own(T),
    /// A walk has, or had, a reference.
    Lent(Arc<T>),
}

impl<T: Clone + Default> Shared<T> {
    /// A reference to the value as it is now. O(1), and an allocation the first time.
    pub fn lend(&mut self) -> Arc<T> {
        match self {
            Shared::Lent(lent) => Arc::clone(lent),
            Shared::Own(own) => {
                let lent = Arc::new(mem::take(own));
                *self = Shared::Lent(Arc::clone(&lent));
                lent
            }
        }
    }

    /// The value, to be changed. O(1), or a copy if somebody has a reference to it.
    #[inline]
    pub fn own(&mut self) -> &mut T {
        if let Shared::Lent(lent) = self {
            *self = Shared::Own(Arc::unwrap_or_clone(mem::take(lent)));
        }
        match self {
            Shared::Own(own) => own,
            Shared::Lent(_) => unreachable!("it was just made its own"),
        }
    }

    /// The value, to be changed, unless somebody has a reference to it. O(1).
    pub fn alone(&mut self) -> Option<&mut T> {
        match self {
            Shared::Own(own) => Some(own),
            Shared::Lent(lent) => Arc::get_mut(lent),
        }
    }

    /// The value. O(1), or a copy if somebody has a reference to it.
    pub fn into_own(self) -> T {
        match self {
            Shared::Own(own) => own,
            Shared::Lent(lent) => Arc::unwrap_or_clone(lent),
        }
    }
}

impl<T> From<T> for Shared<T> {
    fn from(own: T) -> Shared<T> {
        Shared::Own(own)
    }
}

impl<T: Default> Default for Shared<T> {
    fn default() -> Shared<T> {
        Shared::Own(T::default())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match self {
            Shared::Own(own) => own,
            Shared::Lent(lent) => lent,
        }
    }
}

impl<T: Clone> Clone for Shared<T> {
    fn clone(&self) -> Shared<T> {
        Shared::Own(T::clone(self))
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Shared<T>) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Shared<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_stays_as_it_was() {
        let mut value = Shared::from(vec![1]);
        let before = value.lend();
        value.own().push(2);
        let after = value.lend();
        assert_eq!((&**before, &**after, &**value), (&[1][..], &[1, 2][..], &[1, 2][..]));
        assert!(value.alone().is_none());
        drop(after);
        assert!(value.alone().is_some());
        // Alone again, it is changed in place.
        let place = value.as_ptr();
        value.own()[0] = 7;
        assert_eq!((value.as_ptr(), &**value), (place, &[7, 2][..]));
        assert_eq!(value.clone().into_own(), [7, 2]);
    }
}
