//! Geohashes, distances and searches, against stock's numbers and against a plain model.

use super::*;
use proptest::prelude::*;

fn place(longitude: f64, latitude: f64) -> Position {
    Position::new(longitude, latitude).expect("a place within the limits")
}

/// Scores, coordinates and texts that stock 7.0.15 answered to GEOADD, GEOPOS and GEOHASH.
#[test]
fn geohashes_are_stocks() {
    for (longitude, latitude, score, text) in [
        (0.0, 0.0, 3_377_699_720_527_872.0, "s0000000000"),
        (180.0, 0.0, 10_133_099_161_583_616.0, "80000000000"),
        (180.0, 85.051_128_78, 13_510_798_882_111_488.0, "bp05b5048p0"),
        (-180.0, -85.051_128_78, 0.0, "00bh0hbj200"),
        (-73.945_496_6, 40.747_533, 1_791_875_804_419_201.0, "dr5rv3fe940"),
        (-5.6, 42.6, 2_157_242_200_379_188.0, "ezs42e44yx0"),
    ] {
        let here = place(longitude, latitude);
        assert_eq!(here.score().to_bits(), f64::to_bits(score), "{text}");
        assert_eq!(Position::of_score(score).text(), text);
    }
    let origin = Position::of_score(3_377_699_720_527_872.0);
    assert_eq!(origin.longitude.to_string(), "0.000002682209014892578");
}

#[test]
fn only_places_within_the_limits() {
    for (longitude, latitude) in
        [(180.1, 0.0), (-180.1, 0.0), (0.0, 85.06), (0.0, -85.06), (f64::NAN, 0.0), (0.0, f64::NAN)]
    {
        assert_eq!(Position::new(longitude, latitude), None);
    }
}

#[test]
fn any_score_is_some_place() {
    for score in [-5.0, 1e300, -1e300, f64::INFINITY, f64::NEG_INFINITY, 4_503_599_627_370_498.0] {
        let Position { longitude, latitude } = Position::of_score(score);
        assert!(Position::new(longitude, latitude).is_some(), "{score}");
    }
}

/// From stock's GEODIST, in kilometres.
#[test]
fn distances_are_stocks() {
    let kept = |longitude, latitude| Position::of_score(place(longitude, latitude).score());
    let (palermo, catania) = (kept(13.361_389, 38.115_556), kept(15.087_269, 37.502_669));
    assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
    assert_eq!(format!("{:.4}", palermo.distance(palermo)), "0.0000");
}

fn coordinates() -> impl Strategy<Value = (f64, f64)> {
    (-180.0..180.0f64, -84.0..84.0f64)
}

fn shapes() -> impl Strategy<Value = Shape> {
    let sizes = prop_oneof![0.0..1.0f64, 1.0..1_000.0f64, 1_000.0..6_000.0f64];
    (sizes.clone(), sizes, any::<bool>()).prop_map(|(width, height, is_circle)| {
        if is_circle { Shape::Circle { radius: width } } else { Shape::Box { width, height } }
    })
}

proptest! {
    #[test]
    fn a_score_keeps_the_place((longitude, latitude) in coordinates()) {
        let kept = Position::of_score(place(longitude, latitude).score());
        prop_assert!((kept.longitude - longitude).abs() <= 360.0 / f64::from(1 << 26));
        prop_assert!((kept.latitude - latitude).abs() <= 180.0 / f64::from(1 << 26));
        prop_assert_eq!(kept.hash(), place(longitude, latitude).hash());
    }

    #[test]
    fn distances_have_no_direction(one in coordinates(), other in coordinates()) {
        let (one, other) = (place(one.0, one.1), place(other.0, other.1));
        let (there, back) = (one.distance(other), other.distance(one));
        prop_assert!((there - back).abs() < 1e-6 && (0.0..2.1e7).contains(&there));
    }

    /// Whatever lies within and on the same side of the poles and of the date line has its score in one
    /// of the ranges.
    #[test]
    fn ranges_hold_what_lies_within(
        center in (-60.0..60.0f64, -60.0..60.0f64),
        shape in shapes(),
        (east, north) in (-1.0..1.0f64, -1.0..1.0f64),
        in_small in any::<bool>(),
    ) {
        let unit = if in_small { 1.0 } else { 100.0 };
        let search = Search { center: place(center.0, center.1), shape, unit };
        let size = match shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => width.max(height),
        };
        // A degree of latitude is 111 km.
        let degrees = (size * unit / 111_000.0).min(20.0);
        let near = place(center.0 + east * degrees, center.1 + north * degrees);
        let kept = Position::of_score(near.score());
        if search.reach(kept).is_some() {
            let hash = near.hash();
            prop_assert!(search.ranges().iter().any(|range| range.contains(&hash)));
        }
    }
}
