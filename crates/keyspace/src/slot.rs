//! Hash slots: CRC16 (XMODEM) of the key, or of its hash tag, modulo 16384.
//!
//! Source: Redis cluster specification, "Key distribution model" and "Hash tags".

/// How many slots there are.
pub const SLOT_COUNT: u16 = 16384;

/// A hash slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The slot of `key`. If the key holds a `{` with a `}` behind it and something between, only
    /// that part counts. O(length).
    #[inline]
    pub fn of(key: &[u8]) -> Slot {
        Slot(crc16(tag(key)) & (SLOT_COUNT - 1))
    }
}

fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// `TABLES[n][b]`: the register after byte `b` followed by `n` zero bytes, so that two bytes at a
/// time can be taken.
const TABLES: [[u16; 256]; 2] = tables();

const fn tables() -> [[u16; 256]; 2] {
    let mut tables = [[0; 256]; 2];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "byte is below 256")]
        let mut register = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            register =
                if register & 0x8000 == 0 { register << 1 } else { (register << 1) ^ 0x1021 };
            bit += 1;
        }
        tables[0][byte] = register;
        byte += 1;
    }
    byte = 0;
    while byte < 256 {
        let first = tables[0][byte];
        tables[1][byte] = (first << 8) ^ tables[0][(first >> 8) as usize];
        byte += 1;
    }
    tables
}

#[inline]
fn crc16(bytes: &[u8]) -> u16 {
    let mut register: u16 = 0;
    let mut pairs = bytes.chunks_exact(2);
    for pair in &mut pairs {
        let high = usize::from(register >> 8) ^ usize::from(pair[0]);
        let low = usize::from(register & 0xff) ^ usize::from(pair[1]);
        register = TABLES[1][high] ^ TABLES[0][low];
    }
    if let [last] = pairs.remainder() {
        register = (register << 8) ^ TABLES[0][usize::from(register >> 8) ^ usize::from(*last)];
    }
    register
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn tags() {
        for (key, part) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo{bar", "foo{bar"),
            ("plain", "plain"),
        ] {
            assert_eq!(tag(key.as_bytes()), part.as_bytes(), "{key}");
        }
    }

    #[test]
    fn known_slots() {
        // From the cluster tutorial: CLUSTER KEYSLOT foo, hello, somekey.
        assert_eq!(Slot::of(b"foo"), Slot(12182));
        assert_eq!(Slot::of(b"hello"), Slot(866));
        assert_eq!(Slot::of(b"somekey"), Slot(11058));
    }
}
