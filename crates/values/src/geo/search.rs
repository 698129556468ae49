//! Searches: which ranges of scores to look at, and what of them lies within.
//!
//! The grid's squares are chosen so large that the one around the centre and its eight neighbours
//! cover what is searched; those that the box around it does not reach are left out.

use super::position::{
    Borders, Cell, EARTH_RADIUS, Position, STEPS_MAX, degrees, latitude_distance, radians,
};
use std::ops::Range;

/// Half the length of the equator on Mercator's map, in metres.
const MERCATOR_MAX: f64 = 20_037_726.37;

/// What is searched, in units of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All within a distance of the centre.
    Circle {
        /// The distance.
        radius: f64,
    },
    /// All within a box around the centre, along meridians and parallels.
    Box {
        /// East to west.
        width: f64,
        /// North to south.
        height: f64,
    },
}

/// A search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Around here.
    pub center: Position,
    /// Within this.
    pub shape: Shape,
    /// Metres in a unit of the shape.
    pub unit: f64,
}

impl Search {
    /// The distance to `place` in metres, if it lies within.
    pub fn reach(&self, place: Position) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance = self.center.distance(place);
                // So written, a distance that is no number counts as within.
                let is_beyond = distance > radius * self.unit;
                (!is_beyond).then_some(distance)
            }
            Shape::Box { width, height } => {
                let parallel = Position { latitude: place.latitude, ..self.center };
                let is_beyond = latitude_distance(place.latitude, self.center.latitude)
                    > height * self.unit / 2.0
                    || place.distance(parallel) > width * self.unit / 2.0;
                (!is_beyond).then(|| self.center.distance(place))
            }
        }
    }

    /// The box around what is searched.
    fn bounds(&self) -> Borders {
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius * self.unit, radius * self.unit),
            Shape::Box { width, height } => (self.unit * (width / 2.0), self.unit * (height / 2.0)),
        };
        let Position { longitude, latitude } = self.center;
        let latitudes = degrees(height / EARTH_RADIUS);
        // Meridians are nearest to each other on the side of the pole.
        let nearest = if latitude < 0.0 { latitude - latitudes } else { latitude + latitudes };
        let longitudes = degrees(width / EARTH_RADIUS / radians(nearest).cos());
        Borders {
            west: longitude - longitudes,
            east: longitude + longitudes,
            south: latitude - latitudes,
            north: latitude + latitudes,
        }
    }

    /// The bits of the grid's coordinates, as far as the size of the shape tells.
    fn estimated_steps(&self) -> u32 {
        let mut range = self.unit
            * match self.shape {
                Shape::Circle { radius } => radius,
                Shape::Box { width, height } => {
                    let (width, height) = (width / 2.0, height / 2.0);
                    (width * width + height * height).sqrt()
                }
            };
        if range == 0.0 {
            return STEPS_MAX;
        }
        let mut steps: u32 = 1;
        while range < MERCATOR_MAX {
            range *= 2.0;
            steps += 1;
        }
        // Two less, so that the range is covered in most cases, and less still near the poles.
        let latitude = self.center.latitude.abs();
        let less = 2 + u32::from(latitude > 66.0) + u32::from(latitude > 80.0);
        steps.saturating_sub(less).clamp(1, STEPS_MAX)
    }

    /// The square around the centre, so large that it and its neighbours cover the box.
    fn square(&self, bounds: &Borders) -> Cell {
        let steps = self.estimated_steps();
        let cell = self.center.cell(steps);
        let is_too_small = cell.moved(0, 1).borders().north < bounds.north
            || cell.moved(0, -1).borders().south > bounds.south
            || cell.moved(1, 0).borders().east < bounds.east
            || cell.moved(-1, 0).borders().west > bounds.west;
        if steps > 1 && is_too_small { self.center.cell(steps - 1) } else { cell }
    }

    /// The ranges of scores to be looked at, in the order in which results are answered.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let bounds = self.bounds();
        let cell = self.square(&bounds);
        let borders = cell.borders();
        // With one bit a coordinate all squares are neighbours on both sides.
        let leaves_out = cell.steps >= 2;
        let no_south = leaves_out && borders.south < bounds.south;
        let no_north = leaves_out && borders.north > bounds.north;
        let no_west = leaves_out && borders.west < bounds.west;
        let no_east = leaves_out && borders.east > bounds.east;
        let mut ranges = Vec::with_capacity(ORDER.len());
        let mut last: Option<Cell> = None;
        for (at, (east, north)) in ORDER.into_iter().enumerate() {
            let is_out = (north < 0 && no_south)
                || (north > 0 && no_north)
                || (east < 0 && no_west)
                || (east > 0 && no_east);
            let neighbour = cell.moved(east, north);
            // Where squares are large, the same one may lie on both sides.
            if is_out || last.is_some_and(|last| last.hash() == neighbour.hash()) {
                continue;
            }
            ranges.push(neighbour.scores());
            last = (at > 0).then_some(neighbour);
        }
        ranges
    }
}

/// Squares by how far they lie to the east and to the north, in the order of stock's results.
const ORDER: [(i32, i32); 9] =
    [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

impl Cell {
    /// The cell that lies so many cells to the east and to the north, around the earth.
    fn moved(self, east: i32, north: i32) -> Cell {
        let mask = (1 << self.steps) - 1;
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Cell {
            longitude: moved(self.longitude, east),
            latitude: moved(self.latitude, north),
            steps: self.steps,
        }
    }

    /// The scores of the places in it.
    fn scores(self) -> Range<u64> {
        let shift = 2 * (STEPS_MAX - self.steps);
        self.hash() << shift..(self.hash() + 1) << shift
    }
}
