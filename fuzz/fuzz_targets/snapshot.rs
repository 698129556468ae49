//! Snapshots: no bytes make reading them panic, and what is found does not depend on whether they are
//! read item by item or in pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rdb::{Item, LoadError, Loader, Piece};

type Found = (Vec<Item>, Option<String>);

fn one_by_one(input: &[u8]) -> Found {
    let mut loader = Loader::new(input).verify_checksum(false);
    let mut items = Vec::new();
    loop {
        match loader.next_item() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, None),
            Err(error) => return (items, Some(error.to_string())),
        }
    }
}

fn in_pieces(input: &[u8], len: usize) -> Found {
    let mut loader = Loader::new(input).verify_checksum(false);
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
        if let Some(keys) = keys {
            let mut loader = keys.into_loader();
            loop {
                match loader.next_item() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(LoadError::UnexpectedEnd { .. }) if error.is_some() => break,
                    Err(error) => return (items, Some(error.to_string())),
                }
            }
        }
        if let Some(error) = error {
            return (items, Some(error.to_string()));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((first, input)) = input.split_first() else { return };
    let found = one_by_one(input);
    assert_eq!(in_pieces(input, usize::from(*first) * 4 + 1), found);
});
