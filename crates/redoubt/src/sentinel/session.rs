//! Commands that are about the connection: AUTH, HELLO, CLIENT, subscriptions and the like.
//!
//! Everything a sentinel knows about instances is answered by the machine; [`run`] says when. Texts
//! of refusals are stock's, because clients compare them.

use super::client::{SUBSCRIPTIONS_MAX, Session};
use super::facts::REDIS_VERSION;
use resp::{Protocol, Writer};

/// The longest name, in bytes, that a client may give itself.
pub(super) const NAME_BYTES_MAX: usize = 1_024;
/// Arguments of an unknown command that are quoted back, and bytes of each.
const QUOTED_ARGUMENTS_MAX: usize = 8;
const QUOTED_BYTES_MAX: usize = 128;

/// What the driver has to do after [`run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: the answer, if any, is written.
    Done,
    /// Ask the machine.
    Machine,
    /// Answer with every client's line.
    List,
    /// Close the client with this id, or at this address.
    Kill(Target),
    /// End the sentinel.
    Shutdown,
}

/// Whom CLIENT KILL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Id(u64),
    Address(String),
    /// The old form, which answers +OK or an error instead of a count.
    OldAddress(String),
}

/// The commands served, with their arity as COMMAND shows it.
const COMMANDS: &[(&str, i64)] = &[
    ("acl", -2),
    ("auth", -2),
    ("client", -2),
    ("command", -1),
    ("echo", 2),
    ("hello", -1),
    ("info", -1),
    ("ping", -1),
    ("psubscribe", -2),
    ("publish", 3),
    ("punsubscribe", -1),
    ("quit", -1),
    ("reset", 1),
    ("role", 1),
    ("sentinel", -2),
    ("shutdown", -1),
    ("subscribe", -2),
    ("unsubscribe", -1),
];

/// Answers `args`, or says who does. `password` is empty if none is needed.
pub(super) fn run(
    session: &mut Session,
    out: &mut Vec<u8>,
    args: &[Vec<u8>],
    password: &[u8],
) -> Verdict {
    let name = args.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let mut writer = Writer::new(out, session.protocol);
    let Some(&(_, arity)) = COMMANDS.iter().find(|(known, _)| known.as_bytes() == name) else {
        writer.error(unknown(args));
        return Verdict::Done;
    };
    let count = i64::try_from(args.len()).unwrap_or(i64::MAX);
    if count < arity.abs() || (arity > 0 && count != arity) {
        writer.error(arity_text(&name));
        return Verdict::Done;
    }
    if !session.authenticated && !matches!(&name[..], b"auth" | b"hello" | b"quit" | b"reset") {
        writer.error("NOAUTH Authentication required.");
        return Verdict::Done;
    }
    if refused_while_subscribed(session, &name) {
        writer.error(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context",
            String::from_utf8_lossy(&name)
        ));
        return Verdict::Done;
    }
    match &name[..] {
        b"auth" => auth(session, &mut writer, &args[1..], password),
        b"hello" => hello(session, &mut writer, &args[1..], password),
        b"client" => return client(session, &mut writer, &args[1..]),
        b"command" => command(&mut writer, &args[1..]),
        b"acl" => acl(&mut writer, &args[1..]),
        b"echo" => writer.bulk(&args[1]),
        b"subscribe" | b"psubscribe" => subscribe(session, &mut writer, &name, &args[1..]),
        b"unsubscribe" | b"punsubscribe" => unsubscribe(session, &mut writer, &name, &args[1..]),
        b"ping" if session.is_subscribed() && !writer.is_resp3() => {
            writer.array(2);
            writer.bulk("pong");
            writer.bulk(args.get(1).map_or(&b""[..], Vec::as_slice));
        }
        b"quit" => {
            writer.ok();
            session.closing = true;
        }
        b"reset" => reset(session, &mut writer, password),
        b"shutdown" => return shutdown(&mut writer, &args[1..]),
        _ => return Verdict::Machine,
    }
    Verdict::Done
}

fn refused_while_subscribed(session: &Session, name: &[u8]) -> bool {
    let allowed = matches!(
        name,
        b"subscribe"
            | b"unsubscribe"
            | b"psubscribe"
            | b"punsubscribe"
            | b"ping"
            | b"quit"
            | b"reset"
    );
    session.is_subscribed() && session.protocol == Protocol::Resp2 && !allowed
}

fn authenticate(user: &[u8], given: &[u8], password: &[u8]) -> Result<(), &'static str> {
    // Compared in one pass over both, whatever the first difference.
    let same = given.len() == password.len()
        && given.iter().zip(password).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0;
    if user == b"default" && (password.is_empty() || same) {
        Ok(())
    } else {
        Err("WRONGPASS invalid username-password pair or user is disabled.")
    }
}

