//! Data of modules: self-describing, and so passed over when the module is not there.
//!
//! ```text
//! aux      MODULE_AUX, id, UINT, when, parts
//! value    type 7, key, id, parts
//! parts    (code, content)* 0     code and id are lengths
//! ```
//!
//! The id holds the module type's name, nine characters of 6 bits, above 10 bits of its version.

use super::{Item, LoadError, Loader};
use std::io;

/// The letters a module type's name is made of, by their number.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters in a module type's name.
const NAME_LEN: u32 = 9;

mod part {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

impl<R: io::Read> Loader<R> {
    pub(super) fn skip_module_aux(&mut self) -> Result<Item, LoadError> {
        let module = module_name(self.source.length()?);
        if self.source.length()? != part::UNSIGNED {
            return Err(self.source.malformed("module data that does not say when it is loaded"));
        }
        self.source.length()?;
        self.skip_parts()?;
        Ok(Item::ModuleSkipped { module, key: None })
    }

    pub(super) fn skip_module_value(&mut self) -> Result<Item, LoadError> {
        let key = self.bytes()?;
        let module = module_name(self.source.length()?);
        self.skip_parts()?;
        Ok(Item::ModuleSkipped { module, key: Some(key) })
    }

    pub(super) fn skip_parts(&mut self) -> Result<(), LoadError> {
        loop {
            match self.source.length()? {
                part::END => return Ok(()),
                part::SIGNED | part::UNSIGNED => {
                    self.source.length()?;
                }
                part::FLOAT => self.source.skip(4)?,
                part::DOUBLE => self.source.skip(8)?,
                part::STRING => self.skip_string()?,
                _ => return Err(self.source.malformed("an unknown part of a module's data")),
            }
        }
    }
}

fn module_name(id: u64) -> String {
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
        assert_eq!(module_name(0x45e2_5238_df91_2c03), "ReJSON-RL");
    }
}
