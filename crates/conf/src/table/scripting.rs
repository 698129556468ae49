//! Settings of scripts.

macro_rules! scripting_settings {
    ($then:ident! { $($before:tt)* }) => { $then! { $($before)* "Scripts" {
        /// After so long a script or function is interrupted by BUSY replies; 0 never.
        busy_reply_threshold: Number = Row::number("busy-reply-threshold", 5000, 0, LONG)
            .aliases(&["lua-time-limit"]).unit(Unit::Millis);
        /// Gives scripts functions that are unsafe.
        lua_enable_deprecated_api: Flag = Row::flag("lua-enable-deprecated-api", false)
            .immutable().hidden().not_built(Part::Scripting);
    } } };
}
