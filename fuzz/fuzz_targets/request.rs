//! The request parser: no bytes make it panic, what it finds does not depend on how the bytes were cut,
//! and every range it gives lies inside the buffer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use resp::{Arguments, Limits, Parser, Progress, ProtocolError};

type Found = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// Feeds `input` in pieces of `step` bytes, removing each request from the front as a server does.
fn run(input: &[u8], step: usize, limits: Limits) -> Found {
    let (mut parser, mut arguments) = (Parser::new(), Arguments::new());
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match parser.parse(&buffer, &limits, &mut arguments) {
                Err(error) => return (requests, Some(error)),
                Ok(Progress::Incomplete { needed_hint }) => {
                    assert!(needed_hint > 0);
                    break;
                }
                Ok(Progress::Empty { consumed }) => drop(buffer.drain(..consumed)),
                Ok(Progress::Complete { consumed }) => {
                    let bytes = arguments.bytes(&buffer);
                    assert!(arguments.ranges().iter().all(|range| range.end <= bytes.len()));
                    requests.push(arguments.iter(&buffer).map(<[u8]>::to_vec).collect());
                    buffer.drain(..consumed);
                }
            }
        }
    }
    (requests, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, input)) = input.split_first() else { return };
    let limits = Limits { authenticated: first & 1 == 0, ..Limits::default() };
    let step = usize::from(first >> 1) + 1;
    assert_eq!(run(input, step, limits), run(input, input.len().max(1), limits));
});
