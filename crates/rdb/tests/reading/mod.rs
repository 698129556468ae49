//! The two ways of reading a snapshot, for those who compare them: the tests here, and the fuzzer.

use rdb::{Item, LoadError, Loader, Piece, RawKeys};

/// The items of `bytes` and the error that ends them, read one by one.
pub fn one_by_one(bytes: &[u8]) -> (Vec<Item>, Option<String>) {
    let mut loader = Loader::new(bytes).verify_checksum(false).keep_modules(true);
    let mut items = Vec::new();
    loop {
        match loader.next_item() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error.to_string())),
        }
    }
}

/// The same, read in pieces of about `len` bytes.
pub fn in_pieces(bytes: &[u8], len: usize) -> (Vec<Item>, Option<String>) {
    let mut loader = Loader::new(bytes).verify_checksum(false).keep_modules(true);
    let mut items = Vec::new();
    loop {
        let (keys, error) = match loader.next_piece(len) {
            Ok(Some(Piece::Item(item))) => {
                items.push(item);
                continue;
            }
            Ok(Some(Piece::Keys(keys))) => (Some(keys), None),
            Ok(None) => return (items, None),
            Err((keys, error)) => (keys, Some(error)),
        };
        let mut keys = keys.map(RawKeys::into_loader);
        while let Some(loader) = &mut keys {
            match loader.next_item() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                // What was cut off ends early where the cut failed: that error is the truth.
                Err(LoadError::UnexpectedEnd { .. }) if error.is_some() => break,
                Err(error) => return (items, Some(error.to_string())),
            }
        }
        if let Some(error) = error {
            return (items, Some(error.to_string()));
        }
    }
}
