//! The members of some ranks, from both ends.

use super::{SortedSetRef, packed_score};
use std::ops::Range;
use structures::SortedIter;
use structures::listpack::{self, Item};

/// Members with their scores, in order. Made by [`SortedSetRef::iter`].
#[derive(Clone, Debug)]
pub struct Scored<'a>(Form<'a>);

#[derive(Clone, Debug)]
enum Form<'a> {
    Packed { elements: listpack::Iter<'a>, left: usize },
    Large(SortedIter<'a>),
}

impl<'a> Scored<'a> {
    pub(super) fn new(set: SortedSetRef<'a>, ranks: Range<usize>) -> Scored<'a> {
        let (len, end) = (set.len(), ranks.end.min(set.len()));
        let start = ranks.start.min(end);
        match set {
            SortedSetRef::Packed(pack) => {
                let mut elements = pack.iter();
                if start > 0 {
                    elements.nth(2 * start - 1);
                }
                if end < len {
                    elements.nth_back(2 * (len - end) - 1);
                }
                Scored(Form::Packed { elements, left: end - start })
            }
            SortedSetRef::Large(large) => Scored(Form::Large(large.sorted().iter(start..end))),
        }
    }
}

impl<'a> Iterator for Scored<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<(Item<'a>, f64)> {
        match &mut self.0 {
            Form::Packed { elements, left } => {
                *left = left.checked_sub(1)?;
                let member = elements.next()?;
                Some((member, packed_score(elements.next()?)))
            }
            Form::Large(iter) => iter.next().map(|(member, score)| (Item::Bytes(member), score)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Form::Packed { left, .. } => (*left, Some(*left)),
            Form::Large(iter) => iter.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Scored<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Form::Packed { elements, left } => {
                *left = left.checked_sub(1)?;
                let score = packed_score(elements.next_back()?);
                Some((elements.next_back()?, score))
            }
            Form::Large(iter) => {
                iter.next_back().map(|(member, score)| (Item::Bytes(member), score))
            }
        }
    }
}

impl ExactSizeIterator for Scored<'_> {}
