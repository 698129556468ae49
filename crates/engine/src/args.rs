//! The words of a request: borrowed from the read buffer while it runs, or owned while it is queued.

use crate::error::CommandError;
use smallvec::SmallVec;

/// A request's words: where each stands in `bytes`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the ranges refer to.
    pub bytes: &'a [u8],
    /// Start and end of each word; the command's name is the first.
    pub ranges: &'a [(u32, u32)],
}

impl<'a> Request<'a> {
    /// How many words there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Word `at`; empty if there is none.
    #[inline]
    pub fn word(&self, at: usize) -> &'a [u8] {
        match self.ranges.get(at) {
            Some(&(start, end)) => self.bytes.get(start as usize..end as usize).unwrap_or_default(),
            None => &[],
        }
    }

    /// Bytes from the first word to the end of the last: what a client has sent, or the words alone if
    /// they are kept.
    #[inline]
    pub fn span_bytes(&self) -> usize {
        match (self.ranges.first(), self.ranges.last()) {
            (Some(first), Some(last)) => last.1.saturating_sub(first.0) as usize,
            _ => 0,
        }
    }

    /// All words.
    pub fn words(&self) -> SmallVec<[&'a [u8]; 8]> {
        (0..self.len()).map(|at| self.word(at)).collect()
    }
}

/// A request that owns its words: queued by MULTI, or kept for the slow log.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    bytes: Vec<u8>,
    ranges: Vec<(u32, u32)>,
}

impl OwnedRequest {
    /// A copy of `request`.
    pub fn copy_of(request: Request<'_>) -> OwnedRequest {
        OwnedRequest::from_words((0..request.len()).map(|at| request.word(at)))
    }

    /// A request of these words.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> OwnedRequest {
        let mut owned = OwnedRequest::default();
        for word in words {
            let start = u32::try_from(owned.bytes.len()).unwrap_or(u32::MAX);
            owned.bytes.extend_from_slice(word);
            owned.ranges.push((start, u32::try_from(owned.bytes.len()).unwrap_or(u32::MAX)));
        }
        owned
    }

    /// The words.
    pub fn request(&self) -> Request<'_> {
        Request { bytes: &self.bytes, ranges: &self.ranges }
    }

    /// Bytes held, those of bookkeeping included.
    pub fn len_bytes(&self) -> usize {
        size_of::<OwnedRequest>() + self.bytes.len() + size_of_val(&self.ranges[..])
    }
}

/// A handler's view of its words: taken one after the other, the command's name already gone.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    request: Request<'a>,
    next: usize,
}

impl<'a> Args<'a> {
    /// The words of `request` behind the first `name_words`.
    #[inline]
    pub fn new(request: Request<'a>, name_words: usize) -> Args<'a> {
        Args { request, next: name_words }
    }

    /// The whole request, name included.
    pub fn request(&self) -> Request<'a> {
        self.request
    }

    /// How many words are left.
    pub fn left(&self) -> usize {
        self.request.len().saturating_sub(self.next)
    }

    /// The next word, if there is one.
    #[inline]
    #[allow(clippy::should_implement_trait, reason = "arguments are taken, not iterated over")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        (self.next < self.request.len()).then(|| {
            self.next += 1;
            self.request.word(self.next - 1)
        })
    }

    /// The words left, none of which is taken.
    pub fn words(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let request = self.request;
        (self.next..request.len()).map(move |at| request.word(at))
    }

    /// The next word without taking it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        (self.next < self.request.len()).then(|| self.request.word(self.next))
    }

    /// Takes the next word if it is `token` in any case.
    pub fn take_token(&mut self, token: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.eq_ignore_ascii_case(token.as_bytes()));
        self.next += usize::from(found);
        found
    }

    /// The next word, which must be there.
    ///
    /// # Errors
    /// `Syntax` if it is not.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The next word as a key.
    ///
    /// # Errors
    /// `Syntax` if there is none.
    #[inline]
    pub fn key(&mut self) -> Result<&'a [u8], CommandError> {
        self.bytes()
    }

    /// The next word as an integer.
    ///
    /// # Errors
    /// `Syntax` if there is none, `NotInteger` if it is none.
    pub fn integer(&mut self) -> Result<i64, CommandError> {
        values::string::parse_i64(self.bytes()?).ok_or(CommandError::NotInteger)
    }

    /// Ends parsing.
    ///
    /// # Errors
    /// `Syntax` if words are left.
    pub fn end(&self) -> Result<(), CommandError> {
        if self.left() == 0 { Ok(()) } else { Err(CommandError::Syntax) }
    }
}
