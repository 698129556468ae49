//! BITFIELD: integers of 1 to 64 bits at any bit of a string.

/// The width and the sign of a field. Unsigned fields have at most 63 bits, so that a reply holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    signed: bool,
    bits: u32,
}

/// What becomes of a result that its field cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its lowest bits.
    #[default]
    Wrap,
    /// The nearest number that the field holds.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// The bits that hold a field of up to 64 bits at any bit of a byte: nine bytes.
const WINDOW_BYTES: usize = 9;

impl Form {
    /// The form written like `i16` or `u8`.
    pub fn parse(text: &[u8]) -> Option<Form> {
        let (sign, bits) = text.split_first()?;
        let signed = match sign {
            b'i' => true,
            b'u' => false,
            _ => return None,
        };
        let bits = crate::string::parse_i64(bits).and_then(|bits| u32::try_from(bits).ok())?;
        (1..=if signed { 64 } else { 63 }).contains(&bits).then_some(Form { signed, bits })
    }

    /// How many bits it has.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    const fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    /// The number at bit `offset` of `bytes`; bits behind their end are zero. O(1).
    pub fn read(self, bytes: &[u8], offset: usize) -> i64 {
        let mut window = 0_u128;
        for at in 0..WINDOW_BYTES {
            let byte = bytes.get((offset / 8).saturating_add(at)).copied().unwrap_or(0);
            window = window << 8 | u128::from(byte);
        }
        self.number((window >> self.shift(offset)) & self.mask())
    }

    /// Writes the lowest bits of `number` at bit `offset` of `bytes`, which are long enough. O(1).
    #[allow(clippy::cast_sign_loss, reason = "two's complement is the format")]
    pub fn write(self, bytes: &mut [u8], offset: usize, number: i64) {
        let shift = self.shift(offset);
        let (mask, new) =
            (self.mask() << shift, (i128::from(number) as u128 & self.mask()) << shift);
        let window = bytes.iter_mut().skip(offset / 8).take(WINDOW_BYTES);
        let [_, _, _, _, _, _, _, mask @ ..] = mask.to_be_bytes();
        let [_, _, _, _, _, _, _, new @ ..] = new.to_be_bytes();
        for (byte, (mask, new)) in window.zip(mask.into_iter().zip(new)) {
            *byte = *byte & !mask | new;
        }
    }

    fn shift(self, offset: usize) -> u32 {
        let inside = u32::try_from(offset % 8).unwrap_or(0);
        72 - inside - self.bits
    }

    #[allow(
        clippy::cast_possible_wrap,
        clippy::cast_possible_truncation,
        reason = "at most 64 bits"
    )]
    const fn number(self, bits: u128) -> i64 {
        let free = 64 - self.bits;
        let raw = bits as u64 as i64;
        if self.signed { raw << free >> free } else { raw }
    }

    /// `value + increment` as the field holds it; `None` if it does not and `overflow` is to fail.
    ///
    /// `value` is a number given by a client or read from this field.
    #[allow(clippy::cast_sign_loss, reason = "an unsigned field takes the bits of a number")]
    pub fn add(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let (low, high) = if self.signed {
            (-(1_i128 << (self.bits - 1)), (1_i128 << (self.bits - 1)) - 1)
        } else {
            (0, (1_i128 << self.bits) - 1)
        };
        let value = if self.signed { i128::from(value) } else { i128::from(value as u64) };
        let sum = value + i128::from(increment);
        if (low..=high).contains(&sum) {
            return i64::try_from(sum).ok();
        }
        match overflow {
            Overflow::Wrap => Some(self.number(sum as u128 & self.mask())),
            Overflow::Saturate => i64::try_from(sum.clamp(low, high)).ok(),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitmap::bit;
    use proptest::prelude::*;

    fn form(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn forms() {
        for text in ["i1", "i64", "u1", "u63"] {
            form(text);
        }
        for text in ["", "i", "u", "i0", "u0", "u64", "i65", "I8", "u-1", "u 8", "u08", "8"] {
            assert_eq!(Form::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn overflows() {
        use Overflow::{Fail, Saturate, Wrap};
        for (text, value, increment, overflow, expected) in [
            ("u8", 100, 257, Wrap, Some(101)),
            ("u8", 100, 257, Saturate, Some(255)),
            ("u8", 100, -257, Saturate, Some(0)),
            ("u8", 100, 156, Fail, None),
            ("u8", -1, 0, Saturate, Some(255)),
            ("u8", -1, 0, Wrap, Some(255)),
            ("i8", 100, 257, Wrap, Some(101)),
            ("i8", 100, 257, Saturate, Some(127)),
            ("i8", -100, -257, Saturate, Some(-128)),
            ("i8", 255, 0, Wrap, Some(-1)),
            ("i64", i64::MAX, 1, Wrap, Some(i64::MIN)),
            ("i64", i64::MIN, -1, Saturate, Some(i64::MIN)),
            ("i64", i64::MAX, 1, Fail, None),
            ("u63", i64::MAX, 1, Wrap, Some(0)),
            ("i1", 0, 1, Wrap, Some(-1)),
        ] {
            assert_eq!(form(text).add(value, increment, overflow), expected, "{text} {value}");
        }
    }

    proptest! {
        #[test]
        fn written_fields_are_read(
            mut bytes in prop::collection::vec(any::<u8>(), 20..30),
            signed: bool, bits in 1_u32..64, offset in 0_usize..96, number: i64,
        ) {
            let form = Form { signed, bits };
            let before = bytes.clone();
            form.write(&mut bytes, offset, number);
            let held = form.add(number, 0, Overflow::Wrap).unwrap();
            prop_assert_eq!(form.read(&bytes, offset), held);
            let inside = offset..offset + bits as usize;
            for at in (0..bytes.len() * 8).filter(|at| !inside.contains(at)) {
                prop_assert_eq!(bit(&bytes, at), bit(&before, at));
            }
        }
    }
}
