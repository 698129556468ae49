//! What two servers hold, compared: digests, expiries, types, and payloads that each takes from the
//! other.

use crate::failure::Outcome;
use crate::wire::{Reading, Wire, shown};
use resp::Value;

/// The key that a foreign payload is restored to.
const TRIAL: &[u8] = b"trial";

/// The databases that MOVE and SWAPDB are drawn with.
const DATABASES: [&str; 4] = ["0", "1", "2", "7"];
/// How far apart two expiries may be that were stated as spans.
const CLOCKS_MS_MAX: u64 = 5_000;

/// The first difference in what two servers hold, if there is one. Both hold little, and both take each
/// other's payloads.
///
/// # Errors
/// When a connection broke.
pub fn difference(ours: &mut Wire, stock: &mut Wire) -> Outcome<Option<String>> {
    compare(ours, stock, true)
}

/// The first difference in what a primary and a replica hold.
///
/// # Errors
/// When a connection broke.
pub fn replica_difference(primary: &mut Wire, replica: &mut Wire) -> Outcome<Option<String>> {
    compare(primary, replica, false)
}

fn compare(ours: &mut Wire, stock: &mut Wire, exchange: bool) -> Outcome<Option<String>> {
    if exchange {
        take_out_expired(ours)?;
        take_out_expired(stock)?;
    }
    let digest = [b"DEBUG".to_vec(), b"DIGEST".to_vec()];
    let (left, right) = (ours.bytes(&digest)?, stock.bytes(&digest)?);
    for database in DATABASES {
        ours.ok(&["SELECT", database])?;
        stock.ok(&["SELECT", database])?;
        let found = in_database(ours, stock, exchange)?;
        if found.is_some() {
            return Ok(found.map(|text| format!("in database {database}: {text}")));
        }
    }
    Ok((left != right)
        .then(|| format!("DEBUG DIGEST: ours {}, stock {}", shown(&left), shown(&right))))
}

/// Has keys deleted that have expired, which a digest counts until then: looking at them does it.
fn take_out_expired(server: &mut Wire) -> Outcome {
    for database in DATABASES {
        server.ok(&["SELECT", database])?;
        server.bytes(&["SCAN", "0", "COUNT", "1000000"].map(|word| word.as_bytes().to_vec()))?;
    }
    Ok(())
}

fn in_database(ours: &mut Wire, stock: &mut Wire, exchange: bool) -> Outcome<Option<String>> {
    let keys = [b"KEYS".to_vec(), b"*".to_vec()];
    let mut names: Vec<Vec<u8>> = stock.bytes(&keys)?.items().iter().map(bytes).collect();
    names.extend(ours.bytes(&keys)?.items().iter().map(bytes));
    names.sort();
    names.dedup();
    for name in names {
        let mut found = of_key(ours, stock, &name)?;
        if exchange && found.is_none() {
            found = moved(ours, stock, &name)?.map(|text| format!("from ours to stock: {text}"));
        }
        if exchange && found.is_none() {
            found = moved(stock, ours, &name)?.map(|text| format!("from stock to ours: {text}"));
        }
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn of_key(ours: &mut Wire, stock: &mut Wire, name: &[u8]) -> Outcome<Option<String>> {
    for question in [&["TYPE"][..], &["PEXPIRETIME"], &["DEBUG", "DIGEST-VALUE"]] {
        let mut words: Vec<Vec<u8>> =
            question.iter().map(|word| word.as_bytes().to_vec()).collect();
        words.push(name.to_vec());
        let (left, right) = (ours.bytes(&words)?, stock.bytes(&words)?);
        let both = left.as_integer().zip(right.as_integer());
        let alike = both.is_some_and(|(left, right)| left.abs_diff(right) < CLOCKS_MS_MAX);
        if left != right && !alike {
            let (question, name) = (question.join(" "), String::from_utf8_lossy(name).into_owned());
            let (left, right) = (shown(&left), shown(&right));
            return Ok(Some(format!("{question} {name}: ours {left}, stock {right}")));
        }
    }
    Ok(None)
}

/// Restores `name` of one server to a trial key of the other; what went wrong.
fn moved(from: &mut Wire, to: &mut Wire, name: &[u8]) -> Outcome<Option<String>> {
    let payload = from.bytes(&[b"DUMP".to_vec(), name.to_vec()])?;
    let Some(payload) = payload.as_bytes() else {
        return Ok(Some(format!("DUMP answers {}", shown(&payload))));
    };
    let trial = || TRIAL.to_vec();
    let restored = to.bytes(&[b"RESTORE".to_vec(), trial(), b"0".to_vec(), payload.to_vec()])?;
    if restored.is_error() {
        let name = String::from_utf8_lossy(name);
        return Ok(Some(format!("RESTORE of {name}: {}", shown(&restored))));
    }
    let question = |name: Vec<u8>| [b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec(), name];
    let found = to.bytes(&question(trial()))?;
    to.bytes(&[b"DEL".to_vec(), trial()])?;
    // The name's own expiry is part of its digest.
    let value = from.bytes(&question(name.to_vec()))?;
    let expires = from.bytes(&[b"PEXPIRETIME".to_vec(), name.to_vec()])?;
    let same = found == value || expires.as_integer() != Some(-1);
    let name = String::from_utf8_lossy(name);
    Ok((!same).then(|| format!("{name} is another value behind RESTORE")))
}

fn bytes(value: &Value) -> Vec<u8> {
    value.as_bytes().unwrap_or_default().to_vec()
}
