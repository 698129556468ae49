//! What all searches share: their options, finding, ordering, answering and storing.

use super::store;
use super::words::{answer_distance, answer_position, circle, position, rectangle};
use engine::effects::Event;
use engine::{Args, CommandError, CommandResult, Context};
use spec::Arg;
use values::geo::{Position, Search, Shape};
use values::{SortedSet, SortedSetRef};

/// ASC and DESC, in the documentation.
pub(super) const ORDER: Arg =
    Arg::one_of("order", &[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")]).optional();
/// COUNT, in the documentation.
pub(super) const COUNT: Arg = Arg::block(
    "count",
    &[Arg::integer("count").token("COUNT"), Arg::word("any", "ANY").optional()],
)
.optional();
/// What is answered beside members, in the documentation.
pub(super) const WITHCOORD: Arg = Arg::word("withcoord", "WITHCOORD").optional();
pub(super) const WITHDIST: Arg = Arg::word("withdist", "WITHDIST").optional();
pub(super) const WITHHASH: Arg = Arg::word("withhash", "WITHHASH").optional();

/// Which command searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// GEORADIUS or GEORADIUSBYMEMBER; their read-only variants do not store.
    Radius { by_member: bool, stores: bool },
    /// GEOSEARCH or GEOSEARCHSTORE.
    Search { stores: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// The result goes here.
#[derive(Clone, Copy, Debug)]
struct Store<'a> {
    key: &'a [u8],
    /// Scores are distances rather than geohashes.
    distances: bool,
}

/// The centre: nothing if it is a member and there is no key.
type Center = Option<Position>;

/// A request, read.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct Query<'a> {
    center: Option<Center>,
    shape: Option<(Shape, f64)>,
    /// Longitude and latitude are the centre rather than a member.
    at_place: bool,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    any: bool,
    count: Option<usize>,
    order: Option<Order>,
    store: Option<Store<'a>>,
    stored: [bool; 2],
}

/// A member that was found.
#[derive(Debug)]
struct Found {
    member: Vec<u8>,
    score: f64,
    place: Position,
    /// In the unit of the search.
    distance: f64,
}

/// Runs a search.
pub(super) fn run(cx: &mut Context<'_>, args: &mut Args<'_>, form: Form) -> CommandResult {
    let destination =
        if form == (Form::Search { stores: true }) { Some(args.key()?) } else { None };
    let source = args.key()?;
    let set = cx.keys.read::<SortedSet>(source)?;
    let store = destination.map(|key| Store { key, distances: false });
    let mut query = Query { store, ..Query::default() };
    query.parse(args, form, set)?;
    query.check(args, form)?;
    let found = set.map(|set| query.find(set)).unwrap_or_default();
    match query.store {
        Some(store) => keep(cx, form, store, &found),
        None => query.answer(cx, &found),
    }
    Ok(())
}

fn place_of(set: SortedSetRef<'_>, member: &[u8]) -> Result<Position, CommandError> {
    set.score(member)
        .map(Position::of_score)
        .ok_or_else(|| CommandError::text("ERR could not decode requested zset member"))
}

impl<'a> Query<'a> {
    fn parse(
        &mut self,
        args: &mut Args<'a>,
        form: Form,
        set: Option<SortedSetRef<'_>>,
    ) -> CommandResult {
        match form {
            Form::Radius { by_member: false, .. } => {
                self.center = Some(Some(position(args)?));
                self.shape = Some(circle(args)?);
            }
            Form::Radius { by_member: true, .. } => {
                let member = args.bytes()?;
                self.center = Some(set.map(|set| place_of(set, member)).transpose()?);
                if set.is_some() {
                    self.shape = Some(circle(args)?);
                } else {
                    let (_radius, _unit) = (args.bytes()?, args.bytes()?);
                }
            }
            Form::Search { .. } => {}
        }
        while args.left() > 0 {
            let taken = self.take_result_option(args)?
                || match form {
                    Form::Radius { stores, .. } => stores && self.take_store(args)?,
                    Form::Search { stores } => self.take_area(args, set, stores)?,
                };
            if !taken {
                return Err(CommandError::Syntax);
            }
        }
        Ok(())
    }

    /// Takes an option that every search has.
    fn take_result_option(&mut self, args: &mut Args<'a>) -> Result<bool, CommandError> {
        if args.take_token("WITHDIST") {
            self.with_distance = true;
        } else if args.take_token("WITHHASH") {
            self.with_hash = true;
        } else if args.take_token("WITHCOORD") {
            self.with_position = true;
        } else if args.take_token("ANY") {
            self.any = true;
        } else if args.take_token("ASC") {
            self.order = Some(Order::Nearest);
        } else if args.take_token("DESC") {
            self.order = Some(Order::Farthest);
        } else if args.take_token("COUNT") {
            let count = args.integer()?;
            let count = usize::try_from(count).ok().filter(|count| *count > 0);
            self.count = Some(count.ok_or_else(|| CommandError::text("ERR COUNT must be > 0"))?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes where to store, of the older commands. Of both the last counts; the same twice is refused,
    /// since only the first key of each is declared.
    fn take_store(&mut self, args: &mut Args<'a>) -> Result<bool, CommandError> {
        let distances = if args.take_token("STORE") {
            false
        } else if args.take_token("STOREDIST") {
            true
        } else {
            return Ok(false);
        };
        self.store = Some(Store { key: args.key()?, distances });
        if std::mem::replace(&mut self.stored[usize::from(distances)], true) {
            return Err(CommandError::Syntax);
        }
        Ok(true)
    }

    /// Takes what the newer commands say of centre, shape and storing.
    fn take_area(
        &mut self,
        args: &mut Args<'a>,
        set: Option<SortedSetRef<'_>>,
        stores: bool,
    ) -> Result<bool, CommandError> {
        let by_member = self.center.is_some() && !self.at_place;
        let is_box = matches!(self.shape, Some((Shape::Box { .. }, _)));
        if args.left() > 1 && !self.at_place && args.take_token("FROMMEMBER") {
            let member = args.bytes()?;
            self.center = Some(set.map(|set| place_of(set, member)).transpose()?);
        } else if args.left() > 2 && !by_member && args.take_token("FROMLONLAT") {
            self.center = Some(Some(position(args)?));
            self.at_place = true;
        } else if args.left() > 2 && !is_box && args.take_token("BYRADIUS") {
            self.shape = Some(circle(args)?);
        } else if args.left() > 3 && (is_box || self.shape.is_none()) && args.take_token("BYBOX") {
            self.shape = Some(rectangle(args)?);
        } else if stores && args.take_token("STOREDIST") {
            self.store = self.store.map(|store| Store { distances: true, ..store });
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Refuses what does not go together.
    fn check(&self, args: &Args<'_>, form: Form) -> CommandResult {
        let refused = |text: String| Err(CommandError::text(text));
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let who = match form {
                Form::Radius { .. } => "STORE option in GEORADIUS",
                Form::Search { .. } => "GEOSEARCHSTORE",
            };
            return refused(format!(
                "ERR {who} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ));
        }
        let name = String::from_utf8_lossy(args.request().word(0));
        let is_search = matches!(form, Form::Search { .. });
        if is_search && self.center.is_none() {
            return refused(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            ));
        }
        if is_search && self.shape.is_none() {
            return refused(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            ));
        }
        if self.any && self.count.is_none() {
            return refused("ERR the ANY argument requires COUNT argument".to_owned());
        }
        Ok(())
    }

    /// What lies within, in the order in which it is answered.
    fn find(&self, set: SortedSetRef<'_>) -> Vec<Found> {
        let (Some(Some(center)), Some((shape, unit))) = (self.center, self.shape) else {
            return Vec::new();
        };
        let search = Search { center, shape, unit };
        let limit = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for range in search.ranges() {
            store::each_in(set, range, |member, score| {
                let place = Position::of_score(score);
                if let Some(metres) = search.reach(place) {
                    let distance = metres / unit;
                    found.push(Found { member: member.to_vec(), score, place, distance });
                }
                found.len() < limit
            });
            if found.len() >= limit {
                break;
            }
        }
        // The first few of no order mean nothing, so they are the nearest unless any will do.
        let nearest = (self.count.is_some() && !self.any).then_some(Order::Nearest);
        match self.order.or(nearest) {
            Some(Order::Nearest) => found.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
            Some(Order::Farthest) => found.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
            None => {}
        }
        found.truncate(self.count.unwrap_or(usize::MAX));
        found
    }

    fn answer(&self, cx: &mut Context<'_>, found: &[Found]) {
        let beside = [self.with_distance, self.with_hash, self.with_position];
        let beside = beside.into_iter().filter(|wanted| *wanted).count();
        cx.reply.array(found.len());
        for one in found {
            if beside > 0 {
                cx.reply.array(beside + 1);
            }
            cx.reply.bulk(&one.member);
            if self.with_distance {
                answer_distance(cx, one.distance);
            }
            if self.with_hash {
                cx.reply.integer(hash_of(one.score));
            }
            if self.with_position {
                answer_position(cx, one.place);
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "scores of places fit; casts saturate")]
fn hash_of(score: f64) -> i64 {
    score as i64
}

/// Stores what was found, or deletes the destination if that is nothing.
fn keep(cx: &mut Context<'_>, form: Form, store: Store<'_>, found: &[Found]) {
    let db = cx.keys.db;
    if found.is_empty() {
        cx.delete(store.key);
    } else {
        let score = |one: &Found| if store.distances { one.distance } else { one.score };
        store::put(cx, store.key, found.iter().map(|one| (&one.member[..], score(one))));
        let event = match form {
            Form::Radius { .. } => Event::GeoRadiusStore,
            Form::Search { .. } => Event::GeoSearchStore,
        };
        cx.effects.changed(db, store.key, event);
        // Every member counts as a change.
        found.iter().skip(1).for_each(|_| cx.effects.changed_silently());
    }
    cx.reply.integer(crate::count::count(found.len()));
}

#[cfg(test)]
mod tests;
