//! Places on the earth, kept as the scores of a sorted set.
//!
//! A score is a geohash of 52 bits: the longitude's and the latitude's place between their limits, 26
//! bits each, interleaved, the longitude in the odd bits. So places that are near to each other mostly
//! have scores near to each other, and a search looks at a few ranges of scores ([`Search::ranges`])
//! and measures what it finds there. Everything is computed as stock computes it, to the last bit:
//! results, their order and stored distances are the same.
//!
//! Source: Redis documentation, "Geospatial"; G. Niemeyer's geohash; haversine formula; behaviour
//! observed with stock 7.0.15.

mod position;
mod search;

pub use position::{LATITUDE_MAX, LONGITUDE_MAX, Position};
pub use search::{Search, Shape};

#[cfg(test)]
mod tests;
