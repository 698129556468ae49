//! The argument tree of a command, from which its arity and `COMMAND DOCS` are computed.

/// What an argument holds.
#[derive(Clone, Copy, Debug)]
pub enum ArgKind {
    /// A key.
    Key,
    /// Bytes.
    Bytes,
    /// A 64-bit integer.
    Integer,
    /// A floating point number.
    Double,
    /// A glob pattern.
    Pattern,
    /// A Unix time.
    UnixTime,
    /// A word that stands for itself.
    Word,
    /// One of several.
    OneOf(&'static [Arg]),
    /// Several in a row.
    Block(&'static [Arg]),
}

/// One argument, built with the `const` functions below.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name in the documentation.
    pub name: &'static str,
    /// What it holds.
    pub kind: ArgKind,
    /// The word in front of it, or the word itself.
    pub token: Option<&'static str>,
    /// May be absent.
    pub optional: bool,
    /// May repeat.
    pub multiple: bool,
    /// The word in front of it repeats with it.
    pub multiple_token: bool,
}

impl Arg {
    const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg { name, kind, token: None, optional: false, multiple: false, multiple_token: false }
    }
    /// A key.
    pub const fn key(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Key)
    }
    /// Bytes.
    pub const fn bytes(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Bytes)
    }
    /// An integer.
    pub const fn integer(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Integer)
    }
    /// A floating point number.
    pub const fn double(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Double)
    }
    /// A glob pattern.
    pub const fn pattern(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::Pattern)
    }
    /// A Unix time, in seconds or milliseconds.
    pub const fn unix_time(name: &'static str) -> Arg {
        Arg::new(name, ArgKind::UnixTime)
    }
    /// A word that stands for itself, such as `NX`.
    pub const fn word(name: &'static str, token: &'static str) -> Arg {
        Arg { token: Some(token), ..Arg::new(name, ArgKind::Word) }
    }
    /// One of several arguments.
    pub const fn one_of(name: &'static str, args: &'static [Arg]) -> Arg {
        Arg::new(name, ArgKind::OneOf(args))
    }
    /// Several arguments in a row.
    pub const fn block(name: &'static str, args: &'static [Arg]) -> Arg {
        Arg::new(name, ArgKind::Block(args))
    }
    /// With the word `token` in front.
    pub const fn token(self, token: &'static str) -> Arg {
        Arg { token: Some(token), ..self }
    }
    /// May be absent.
    pub const fn optional(self) -> Arg {
        Arg { optional: true, ..self }
    }
    /// One or more times.
    pub const fn multiple(self) -> Arg {
        Arg { multiple: true, ..self }
    }

    /// One or more times, each with the word in front of it.
    pub const fn multiple_token(self) -> Arg {
        Arg { multiple: true, multiple_token: true, ..self }
    }

    /// The type name in `COMMAND DOCS`.
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            ArgKind::Key => "key",
            ArgKind::Bytes => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::Word => "pure-token",
            ArgKind::OneOf(_) => "oneof",
            ArgKind::Block(_) => "block",
        }
    }
}

/// The least number of words that `args` take, and whether more are possible.
pub(crate) const fn width(args: &[Arg]) -> (i64, bool) {
    let (mut words, mut open, mut at) = (0, false, 0);
    while at < args.len() {
        let arg = &args[at];
        at += 1;
        if arg.optional {
            open = true;
            continue;
        }
        if arg.multiple {
            open = true;
        }
        let (inner, inner_open) = match arg.kind {
            ArgKind::Block(parts) => width(parts),
            ArgKind::OneOf(choices) => narrowest(choices),
            ArgKind::Word => (0, false),
            _ => (1, false),
        };
        words += inner + if arg.token.is_some() { 1 } else { 0 };
        open = open || inner_open;
    }
    (words, open)
}

const fn narrowest(choices: &[Arg]) -> (i64, bool) {
    let (mut least, mut most, mut open, mut at) = (i64::MAX, 0, false, 0);
    while at < choices.len() {
        let (words, inner_open) = width(&[choices[at]]);
        least = if words < least { words } else { least };
        most = if words > most { words } else { most };
        open = open || inner_open;
        at += 1;
    }
    (least, open || least != most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        const PAIR: &[Arg] = &[Arg::key("key"), Arg::bytes("value")];
        const SET: &[Arg] = &[
            Arg::key("key"),
            Arg::bytes("value"),
            Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
        ];
        assert_eq!(width(SET), (2, true));
        assert_eq!(width(&[Arg::key("key"), Arg::integer("by")]), (2, false));
        assert_eq!(width(&[Arg::key("key").multiple()]), (1, true));
        assert_eq!(width(&[Arg::block("data", PAIR).multiple()]), (2, true));
        assert_eq!(width(&[Arg::word("on", "ON")]), (1, false));
    }
}
