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
        let register = crc16_without_brace(key).unwrap_or_else(|| crc16(tag(key)));
        Slot(register & (SLOT_COUNT - 1))
    }
}

#[cold]
fn tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// Bytes that are taken at a time.
const STEP: usize = 8;

/// `TABLES[n][b]`: the register after byte `b` followed by `n` zero bytes. Since the register is linear
/// in what goes into it, the registers of the bytes of a step are added up.
const TABLES: [[u16; 256]; STEP] = tables();

const fn tables() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
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
    let mut zeros = 1;
    while zeros < STEP {
        byte = 0;
        while byte < 256 {
            let before = tables[zeros - 1][byte];
            tables[zeros][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// The register behind `step`, which the one before it is added to.
#[inline]
#[allow(clippy::many_single_char_names, reason = "bytes of a step, in order")]
fn after_step(register: u16, step: [u8; STEP]) -> u16 {
    let [high, low] = register.to_be_bytes();
    let [a, b, c, d, e, f, g, h] = step.map(usize::from);
    TABLES[7][a ^ usize::from(high)]
        ^ TABLES[6][b ^ usize::from(low)]
        ^ TABLES[5][c]
        ^ TABLES[4][d]
        ^ TABLES[3][e]
        ^ TABLES[2][f]
        ^ TABLES[1][g]
        ^ TABLES[0][h]
}

#[inline]
fn after_byte(register: u16, byte: u8) -> u16 {
    (register << 8) ^ TABLES[0][usize::from(register >> 8) ^ usize::from(byte)]
}

#[inline]
fn crc16(bytes: &[u8]) -> u16 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let register = steps.iter().fold(0, |register, step| after_step(register, *step));
    rest.iter().fold(register, |register, &byte| after_byte(register, byte))
}

/// The register behind `key`, if no `{` is in it: found out on the way.
#[inline]
fn crc16_without_brace(key: &[u8]) -> Option<u16> {
    const ONES: u64 = u64::from_ne_bytes([1; STEP]);
    const BRACES: u64 = u64::from_ne_bytes([b'{'; STEP]);
    let (steps, rest) = key.as_chunks::<STEP>();
    let (mut register, mut found) = (0, 0);
    for step in steps {
        // A byte that is zero borrows from its highest bit. Some others may do so above it.
        let others = u64::from_ne_bytes(*step) ^ BRACES;
        found |= others.wrapping_sub(ONES) & !others & (ONES << 7);
        register = after_step(register, *step);
    }
    for &byte in rest {
        found |= u64::from(byte == b'{');
        register = after_byte(register, byte);
    }
    (found == 0).then_some(register)
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
    fn steps_are_as_many_bytes() {
        let bytes: Vec<u8> = (0..=255).cycle().skip(3).take(700).collect();
        for (start, end) in (0..24).flat_map(|start| (start..60).map(move |end| (start, end))) {
            let part = &bytes[start * 11..start * 11 + end];
            let one_by_one = part.iter().fold(0, |register, &byte| after_byte(register, byte));
            assert_eq!(crc16(part), one_by_one);
            let plain = (!part.contains(&b'{')).then_some(one_by_one);
            assert_eq!(crc16_without_brace(part), plain, "{part:?}");
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
