//! A place, its geohash and its distance to another.

use std::f64::consts::PI;

/// Longitudes reach from minus this to this, in degrees.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Latitudes reach from minus this to this, in degrees: the limit of Mercator's square map.
pub const LATITUDE_MAX: f64 = 85.051_128_78;
/// The latitudes of a geohash that other systems read.
const STANDARD_LATITUDE_MAX: f64 = 90.0;

/// Metres.
pub(super) const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Bits of each coordinate in a score.
pub(super) const STEPS_MAX: u32 = 26;

/// The characters of a geohash in text.
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// The characters that a geohash in text has, the last of which is always the first of the alphabet.
const TEXT_LEN: u32 = 11;
/// The bits of a character.
const CHARACTER_BITS: u32 = 5;
/// The first number that does not fit an unsigned integer of 64 bits.
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// The metres between two latitudes.
pub(super) fn latitude_distance(one: f64, other: f64) -> f64 {
    EARTH_RADIUS * (radians(other) - radians(one)).abs()
}

/// A cell of the grid whose squares are numbered by `steps` bits of each coordinate. At the limits a
/// coordinate may have one bit more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) longitude: u32,
    pub(super) latitude: u32,
    pub(super) steps: u32,
}

/// The borders of a cell, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Borders {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Cell {
    /// The geohash: the bits of both coordinates by turns.
    pub(super) fn hash(self) -> u64 {
        spread(self.latitude) | spread(self.longitude) << 1
    }

    pub(super) fn of_hash(hash: u64, steps: u32) -> Cell {
        Cell { longitude: gathered(hash >> 1), latitude: gathered(hash), steps }
    }

    pub(super) fn borders(self) -> Borders {
        let squares = f64::from(self.steps).exp2();
        let place = |at: u32, max: f64| -max + f64::from(at) / squares * (max + max);
        Borders {
            west: place(self.longitude, LONGITUDE_MAX),
            east: place(self.longitude.wrapping_add(1), LONGITUDE_MAX),
            south: place(self.latitude, LATITUDE_MAX),
            north: place(self.latitude.wrapping_add(1), LATITUDE_MAX),
        }
    }
}

/// Moves bit n to bit 2n.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Moves bit 2n to bit n.
fn gathered(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    u32::try_from(bits).unwrap_or(u32::MAX)
}

/// The number of the square in which `at` lies, of `2^steps` between minus `max` and `max`.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative and at most 2^26; casts of floats saturate"
)]
fn square(at: f64, max: f64, steps: u32) -> u32 {
    ((at + max) / (max + max) * f64::from(steps).exp2()) as u32
}

impl Position {
    /// A place, unless it lies outside of the limits.
    pub fn new(longitude: f64, latitude: f64) -> Option<Position> {
        let longitudes = -LONGITUDE_MAX..=LONGITUDE_MAX;
        let latitudes = -LATITUDE_MAX..=LATITUDE_MAX;
        (longitudes.contains(&longitude) && latitudes.contains(&latitude))
            .then_some(Position { longitude, latitude })
    }

    pub(super) fn cell(self, steps: u32) -> Cell {
        Cell {
            longitude: square(self.longitude, LONGITUDE_MAX, steps),
            latitude: square(self.latitude, LATITUDE_MAX, steps),
            steps,
        }
    }

    /// The score that keeps it.
    #[allow(
        clippy::cast_precision_loss,
        reason = "at most 54 bits, of which only high ones are set"
    )]
    pub fn score(self) -> f64 {
        self.hash() as f64
    }

    /// The score that keeps it, as an integer.
    pub fn hash(self) -> u64 {
        self.cell(STEPS_MAX).hash()
    }

    /// The middle of the square that a score stands for. Other scores than ours give some place too.
    pub fn of_score(score: f64) -> Position {
        let borders = Cell::of_hash(bits_of(score), STEPS_MAX).borders();
        let middle = |low: f64, high: f64, max: f64| f64::midpoint(low, high).clamp(-max, max);
        Position {
            longitude: middle(borders.west, borders.east, LONGITUDE_MAX),
            latitude: middle(borders.south, borders.north, LATITUDE_MAX),
        }
    }

    /// The metres to another place, on a sphere.
    pub fn distance(self, other: Position) -> f64 {
        let v = ((radians(other.longitude) - radians(self.longitude)) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (latitude, other) = (radians(self.latitude), radians(other.latitude));
        let u = ((other - latitude) / 2.0).sin();
        let a = u * u + latitude.cos() * other.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }

    /// The geohash in text, with the latitude limits that other systems use.
    pub fn text(self) -> String {
        let cell = Cell {
            longitude: square(self.longitude, LONGITUDE_MAX, STEPS_MAX),
            latitude: square(self.latitude, STANDARD_LATITUDE_MAX, STEPS_MAX),
            steps: STEPS_MAX,
        };
        let hash = cell.hash();
        let character = |at: u32| {
            let shift = (2 * STEPS_MAX).checked_sub((at + 1) * CHARACTER_BITS);
            let index = shift.map_or(0, |shift| hash >> shift & 0x1f);
            usize::try_from(index).ok().and_then(|index| ALPHABET.get(index)).copied()
        };
        (0..TEXT_LEN).filter_map(character).map(char::from).collect()
    }
}

/// The bits of a score, whatever it is: as conversions wrap where stock runs.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what does not fit is meant to wrap"
)]
fn bits_of(score: f64) -> u64 {
    if score >= TWO_TO_64 {
        0
    } else if score >= 0.0 {
        score as u64
    } else {
        (score as i64).cast_unsigned()
    }
}
