//! The checksum at the end of a snapshot: CRC-64 with the Jones polynomial, initial value 0.
//!
//! It is taken over every byte from the magic to the END opcode. Sixteen tables of 256 entries
//! (32 KB, made at compile time) let it take 16 bytes a step.

use crc::{CRC_64_REDIS, Crc, Table};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum in the making.
#[derive(Clone)]
pub struct Checksum(crc::Digest<'static, u64, Table<16>>);

impl Checksum {
    /// The checksum of nothing.
    pub fn new() -> Checksum {
        Checksum(CRC.digest())
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of the bytes so far.
    pub fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

impl Default for Checksum {
    fn default() -> Checksum {
        Checksum::new()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:016x})", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_polynomial() {
        // The value that the CRC catalogue and stock's own self-test give for these nine digits.
        let mut whole = Checksum::new();
        whole.update(b"123456789");
        assert_eq!(whole.value(), 0xe9c6_d914_c4b8_d9ca);
        let mut pieces = Checksum::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.value(), whole.value());
        assert_eq!(Checksum::new().value(), 0);
    }
}