fn auth(session: &mut Session, writer: &mut Writer<'_>, args: &[Vec<u8>], password: &[u8]) {
    let result = match args {
        [_] if password.is_empty() => Err(
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?",
        ),
        [given] => authenticate(b"default", given, password),
        [user, given] => authenticate(user, given, password),
        _ => Err("ERR syntax error"),
    };
    match result {
        Ok(()) => {
            session.authenticated = true;
            writer.ok();
        }
        Err(text) => writer.error(text),
    }
}

fn hello(session: &mut Session, writer: &mut Writer<'_>, args: &[Vec<u8>], password: &[u8]) {
    let protocol = match args.first().map(Vec::as_slice) {
        None => session.protocol,
        Some(b"2") => Protocol::Resp2,
        Some(b"3") => Protocol::Resp3,
        Some(text) if text.iter().all(u8::is_ascii_digit) => {
            return writer.error("NOPROTO unsupported protocol version");
        }
        Some(_) => {
            return writer.error("ERR Protocol version is not an integer or out of range");
        }
    };
    let mut rest = args.get(1..).unwrap_or_default();
    let (mut authenticated, mut name) = (session.authenticated, None);
    while let Some(option) = rest.first() {
        match (option.to_ascii_lowercase().as_slice(), &rest[1..]) {
            (b"auth", [user, given, tail @ ..]) => {
                if let Err(text) = authenticate(user, given, password) {
                    return writer.error(text);
                }
                authenticated = true;
                rest = tail;
            }
            (b"setname", [given, tail @ ..]) => {
                if !is_name(given) {
                    return writer.error(NAME_TEXT);
                }
                name = Some(given.clone());
                rest = tail;
            }
            _ => {
                let option = printable(option);
                return writer.error(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
    }
    if !authenticated {
        return writer.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             <proto> AUTH <user> <pass> option can be used to authenticate the client and select \
             the RESP protocol version at the same time",
        );
    }
    session.authenticated = true;
    session.protocol = protocol;
    session.name = name.unwrap_or_else(|| std::mem::take(&mut session.name));
    writer.set_protocol(protocol);
    writer.map(6);
    for (key, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        writer.bulk(key);
        writer.bulk(value);
    }
    writer.bulk("proto");
    writer.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    writer.bulk("id");
    writer.integer(i64::try_from(session.id).unwrap_or(i64::MAX));
    writer.bulk("mode");
    writer.bulk("sentinel");
    writer.bulk("modules");
    writer.array(0);
}

const NAME_TEXT: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

fn is_name(name: &[u8]) -> bool {
    name.len() <= NAME_BYTES_MAX && name.iter().all(u8::is_ascii_graphic)
}

fn client(session: &mut Session, writer: &mut Writer<'_>, args: &[Vec<u8>]) -> Verdict {
    let word = args[0].to_ascii_lowercase();
    match (word.as_slice(), &args[1..]) {
        (b"id", []) => writer.integer(i64::try_from(session.id).unwrap_or(i64::MAX)),
        (b"getname", []) if session.name.is_empty() => writer.null(),
        (b"getname", []) => writer.bulk(&session.name),
        (b"setname", [name]) if is_name(name) => {
            session.name.clone_from(name);
            writer.ok();
        }
        (b"setname", [_]) => writer.error(NAME_TEXT),
        (b"setinfo", [attribute, value]) => {
            match attribute.to_ascii_lowercase().as_slice() {
                b"lib-name" if is_name(value) => session.library.clone_from(value),
                b"lib-ver" if is_name(value) => session.library_version.clone_from(value),
                b"lib-name" | b"lib-ver" => {
                    let attribute = printable(attribute);
                    writer.error(format!(
                        "ERR {attribute} cannot contain spaces, newlines or special characters."
                    ));
                    return Verdict::Done;
                }
                _ => {
                    writer.error(format!("ERR Unrecognized option '{}'", printable(attribute)));
                    return Verdict::Done;
                }
            }
            writer.ok();
        }
        (b"info", []) => writer.verbatim(*b"txt", session.line(session.active_ms)),
        (b"no-evict" | b"no-touch", [flag])
            if flag.eq_ignore_ascii_case(b"on") || flag.eq_ignore_ascii_case(b"off") =>
        {
            writer.ok();
        }
        (b"list", _) => return Verdict::List,
        (b"kill", args) => return kill(writer, args),
        _ => writer.error(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try CLIENT HELP.",
            printable(&args[0])
        )),
    }
    Verdict::Done
}

fn kill(writer: &mut Writer<'_>, args: &[Vec<u8>]) -> Verdict {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match args {
        [address] => return Verdict::Kill(Target::OldAddress(text(address))),
        [option, value] if option.eq_ignore_ascii_case(b"id") => match text(value).parse() {
            Ok(id) => return Verdict::Kill(Target::Id(id)),
            Err(_) => writer.error("ERR client-id should be greater than 0"),
        },
        [option, value] if option.eq_ignore_ascii_case(b"addr") => {
            return Verdict::Kill(Target::Address(text(value)));
        }
        _ => writer.error("ERR syntax error"),
    }
    Verdict::Done
}

