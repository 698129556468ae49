//! Encodes a request: an array of bulk strings, the form every client sends.

use crate::number::write_usize;

/// Encodes one request.
pub fn command<A: AsRef<[u8]>>(arguments: &[A]) -> Vec<u8> {
    let bytes: usize = arguments.iter().map(|argument| argument.as_ref().len() + 16).sum();
    let mut out = Vec::with_capacity(bytes + 16);
    command_into(&mut out, arguments);
    out
}

/// Appends one request to `out`.
pub fn command_into<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    out.push(b'*');
    write_usize(out, arguments.len());
    out.extend_from_slice(b"\r\n");
    for argument in arguments {
        let argument = argument.as_ref();
        out.push(b'$');
        write_usize(out, argument.len());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_arrays_of_bulks() {
        assert_eq!(command::<&[u8]>(&[]), b"*0\r\n");
        assert_eq!(command(&["GET", ""]), b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
        assert_eq!(command(&[b"a\r\n".to_vec()]), b"*1\r\n$3\r\na\r\n\r\n");
    }
}
