//! Places, distances and units as commands state them, and distances and coordinates as they answer.

use engine::{Args, CommandError, Context};
use spec::Arg;
use values::geo::{Position, Shape};
use values::string::{human_double, parse_double};

/// Units with the metres in each, in the documentation's order.
const UNITS: [(&str, f64); 4] = [("M", 1.0), ("KM", 1000.0), ("FT", 0.3048), ("MI", 1609.34)];

/// The units, in the documentation.
pub(super) const UNIT: Arg = Arg::one_of(
    "unit",
    &[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")],
);

/// A unit: how many metres it has.
///
/// # Errors
/// If there is no such unit.
pub(super) fn unit(word: &[u8]) -> Result<f64, CommandError> {
    UNITS
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, metres)| metres)
        .ok_or_else(|| {
            CommandError::text("ERR unsupported unit provided. please use M, KM, FT, MI")
        })
}

/// A longitude and a latitude.
///
/// # Errors
/// `NotFloat` if one is no number; if they are no place.
pub(super) fn position(args: &mut Args<'_>) -> Result<Position, CommandError> {
    let (longitude, latitude) = (args.bytes()?, args.bytes()?);
    let longitude = parse_double(longitude).ok_or(CommandError::NotFloat)?;
    let latitude = parse_double(latitude).ok_or(CommandError::NotFloat)?;
    Position::new(longitude, latitude).ok_or_else(|| {
        CommandError::text(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    })
}

fn numeric(word: &[u8], name: &str) -> Result<f64, CommandError> {
    parse_double(word).ok_or_else(|| CommandError::text(format!("ERR need numeric {name}")))
}

/// A radius and its unit.
///
/// # Errors
/// If they are none.
pub(super) fn circle(args: &mut Args<'_>) -> Result<(Shape, f64), CommandError> {
    let radius = numeric(args.bytes()?, "radius")?;
    if radius < 0.0 {
        return Err(CommandError::text("ERR radius cannot be negative"));
    }
    Ok((Shape::Circle { radius }, unit(args.bytes()?)?))
}

/// A width, a height and their unit.
///
/// # Errors
/// If they are none.
pub(super) fn rectangle(args: &mut Args<'_>) -> Result<(Shape, f64), CommandError> {
    let width = numeric(args.bytes()?, "width")?;
    let height = numeric(args.bytes()?, "height")?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::text("ERR height or width cannot be negative"));
    }
    Ok((Shape::Box { width, height }, unit(args.bytes()?)?))
}

/// Answers a distance.
pub(super) fn answer_distance(cx: &mut Context<'_>, distance: f64) {
    cx.reply.bulk(format!("{distance:.4}"));
}

/// Answers a longitude and a latitude.
pub(super) fn answer_position(cx: &mut Context<'_>, place: Position) {
    cx.reply.array(2);
    for degrees in [place.longitude, place.latitude] {
        let text = human_double(degrees);
        if cx.reply.is_resp3() {
            cx.reply.raw(format!(",{text}\r\n").as_bytes());
        } else {
            cx.reply.bulk(text);
        }
    }
}
