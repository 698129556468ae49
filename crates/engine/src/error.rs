//! Error replies: one table, since clients compare the texts.

use thiserror::Error;

/// What a handler answers.
pub type CommandResult = Result<(), CommandError>;

/// Why a command failed, with the words stock uses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// The key holds another type.
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    /// Words in no known order.
    #[error("ERR syntax error")]
    Syntax,
    /// An integer was wanted.
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    /// A floating point number was wanted.
    #[error("ERR value is not a valid float")]
    NotFloat,
    /// A number outside of what the command takes.
    #[error("ERR value is out of range")]
    OutOfRange,
    /// A number below zero.
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    /// The result of an increment does not fit.
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    /// INCRBYFLOAT left the numbers.
    #[error("ERR increment would produce NaN or Infinity")]
    NotFinite,
    /// A string would outgrow `proto-max-bulk-len`.
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    TooLong,
    /// An offset outside of what a string may hold.
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    /// RENAME and its kin on nothing.
    #[error("ERR no such key")]
    NoSuchKey,
    /// SELECT of a database that does not exist.
    #[error("ERR DB index is out of range")]
    DbOutOfRange,
    /// Too few or too many words.
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    /// An expiry in the past of time or beyond its end.
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(String),
    /// No such command.
    #[error("ERR unknown command '{name}', with args beginning with: {args}")]
    UnknownCommand {
        /// The word, at most 128 bytes of it.
        name: String,
        /// The words behind it, quoted.
        args: String,
    },
    /// No such subcommand.
    #[error("ERR unknown subcommand '{0}'. Try {1} HELP.")]
    UnknownSubcommand(String, String),
    /// The connection has not authenticated.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    /// AUTH with a wrong name or password.
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPass,
    /// Memory is short.
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    /// The last save failed.
    #[error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
         disk. Commands that may modify the data set are disabled, because this instance is \
         configured to report errors during writes if RDB snapshotting fails \
         (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the \
         RDB error."
    )]
    Misconf,
    /// `min-replicas-to-write` is not met.
    #[error("NOREPLICAS Not enough good replicas to write.")]
    NoReplicas,
    /// A write at a replica.
    #[error("READONLY You can't write against a read only replica.")]
    ReadOnly,
    /// A replica whose link is down and that may not serve stale data.
    #[error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")]
    MasterDown,
    /// The data set is being loaded.
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    /// The whole transaction is void.
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    /// A command that may not be queued.
    #[error("ERR Command not allowed inside a transaction")]
    NotInTransaction,
    /// A RESP2 connection that subscribes may do little else.
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context"
    )]
    Subscribed(String),
    /// A bug was caught while the command ran; what it touched is not to be trusted.
    #[error("ERR internal error: the command failed and this node will hand over")]
    Internal,
    /// Any other text, beginning with its code.
    #[error("{0}")]
    Text(String),
}

impl From<values::StringError> for CommandError {
    fn from(error: values::StringError) -> CommandError {
        match error {
            values::StringError::NotInteger => CommandError::NotInteger,
            values::StringError::Overflow => CommandError::Overflow,
            values::StringError::NotFloat => CommandError::NotFloat,
            values::StringError::NotFinite => CommandError::NotFinite,
            values::StringError::TooLong => CommandError::TooLong,
            values::StringError::TooLongForLcs | values::StringError::LcsTable => {
                CommandError::Text(format!("ERR {error}"))
            }
        }
    }
}

impl CommandError {
    /// An error whose text begins with its code, such as `ERR ...`.
    pub fn text(text: impl Into<String>) -> CommandError {
        CommandError::Text(text.into())
    }

    /// The text as the wire carries it after `-`.
    pub fn wire(&self) -> String {
        self.to_string()
    }
}
