//! What the system calls an error: its words alone, as C programs print them.

use std::io;

/// The text of `error` without what Rust adds to it: the number behind, the words in front of a lookup's.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split(" (os error").next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_left_out() {
        assert_eq!(reason(&io::Error::from_raw_os_error(2)), "No such file or directory");
        assert_eq!(reason(&io::Error::other("a full moon")), "a full moon");
        let lookup = "failed to lookup address information: Name or service not known";
        assert_eq!(reason(&io::Error::other(lookup)), "Name or service not known");
    }
}
