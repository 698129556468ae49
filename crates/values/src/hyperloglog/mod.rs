//! `HyperLogLog`: estimates how many different elements were added, in at most 12 KB.
//!
//! Each element is hashed; the low 14 bits choose one of 16384 registers, which keeps the longest run
//! of zeros seen in the other 50 bits, plus one. The bytes are stock's, so that dumps and snapshots
//! are exchanged, and since clients may write any string there, they are foreign to every reader.
//!
//! ```text
//! | "HYLL" | encoding | 0 0 0 | cardinality, 8 bytes little-endian | registers
//!          0 dense, 1 sparse   its highest bit says that it is out of date
//! ```
//! Source: Flajolet et al., "`HyperLogLog`: the analysis of a near-optimal cardinality estimation
//! algorithm"; Ertl, "New cardinality estimation algorithms for `HyperLogLog` sketches"; bytes
//! observed with stock 7.0.15.

mod check;
mod dense;
mod estimate;
mod hash;
mod sparse;

pub use check::self_test;

/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 14;
/// The bits of a hash that are not the register's index.
const RUN_BITS: u32 = 64 - INDEX_BITS;
const MAGIC: &[u8] = b"HYLL";
const HEADER_BYTES: usize = 16;
/// The byte of the header that holds the highest bits of the cardinality.
const STALE_AT: usize = 15;
const STALE: u8 = 0x80;
const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;

/// Why bytes are not worked with. The texts are stock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HyperLogLogError {
    /// The header is of something else.
    #[error("WRONGTYPE Key is not a valid HyperLogLog string value.")]
    Foreign,
    /// The registers are not as they must be.
    #[error("INVALIDOBJ Corrupted HLL object detected")]
    Corrupted,
}

/// How registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits for each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

/// The register that an element belongs to, and the run of zeros it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    register: usize,
    run: u8,
}

impl Sighting {
    /// What `element` shows.
    pub fn of(element: &[u8]) -> Sighting {
        let hash = hash::murmur(element);
        let register = usize::from(hash.to_le_bytes()[0]) | usize::from(hash.to_le_bytes()[1]) << 8;
        let run = (hash >> INDEX_BITS | 1 << RUN_BITS).trailing_zeros() + 1;
        Sighting { register: register % REGISTERS, run: run.to_le_bytes()[0] }
    }
}

/// A `HyperLogLog` that has seen nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = [MAGIC, &[1, 0, 0, 0], &[0; 8]].concat();
    sparse::push_zeros(&mut bytes, REGISTERS);
    bytes
}

/// Looks at the header of `bytes`.
///
/// # Errors
/// `Foreign` if they are none of ours.
pub fn encoding(bytes: &[u8]) -> Result<Encoding, HyperLogLogError> {
    let known = bytes.len() >= HEADER_BYTES && bytes.starts_with(MAGIC);
    match bytes.get(MAGIC.len()) {
        Some(0) if known && bytes.len() == DENSE_BYTES => Ok(Encoding::Dense),
        Some(1) if known => Ok(Encoding::Sparse),
        _ => Err(HyperLogLogError::Foreign),
    }
}

fn registers(bytes: &[u8]) -> &[u8] {
    bytes.get(HEADER_BYTES..).unwrap_or_default()
}

/// Whether adding what was seen would change anything.
///
/// # Errors
/// If the bytes are not a sound `HyperLogLog`, as far as they are looked at.
pub fn is_news(bytes: &[u8], seen: Sighting) -> Result<bool, HyperLogLogError> {
    let held = match encoding(bytes)? {
        Encoding::Dense => dense::get(registers(bytes), seen.register),
        Encoding::Sparse => sparse::get(registers(bytes), seen.register)?,
    };
    Ok(seen.run > held)
}

/// Adds what was seen; true if it changed something. Becomes dense when it would grow beyond
/// `sparse_bytes_max`, header included.
///
/// # Errors
/// If the bytes are not a sound `HyperLogLog`, as far as they are looked at.
pub fn add(
    bytes: &mut Vec<u8>,
    seen: Sighting,
    sparse_bytes_max: usize,
) -> Result<bool, HyperLogLogError> {
    if encoding(bytes)? == Encoding::Sparse {
        match sparse::raise(bytes, seen, sparse_bytes_max)? {
            sparse::Raised::Done(changed) => {
                if changed {
                    set_stale(bytes);
                }
                return Ok(changed);
            }
            sparse::Raised::DoesNotFit => become_dense(bytes)?,
        };
    }
    let changed = dense::raise(bytes.get_mut(HEADER_BYTES..).unwrap_or_default(), seen);
    if changed {
        set_stale(bytes);
    }
    Ok(changed)
}

