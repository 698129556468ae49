//! Requests: stock's texts, every split of the input, counts that lie, and random bytes.

use super::*;
use crate::command;
use base::random::Random;
use proptest::prelude::*;

type Request = Vec<Vec<u8>>;

/// Feeds `input` cut at `cuts`, moving the buffer's front after every request as a server does.
fn run(input: &[u8], cuts: &[usize], limits: Limits) -> (Vec<Request>, Option<ProtocolError>) {
    let (mut parser, mut out) = (Parser::new(), Arguments::new());
    let (mut buffer, mut requests) = (Vec::new(), Vec::new());
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    for pair in cuts.windows(2) {
        buffer.extend_from_slice(&input[pair[0]..pair[1]]);
        loop {
            match parser.parse(&buffer, &limits, &mut out) {
                Err(error) => return (requests, Some(error)),
                Ok(Progress::Incomplete { needed_hint }) => {
                    assert!(needed_hint > 0 && out.is_empty());
                    break;
                }
                Ok(Progress::Empty { consumed }) => {
                    assert!(out.is_empty());
                    buffer.drain(..consumed);
                }
                Ok(Progress::Complete { consumed }) => {
                    assert!(out.ranges().iter().all(|range| out.bytes(&buffer).len() >= range.end));
                    requests.push(out.iter(&buffer).map(<[u8]>::to_vec).collect());
                    buffer.drain(..consumed);
                }
            }
        }
    }
    (requests, None)
}

fn whole(input: &[u8]) -> (Vec<Request>, Option<ProtocolError>) {
    run(input, &[], Limits::default())
}

#[test]
fn finds_requests() {
    type Row = (&'static [u8], &'static [&'static [&'static [u8]]]);
    let rows: &[Row] = &[
        (b"", &[]),
        (b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]),
        (b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&[b"GET", b""]]),
        (b"*1\r\n$2\r\n\r\n\r\n*1\r\n$1\r\na\r\n", &[&[b"\r\n"], &[b"a"]]),
        (b"*0\r\n*-1\r\n\r\n  \r\n\nPING\r\n", &[&[b"PING"]]),
        (b"set  a \"b\\x00\"\nget 'a'\r\n", &[&[b"set", b"a", b"b\0"], &[b"get", b"a"]]),
        // As stock, the byte after a CR and the two after a bulk are not looked at.
        (b"*1\rX$1\rYaZZ*1\r\n$1\r\nb\r\n", &[&[b"a"], &[b"b"]]),
        (b"*1\r\n$4\r\nPIN", &[]),
        (b"*1\r", &[]),
        (b"*2147483647\r\n", &[]),
    ];
    for (input, expected) in rows {
        let expected: Vec<Request> =
            expected.iter().map(|all| all.iter().map(|one| one.to_vec()).collect()).collect();
        assert_eq!(whole(input), (expected, None), "{}", input.escape_ascii());
    }
}

#[test]
fn refuses_as_stock() {
    use ProtocolError as E;
    let rows: &[(&[u8], E)] = &[
        (b"*x\r\n", E::InvalidMultibulkLength),
        (b"*\r\n", E::InvalidMultibulkLength),
        (b"*03\r\n", E::InvalidMultibulkLength),
        (b"*00\r\n", E::InvalidMultibulkLength),
        (b"*+3\r\n", E::InvalidMultibulkLength),
        (b"*2147483648\r\n", E::InvalidMultibulkLength),
        (b"*99999999999999999999\r\n", E::InvalidMultibulkLength),
        (b"*1\r\n$-1\r\n", E::InvalidBulkLength),
        (b"*1\r\n$a\r\n", E::InvalidBulkLength),
        (b"*1\r\n$\r\n", E::InvalidBulkLength),
        (b"*1\r\n$536870913\r\n", E::InvalidBulkLength),
        (b"*1\r\n:1\r\n", E::ExpectedBulk(b':')),
        (b"*1\r\nfoo\r\n", E::ExpectedBulk(b'f')),
        (b"*1\r\n\r\n", E::ExpectedBulk(b'\r')),
        (b"set \"a\r\n", E::UnbalancedQuotes),
        (b"set 'a'b\r\n", E::UnbalancedQuotes),
    ];
    for (input, expected) in rows {
        assert_eq!(whole(input), (vec![], Some(*expected)), "{}", input.escape_ascii());
    }
}

#[test]
fn long_lines_are_refused() {
    for (start, expected) in [
        (&b"*1"[..], ProtocolError::TooBigMultibulkCount),
        (b"*1\r\n$1", ProtocolError::TooBigBulkCount),
        (b"GET ", ProtocolError::TooBigInline),
    ] {
        let mut input = start.to_vec();
        input.resize(start.len() + LINE_BYTES_MAX + 1, b'1');
        assert_eq!(whole(&input).1, Some(expected));
        let cuts: Vec<usize> = (0..input.len()).step_by(777).collect();
        assert_eq!(run(&input, &cuts, Limits::default()).1, Some(expected));
        input.truncate(LINE_BYTES_MAX);
        assert_eq!(whole(&input).1, None);
    }
    let inline = [&vec![b'a'; LINE_BYTES_MAX][..], b"\nPING\n"].concat();
    assert_eq!((whole(&inline).0.len(), whole(&inline).1), (2, None));
    let inline = [&vec![b'a'; LINE_BYTES_MAX + 1][..], b"\n"].concat();
    assert_eq!(whole(&inline).1, Some(ProtocolError::TooBigInline));
}

