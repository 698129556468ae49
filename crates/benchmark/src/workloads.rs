//! The default tests, in stock's order: what each is called and what it sends.

use crate::batch::{Request, value, with_value};
use crate::options::Options;

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    /// How it is called in what is printed.
    pub(crate) title: String,
    /// What it sends, over and over.
    pub(crate) request: Request,
}

/// Names for `-t`, titles, and words; a `%` in front of a word of numbers makes it one only with `-r`.
type Row = (&'static [&'static str], &'static str, &'static str);

/// A score: a number if numbers are drawn, else 0.
const SCORE: &str = "%score";

const ROWS: &[Row] = &[
    (&["set"], "SET", "SET key:__rand_int__ __data__"),
    (&["get"], "GET", "GET key:__rand_int__"),
    (&["incr"], "INCR", "INCR counter:__rand_int__"),
    (&["lpush"], "LPUSH", "LPUSH mylist __data__"),
    (&["rpush"], "RPUSH", "RPUSH mylist __data__"),
    (&["lpop"], "LPOP", "LPOP mylist"),
    (&["rpop"], "RPOP", "RPOP mylist"),
    (&["sadd"], "SADD", "SADD myset element:__rand_int__"),
    (&["hset"], "HSET", "HSET myhash element:__rand_int__ __data__"),
    (&["spop"], "SPOP", "SPOP myset"),
    (&["zadd"], "ZADD", "ZADD myzset %score element:__rand_int__"),
    (&["zpopmin"], "ZPOPMIN", "ZPOPMIN myzset"),
    (
        &["lrange", "lrange_100", "lrange_300", "lrange_500", "lrange_600"],
        "LPUSH (needed to benchmark LRANGE)",
        "LPUSH mylist __data__",
    ),
    (&["lrange", "lrange_100"], "LRANGE_100 (first 100 elements)", "LRANGE mylist 0 99"),
    (&["lrange", "lrange_300"], "LRANGE_300 (first 300 elements)", "LRANGE mylist 0 299"),
    (&["lrange", "lrange_500"], "LRANGE_500 (first 500 elements)", "LRANGE mylist 0 499"),
    (&["lrange", "lrange_600"], "LRANGE_600 (first 600 elements)", "LRANGE mylist 0 599"),
];

/// Pairs that MSET sets.
const MSET_PAIRS: usize = 10;

/// The tests that `options` ask for; `input` is what `-x` has read.
pub(crate) fn chosen(options: &Options, input: Option<Vec<u8>>) -> Vec<Workload> {
    let value = value(options.value_bytes);
    if !options.command.is_empty() {
        let title = options.command.join(&b' ');
        let title = String::from_utf8_lossy(&title).into_owned();
        let words = options.command.iter().map(|word| with_value(word, &value)).chain(input);
        return vec![Workload { title, request: Request::Words(words.collect()) }];
    }
    let wanted = |names: &[&str]| {
        let tests = options.tests.as_ref();
        tests.is_none_or(|tests| tests.iter().any(|test| names.contains(&test.as_str())))
    };
    let score = if options.keys.is_some() { "__rand_int__" } else { "0" };
    let words = |line: &str| {
        let words = line.split(' ').map(|word| if word == SCORE { score } else { word });
        Request::Words(words.map(|word| with_value(word.as_bytes(), &value)).collect())
    };
    let mut all = Vec::new();
    let mut add = |names: &[&str], title: &str, request: Request| {
        if wanted(names) {
            all.push(Workload { title: title.to_owned(), request });
        }
    };
    add(&["ping_inline", "ping"], "PING_INLINE", Request::Inline(b"PING\r\n"));
    add(&["ping_mbulk", "ping"], "PING_MBULK", words("PING"));
    for (names, title, line) in ROWS {
        add(names, title, words(line));
    }
    let pairs = " key:__rand_int__ __data__".repeat(MSET_PAIRS);
    add(&["mset"], "MSET (10 keys)", words(&format!("MSET{pairs}")));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(tests: Option<&[&str]>) -> Vec<String> {
        let tests = tests.map(|tests| tests.iter().map(|&test| test.to_owned()).collect());
        let options = Options { tests, ..Options::default() };
        chosen(&options, None).into_iter().map(|workload| workload.title).collect()
    }

    #[test]
    fn stocks_tests_in_stocks_order() {
        // What `redis-benchmark -q` of 7.0.15 prints.
        let all = "PING_INLINE PING_MBULK SET GET INCR LPUSH RPUSH LPOP RPOP SADD HSET SPOP ZADD \
                   ZPOPMIN LPUSH (needed to benchmark LRANGE) LRANGE_100 (first 100 elements) \
                   LRANGE_300 (first 300 elements) LRANGE_500 (first 500 elements) LRANGE_600 \
                   (first 600 elements) MSET (10 keys)";
        assert_eq!(titles(None).join(" "), all);
        assert_eq!(titles(Some(&["get", "ping_inline"])), ["PING_INLINE", "GET"]);
        let range = ["LPUSH (needed to benchmark LRANGE)", "LRANGE_300 (first 300 elements)"];
        assert_eq!(titles(Some(&["lrange_300"])), range);
        assert!(titles(Some(&["nope"])).is_empty());
    }

    #[test]
    fn scores_and_values() {
        let tests = Some(vec!["zadd".to_owned()]);
        let options = Options { tests, ..Options::default() };
        let request = |options: &Options, input| chosen(options, input).remove(0).request;
        let words = |line: &str| {
            Request::Words(line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
        };
        assert_eq!(request(&options, None), words("ZADD myzset 0 element:__rand_int__"));
        let options = Options { keys: Some(9), ..options };
        assert_eq!(request(&options, None), words("ZADD myzset __rand_int__ element:__rand_int__"));
        let command = vec![b"set".to_vec(), b"k".to_vec()];
        let options = Options { command, ..options };
        assert_eq!(request(&options, Some(b"v".to_vec())), words("set k v"));
    }
}
