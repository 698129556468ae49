//! The arguments of a command in one line, `key value [NX|XX] [GET]`, from what COMMAND DOCS says about
//! them.
//!
//! Recursion is bounded by the depth the decoder accepts.
//!
//! Source: the reply of COMMAND DOCS as the Redis documentation describes it.

use resp::Value;

/// The line for a list of arguments.
pub(crate) fn of(arguments: &Value) -> String {
    join(arguments, " ")
}

fn join(arguments: &Value, separator: &str) -> String {
    let parts: Vec<String> =
        arguments.as_array().unwrap_or_default().iter().map(argument).collect();
    parts.join(separator)
}

fn argument(about: &Value) -> String {
    let pairs = about.as_pairs().unwrap_or_default();
    let field = |wanted: &str| {
        let found = pairs.iter().find(|(key, _)| key.as_bytes() == Some(wanted.as_bytes()));
        found.map(|(_, value)| *value)
    };
    let text = |wanted: &str| field(wanted).and_then(|value| Some(value.as_text()?.into_owned()));
    let has = |flag: &str| {
        let flags = field("flags").and_then(Value::as_array).unwrap_or_default();
        flags.iter().any(|known| known.as_bytes() == Some(flag.as_bytes()))
    };
    let value = match (text("type").as_deref(), field("arguments")) {
        (Some("block"), Some(inner)) => join(inner, " "),
        (Some("oneof"), Some(inner)) => join(inner, "|"),
        (Some("pure-token"), _) => String::new(),
        _ => text("display_text").or(text("value")).or(text("name")).unwrap_or_default(),
    };
    let token = text("token").map(|token| if token.is_empty() { "\"\"".into() } else { token });
    let with_token = match &token {
        Some(token) if value.is_empty() => token.clone(),
        Some(token) => format!("{token} {value}"),
        None => value.clone(),
    };
    let repeated = match (has("multiple"), has("multiple_token")) {
        (true, true) => format!("{with_token} [{with_token} ...]"),
        (true, false) => format!("{with_token} [{value} ...]"),
        _ => with_token,
    };
    if has("optional") { format!("[{repeated}]") } else { repeated }
}