#[test]
fn unauthenticated_limits_hold() {
    let limits = Limits { authenticated: false, ..Limits::default() };
    let rows: &[(&[u8], Option<ProtocolError>)] = &[
        (b"*10\r\n", None),
        (b"*11\r\n", Some(ProtocolError::UnauthenticatedMultibulk)),
        (b"*1\r\n$16384\r\n", None),
        (b"*1\r\n$16385\r\n", Some(ProtocolError::UnauthenticatedBulk)),
    ];
    for (input, expected) in rows {
        assert_eq!(run(input, &[], limits).1, *expected);
        assert_eq!(run(input, &[], Limits::default()).1, None);
    }
}

#[test]
fn messages_are_stocks() {
    let rows: &[(ProtocolError, &[u8])] = &[
        (ProtocolError::ExpectedBulk(b'x'), b"Protocol error: expected '$', got 'x'"),
        (ProtocolError::ExpectedBulk(b'\r'), b"Protocol error: expected '$', got ' '"),
        (ProtocolError::ExpectedBulk(0xff), b"Protocol error: expected '$', got '\xff'"),
        (ProtocolError::UnbalancedQuotes, b"Protocol error: unbalanced quotes in request"),
        (ProtocolError::TooBigInline, b"Protocol error: too big inline request"),
    ];
    for (error, expected) in rows {
        assert_eq!(error.message(), *expected);
    }
}

#[test]
fn announced_counts_allocate_nothing() {
    let (mut parser, mut out) = (Parser::new(), Arguments::new());
    let progress = parser.parse(b"*2147483647\r\n$1\r\na\r\n", &Limits::default(), &mut out);
    assert_eq!(progress, Ok(Progress::Incomplete { needed_hint: 1 }));
    assert!(parser.partial.capacity() <= 16 && out.ranges.capacity() <= 16);
}

#[test]
fn a_large_bulk_waits_by_arithmetic() {
    let (mut parser, mut out) = (Parser::new(), Arguments::new());
    let mut buffer = b"*2\r\n$3\r\nSET\r\n$100000\r\n".to_vec();
    let head = buffer.len();
    let progress = parser.parse(&buffer, &Limits::default(), &mut out);
    assert_eq!(progress, Ok(Progress::Incomplete { needed_hint: 100_002 }));
    buffer.resize(head + 100_002, b'\n');
    let progress = parser.parse(&buffer, &Limits::default(), &mut out);
    assert_eq!(progress, Ok(Progress::Complete { consumed: head + 100_002 }));
    assert_eq!(out.get(&buffer, 1).map(<[u8]>::len), Some(100_000));
    assert!(parser.is_between_requests());
}

#[test]
fn large_requests_give_their_memory_back() {
    let (mut parser, mut out) = (Parser::new(), Arguments::new());
    let request = command(&vec!["x"; 5000]);
    let half = request.len() / 2;
    let limits = Limits::default();
    assert!(matches!(
        parser.parse(&request[..half], &limits, &mut out),
        Ok(Progress::Incomplete { .. })
    ));
    assert!(matches!(parser.parse(&request, &limits, &mut out), Ok(Progress::Complete { .. })));
    assert_eq!((out.len(), parser.partial.capacity()), (5000, 0));
    out.clear();
    assert!(out.ranges.capacity() <= KEPT_RANGES_MAX);
}

#[test]
fn two_hundred_thousand_mutated_inputs_never_panic_and_never_depend_on_the_split() {
    let mut random = Random::from_seed(0x5e5d);
    let seeds: &[&[u8]] = &[
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nbb\r\n*1\r\n$4\r\nPING\r\n",
        b"set a \"b c\\x41\" 'd'\r\n\r\nPING\n",
        b"*0\r\n*-1\r\n*2\r\n$0\r\n\r\n$-1\r\n",
    ];
    let alphabet = b"*$\r\n0123456789-+\"'\\x ab\0\xff";
    let pick = |random: &mut Random, bound: usize| -> usize {
        usize::try_from(random.below(bound as u64)).unwrap()
    };
    for round in 0..200_000 {
        let mut input = seeds[round % seeds.len()].to_vec();
        for _ in 0..=pick(&mut random, 6) {
            let at = pick(&mut random, input.len() + 1);
            let byte = alphabet[pick(&mut random, alphabet.len())];
            match random.below(3) {
                0 => input.insert(at, byte),
                1 if at < input.len() => input[at] = byte,
                _ => input.truncate(at),
            }
        }
        let limits =
            Limits { authenticated: random.one_in(2), bulk_bytes_max: BULK_BYTES_MAX_DEFAULT };
        let cuts = [pick(&mut random, 64), pick(&mut random, 64), pick(&mut random, 64)];
        assert_eq!(run(&input, &cuts, limits), run(&input, &[], limits));
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..30), 1..8)
}

proptest! {
    #[test]
    fn encoded_requests_come_back_however_they_are_cut(
        requests in proptest::collection::vec(any_request(), 0..6),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
    ) {
        let input: Vec<u8> = requests.iter().flat_map(|request| command(request)).collect();
        prop_assert_eq!(run(&input, &cuts, Limits::default()), (requests, None));
    }

    #[test]
    fn random_bytes_never_panic(
        input in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(any::<usize>(), 0..6),
    ) {
        prop_assert_eq!(run(&input, &cuts, Limits::default()), whole(&input));
    }
}
