//! Data of modules: self-describing, and so passed over, or kept as it is, when the module is not
//! there.
//!
//! ```text
//! aux      MODULE_AUX, id, UINT, when, parts
//! value    type 7, key, id, parts
//! parts    (code, content)* 0     code and id are lengths
//! ```
//!
//! Values of type 6, which the release candidates of 4.0 wrote, do not say how long they are.

use super::{Item, LoadError, LoadedKey, LoadedValue, Loader};
use crate::format::{Attributes, opcode};
use std::io;
use values::opaque::{Opaque, module_type_name};

/// When data is to be loaded: in front of the keys. Otherwise it is behind them.
const BEFORE_KEYS: u64 = 1;

/// What a module keeps outside the keyspace, as the snapshot had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleData {
    /// The name of the module's type.
    pub module: String,
    /// It belongs in front of the keys, not behind them.
    pub is_before_keys: bool,
    /// The record.
    pub bytes: Vec<u8>,
}

mod part {
    pub const END: u64 = 0;
    pub const SIGNED: u64 = 1;
    pub const UNSIGNED: u64 = 2;
    pub const FLOAT: u64 = 3;
    pub const DOUBLE: u64 = 4;
    pub const STRING: u64 = 5;
}

impl<R: io::Read> Loader<R> {
    pub(super) fn module_aux(&mut self) -> Result<Item, LoadError> {
        if self.keeps_modules {
            self.source.capture(vec![opcode::MODULE_AUX]);
        }
        let module = module_type_name(self.source.length()?);
        if self.source.length()? != part::UNSIGNED {
            return Err(self.source.malformed("module data that does not say when it is loaded"));
        }
        let is_before_keys = self.source.length()? == BEFORE_KEYS;
        self.skip_parts()?;
        if !self.keeps_modules {
            return Ok(Item::ModuleSkipped { module, key: None });
        }
        let bytes = self.source.captured();
        Ok(Item::ModuleData(ModuleData { module, is_before_keys, bytes }))
    }

    pub(super) fn module_key(&mut self, attributes: Attributes) -> Result<Item, LoadError> {
        let key = self.bytes()?;
        if self.keeps_modules {
            let value = self.module_value()?;
            return Ok(Item::Key(LoadedKey { key, value, attributes }));
        }
        let module = module_type_name(self.source.length()?);
        self.skip_parts()?;
        Ok(Item::ModuleSkipped { module, key: Some(key) })
    }

    /// Reads a value, to be kept.
    pub(super) fn module_value(&mut self) -> Result<LoadedValue, LoadError> {
        self.source.capture(Vec::new());
        let type_id = self.source.length()?;
        self.skip_parts()?;
        Ok(LoadedValue::Module(Opaque::new(type_id, self.source.captured())))
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
