//! The elements of a pack in order, from either end.

use super::element::{Item, back_len, decode, read_back};

/// What [`super::Listpack::iter`] gives.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    /// Where the next element from the front is, and where the next from the back ends.
    front: usize,
    back: usize,
}

impl<'a> Iter<'a> {
    pub(super) fn new(bytes: &'a [u8], front: usize, back: usize) -> Iter<'a> {
        Iter { bytes, front, back }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        (self.front < self.back).then(|| {
            let (item, len) = decode(self.bytes, self.front);
            self.front += len + back_len(len);
            item
        })
    }
}

impl<'a> DoubleEndedIterator for Iter<'a> {
    fn next_back(&mut self) -> Option<Item<'a>> {
        (self.front < self.back).then(|| {
            let len = read_back(self.bytes, self.back);
            self.back -= len + back_len(len);
            decode(self.bytes, self.back).0
        })
    }
}

impl std::iter::FusedIterator for Iter<'_> {}
