//! The boxed form of a value that does not lie inline beside its key.
//!
//! Short strings and integers live in the entry itself; what is longer, or grows by being appended
//! to, is an `Object`. A later type is one more variant here and one folder beside `string`.

/// The type of a value as TYPE answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Bytes or an integer.
    String,
}

impl Kind {
    /// The name that TYPE answers and SCAN's TYPE option accepts.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
        }
    }

    /// The number of the type in stock's digests and module interface.
    pub const fn number(self) -> u32 {
        match self {
            Kind::String => 0,
        }
    }
}

/// A boxed value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// A string above the inline limit, or one that is appended to and so keeps spare capacity.
    Text(Vec<u8>),
}

impl Object {
    /// The type of the value.
    pub const fn kind(&self) -> Kind {
        match self {
            Object::Text(_) => Kind::String,
        }
    }

    /// The heap bytes the value holds beside `size_of::<Object>()`, spare capacity included. O(1).
    pub const fn heap_bytes(&self) -> usize {
        match self {
            Object::Text(text) => text.capacity(),
        }
    }

    /// All bytes of the boxed value: the object itself and its heap. O(1).
    pub const fn memory_bytes(&self) -> usize {
        size_of::<Object>() + self.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_counts_spare_capacity() {
        let object = Object::Text(Vec::with_capacity(100));
        assert_eq!(object.memory_bytes(), 100 + size_of::<Object>());
        assert_eq!(object.kind().name(), "string");
    }
}