/// Makes a sparse one dense; false if it was.
///
/// # Errors
/// If the bytes are not a sound `HyperLogLog`.
pub fn become_dense(bytes: &mut Vec<u8>) -> Result<bool, HyperLogLogError> {
    if encoding(bytes)? == Encoding::Dense {
        return Ok(false);
    }
    let mut union = Union::default();
    union.add(bytes)?;
    let mut fresh = bytes.get(..HEADER_BYTES).unwrap_or_default().to_vec();
    if let Some(encoding) = fresh.get_mut(MAGIC.len()) {
        *encoding = 0;
    }
    fresh.resize(DENSE_BYTES, 0);
    for (register, run) in union.runs() {
        let registers = fresh.get_mut(HEADER_BYTES..).unwrap_or_default();
        dense::raise(registers, Sighting { register, run });
    }
    *bytes = fresh;
    Ok(true)
}

/// The cardinality that the header remembers, if it is not out of date.
pub fn remembered(bytes: &[u8]) -> Option<u64> {
    let field = bytes.get(HEADER_BYTES - 8..)?.first_chunk::<8>()?;
    (bytes.get(STALE_AT)? & STALE == 0).then(|| u64::from_le_bytes(*field))
}

/// Remembers the cardinality in the header.
pub fn remember(bytes: &mut [u8], cardinality: u64) {
    if let Some(field) = bytes.get_mut(HEADER_BYTES - 8..HEADER_BYTES) {
        field.copy_from_slice(&cardinality.to_le_bytes());
    }
}

/// Says that what the header remembers is out of date.
pub fn set_stale(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(STALE_AT) {
        *byte |= STALE;
    }
}

/// The cardinality, estimated from the registers.
///
/// # Errors
/// If the bytes are not a sound `HyperLogLog`.
pub fn estimate(bytes: &[u8]) -> Result<u64, HyperLogLogError> {
    let mut histogram = estimate::Histogram::default();
    match encoding(bytes)? {
        Encoding::Dense => {
            dense::runs(registers(bytes)).for_each(|run| histogram.count(run, 1));
        }
        Encoding::Sparse => {
            for run in sparse::runs(registers(bytes)) {
                let (run, len) = run?;
                histogram.count(run, len);
            }
        }
    }
    Ok(histogram.cardinality())
}

/// The operations of a sparse one, as PFDEBUG DECODE shows them; `None` if it is dense.
///
/// # Errors
/// If the bytes are not a `HyperLogLog`.
pub fn decoded(bytes: &[u8]) -> Result<Option<String>, HyperLogLogError> {
    let sparse = encoding(bytes)? == Encoding::Sparse;
    Ok(sparse.then(|| sparse::decoded(registers(bytes))))
}

/// The registers of several, each at its greatest.
#[derive(Clone, Debug)]
pub struct Union {
    runs: Box<[u8]>,
}

impl Default for Union {
    fn default() -> Union {
        Union { runs: vec![0; REGISTERS].into() }
    }
}

impl Union {
    /// Adds all that another has seen.
    ///
    /// # Errors
    /// If the bytes are not a sound `HyperLogLog`.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), HyperLogLogError> {
        match encoding(bytes)? {
            Encoding::Dense => {
                for (mine, run) in self.runs.iter_mut().zip(dense::runs(registers(bytes))) {
                    *mine = run.max(*mine);
                }
            }
            Encoding::Sparse => {
                let mut mine = self.runs.iter_mut();
                for run in sparse::runs(registers(bytes)) {
                    let (run, len) = run?;
                    mine.by_ref().take(len).for_each(|mine| *mine = run.max(*mine));
                }
            }
        }
        Ok(())
    }

    /// The registers, from the first on.
    pub fn registers(&self) -> &[u8] {
        &self.runs
    }

    fn runs(&self) -> impl Iterator<Item = (usize, u8)> {
        self.runs.iter().copied().enumerate().filter(|(_, run)| *run > 0)
    }

    /// What must be added to another for it to have seen as much.
    pub fn sightings(&self) -> impl Iterator<Item = Sighting> {
        self.runs().map(|(register, run)| Sighting { register, run })
    }

    /// The cardinality, estimated.
    pub fn estimate(&self) -> u64 {
        let mut histogram = estimate::Histogram::default();
        self.runs.iter().for_each(|run| histogram.count(*run, 1));
        histogram.cardinality()
    }
}

#[cfg(test)]
mod tests;