fn command(writer: &mut Writer<'_>, args: &[Vec<u8>]) {
    let row = |writer: &mut Writer<'_>, (name, arity): &(&str, i64)| {
        writer.array(6);
        writer.bulk(name);
        writer.integer(*arity);
        writer.array(0);
        for _ in 0..3 {
            writer.integer(0);
        }
    };
    let word = args.first().map(|word| word.to_ascii_lowercase());
    match word.as_deref() {
        Some(b"count") => writer.integer(i64::try_from(COMMANDS.len()).unwrap_or(0)),
        Some(b"docs") => writer.map(0),
        Some(b"list") => {
            writer.array(COMMANDS.len());
            for (name, _) in COMMANDS {
                writer.bulk(name);
            }
        }
        None => {
            writer.array(COMMANDS.len());
            for known in COMMANDS {
                row(writer, known);
            }
        }
        Some(b"info") => {
            let names = args.get(1..).unwrap_or_default();
            writer.array(names.len());
            for name in names {
                let name = name.to_ascii_lowercase();
                match COMMANDS.iter().find(|(known, _)| known.as_bytes() == name) {
                    Some(known) => row(writer, known),
                    None => writer.null_array(),
                }
            }
        }
        Some(word) => {
            let word = printable(word);
            writer.error(format!("ERR unknown subcommand '{word}'. Try COMMAND HELP."));
        }
    }
}

fn acl(writer: &mut Writer<'_>, args: &[Vec<u8>]) {
    if args[0].eq_ignore_ascii_case(b"whoami") {
        writer.bulk("default");
    } else {
        let word = printable(&args[0]);
        writer.error(format!("ERR unknown subcommand '{word}'. Try ACL HELP."));
    }
}

fn subscribe(session: &mut Session, writer: &mut Writer<'_>, name: &[u8], args: &[Vec<u8>]) {
    if session.subscriptions() + args.len() > SUBSCRIPTIONS_MAX {
        return writer.error("ERR too many subscriptions");
    }
    for channel in args {
        let set = if name == b"subscribe" { &mut session.channels } else { &mut session.patterns };
        set.insert(channel.clone());
        confirm(writer, name, Some(channel), session.subscriptions());
    }
}

fn unsubscribe(session: &mut Session, writer: &mut Writer<'_>, name: &[u8], args: &[Vec<u8>]) {
    let of_channels = name == b"unsubscribe";
    let all = if of_channels { &session.channels } else { &session.patterns };
    let leaving: Vec<Vec<u8>> =
        if args.is_empty() { all.iter().cloned().collect() } else { args.to_vec() };
    for channel in &leaving {
        let set = if of_channels { &mut session.channels } else { &mut session.patterns };
        set.remove(channel);
        confirm(writer, name, Some(channel), session.subscriptions());
    }
    if leaving.is_empty() {
        confirm(writer, name, None, session.subscriptions());
    }
}

fn confirm(writer: &mut Writer<'_>, name: &[u8], channel: Option<&Vec<u8>>, count: usize) {
    writer.push(3);
    writer.bulk(name);
    match channel {
        Some(channel) => writer.bulk(channel),
        None => writer.null(),
    }
    writer.integer(i64::try_from(count).unwrap_or(i64::MAX));
}

fn reset(session: &mut Session, writer: &mut Writer<'_>, password: &[u8]) {
    session.channels.clear();
    session.patterns.clear();
    session.name.clear();
    session.protocol = Protocol::Resp2;
    session.authenticated = password.is_empty();
    writer.set_protocol(Protocol::Resp2);
    writer.simple("RESET");
}

fn shutdown(writer: &mut Writer<'_>, args: &[Vec<u8>]) -> Verdict {
    let known = |arg: &Vec<u8>| {
        ["save", "nosave", "now", "force"].iter().any(|w| arg.eq_ignore_ascii_case(w.as_bytes()))
    };
    if args.iter().all(known) {
        return Verdict::Shutdown;
    }
    writer.error("ERR syntax error");
    Verdict::Done
}

fn unknown(args: &[Vec<u8>]) -> String {
    let name = args.first().map(|name| printable(name)).unwrap_or_default();
    let mut shown = String::new();
    for arg in args.iter().skip(1).take(QUOTED_ARGUMENTS_MAX) {
        shown.extend(["'", &printable(arg), "' "]);
    }
    format!("ERR unknown command '{name}', with args beginning with: {shown}")
}

fn arity_text(name: &[u8]) -> String {
    format!("ERR wrong number of arguments for '{}' command", printable(name))
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(QUOTED_BYTES_MAX)]).into_owned()
}

#[cfg(test)]
mod tests;
