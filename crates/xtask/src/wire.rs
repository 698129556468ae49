//! Asking servers and sentinels on loopback, in the words that the tasks need.

use crate::failure::{Failure, Outcome};
use resp::Value;
use std::time::Duration;
use wireclient::{Address, Client};

/// A connection to a port on loopback.
pub struct Wire {
    client: Client,
}

/// Replies read as text.
pub trait Reading {
    /// The text of a status, a bulk string or an integer; empty for anything else.
    fn text(&self) -> String;
    /// The items of an array; none for anything else.
    fn items(&self) -> &[Value];
    /// The value after the item `name` in an array of names and values.
    fn field(&self, name: &str) -> String;
}

impl Reading for Value {
    fn text(&self) -> String {
        match self {
            Value::Integer(number) => number.to_string(),
            other => other.as_text().map(std::borrow::Cow::into_owned).unwrap_or_default(),
        }
    }

    fn items(&self) -> &[Value] {
        self.as_array().unwrap_or_default()
    }

    fn field(&self, name: &str) -> String {
        let mut pairs = self.items().chunks_exact(2);
        pairs.find(|pair| pair[0].text() == name).map(|pair| pair[1].text()).unwrap_or_default()
    }
}

/// A reply as a person reads it.
pub fn shown(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(shown).collect::<Vec<_>>().join(", ");
    match value.plain() {
        Value::Simple(text) => format!("+{}", String::from_utf8_lossy(text)),
        Value::Error(text) => format!("-{}", String::from_utf8_lossy(text)),
        Value::Integer(number) => format!(":{number}"),
        Value::Bulk(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Null => "null".to_owned(),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Set(items) => format!("set [{}]", list(items)),
        Value::Push(items) => format!("push [{}]", list(items)),
        other => format!("{other:?}"),
    }
}

impl Wire {
    /// Connects to `port` and authenticates, if there is a password; every wait ends after `limit_ms`.
    ///
    /// # Errors
    /// When nobody listens there or the password is refused.
    pub fn open(port: u16, limit_ms: u64, password: Option<&str>) -> Outcome<Wire> {
        let limit = Duration::from_millis(limit_ms);
        let mut wire = Wire { client: Client::connect(&Address::tcp("127.0.0.1", port), limit)? };
        if let Some(password) = password {
            wire.ok(&["AUTH", password])?;
        }
        Ok(wire)
    }

    /// Sends a command and reads its reply, errors of the server being replies too.
    ///
    /// # Errors
    /// When the connection broke or the reply is malformed.
    pub fn call(&mut self, words: &[&str]) -> Outcome<Value> {
        Ok(self.client.call(words)?)
    }

    /// As [`Wire::call`], but an error of the server is a failure.
    ///
    /// # Errors
    /// As [`Wire::call`], and when the server answers with an error.
    pub fn ok(&mut self, words: &[&str]) -> Outcome<Value> {
        let value = self.call(words)?;
        match value.as_error() {
            Some(text) => Err(Failure::new(format!("{}: {text}", words.join(" ")))),
            None => Ok(value),
        }
    }

    /// Sends many commands at once and reads all replies.
    ///
    /// # Errors
    /// As [`Wire::ok`], for the first command that failed.
    pub fn pipeline(&mut self, commands: &[Vec<String>]) -> Outcome<Vec<Value>> {
        for words in commands {
            self.client.send(words)?;
        }
        let replies: Vec<Value> =
            commands.iter().map(|_| self.client.receive()).collect::<Result<_, _>>()?;
        match replies.iter().find_map(Value::as_error) {
            Some(text) => Err(Failure::new(text)),
            None => Ok(replies),
        }
    }

    /// Sends many commands at once and reads all replies, errors of the server among them.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub fn replies<'a>(
        &mut self,
        commands: impl Iterator<Item = &'a Vec<Vec<u8>>>,
    ) -> Outcome<Vec<Value>> {
        let mut count = 0;
        for words in commands {
            self.client.send(words)?;
            count += 1;
        }
        Ok((0..count).map(|_| self.client.receive()).collect::<Result<_, _>>()?)
    }

    /// As [`Wire::call`], with words of any bytes.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub fn bytes(&mut self, words: &[Vec<u8>]) -> Outcome<Value> {
        Ok(self.client.call(words)?)
    }

    /// The field `name` of INFO's `section`; empty if it is not there.
    ///
    /// # Errors
    /// As [`Wire::ok`].
    pub fn info(&mut self, section: &str, name: &str) -> Outcome<String> {
        let text = self.ok(&["INFO", section])?.text();
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(field, _)| *field == name);
        Ok(found.map(|(_, value)| value.trim_end().to_owned()).unwrap_or_default())
    }
}
