//! Values of modules that are not there: bytes that only the module understands, kept as they came.
//!
//! The bytes are those of the snapshot format behind type and key: the id of the module's type, whose
//! upper 54 bits spell its name in nine letters of six bits, then parts that say of themselves how long
//! they are. Nothing here looks into the parts.

/// The letters a module type's name is made of, by their number.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters in a module type's name.
const NAME_LEN: u32 = 9;

/// A value of a module that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    type_id: u64,
    bytes: Vec<u8>,
}

impl Opaque {
    /// The value of the module type `type_id` that is saved as `bytes`, the id included.
    pub fn new(type_id: u64, bytes: Vec<u8>) -> Opaque {
        Opaque { type_id, bytes }
    }

    /// How it is saved.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The name of its type, as TYPE answers it.
    pub fn type_name(&self) -> String {
        module_type_name(self.type_id)
    }

    /// Heap bytes. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The name of the module type of that id.
pub fn module_type_name(id: u64) -> String {
    let letter = |n: u32| {
        let number = (id >> (10 + 6 * (NAME_LEN - 1 - n))) & 0x3f;
        let letter = usize::try_from(number).ok().and_then(|number| LETTERS.get(number));
        char::from(letter.copied().unwrap_or(b'?'))
    };
    (0..NAME_LEN).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_id() {
        // The type id of RedisJSON 2, encoding version 3.
        let value = Opaque::new(0x45e2_5238_df91_2c03, vec![1, 2]);
        assert_eq!(value.type_name(), "ReJSON-RL");
        assert_eq!((value.bytes(), value.heap_bytes()), (&[1, 2][..], 2));
    }
}
