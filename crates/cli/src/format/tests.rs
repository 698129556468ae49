//! Replies as stock prints them: every expected text is the output of redis-cli 7.0.15 for these bytes.

use super::*;

fn printed(wire: &str, output: Output) -> String {
    let (value, consumed) = resp::decode(wire.as_bytes()).unwrap().unwrap();
    assert_eq!(consumed, wire.len(), "{wire:?}");
    String::from_utf8(reply(&value, output, false, &Delimiters::default())).unwrap()
}

#[test]
fn people_see_types_and_structure() {
    let rows: &[(&str, &str)] = &[
        ("+OK\r\n", "OK\n"),
        ("-ERR no\r\n", "(error) ERR no\n"),
        (":12345\r\n", "(integer) 12345\n"),
        ("$11\r\nHello World\r\n", "\"Hello World\"\n"),
        (
            "$12\r\na\x01\"\\\n\t\x07\x08\x7fé\0\r\n",
            "\"a\\x01\\\"\\\\\\n\\t\\a\\b\\x7f\\xc3\\xa9\\x00\"\n",
        ),
        ("$-1\r\n", "(nil)\n"),
        ("_\r\n", "(nil)\n"),
        (",3.141\r\n", "(double) 3.141\n"),
        ("#t\r\n", "(true)\n"),
        ("#f\r\n", "(false)\n"),
        ("=29\r\ntxt:This is a verbatim\nstring\r\n", "This is a verbatim\nstring\n"),
        ("*0\r\n", "(empty array)\n"),
        ("%0\r\n", "(empty hash)\n"),
        ("~0\r\n", "(empty set)\n"),
        (">0\r\n", "(empty push)\n"),
        ("*3\r\n:0\r\n:1\r\n:2\r\n", "1) (integer) 0\n2) (integer) 1\n3) (integer) 2\n"),
        ("~2\r\n:0\r\n:1\r\n", "1~ (integer) 0\n2~ (integer) 1\n"),
        ("%2\r\n:0\r\n#f\r\n:1\r\n#t\r\n", "1# (integer) 0 => (false)\n2# (integer) 1 => (true)\n"),
        (
            "*5\r\n:1\r\n*3\r\n:2\r\n*2\r\n$1\r\nx\r\n*0\r\n$1\r\ny\r\n-My Err\r\n+fine\r\n$-1\r\n",
            "1) (integer) 1\n2) 1) (integer) 2\n   2) 1) \"x\"\n      2) (empty array)\n   3) \"y\"\n\
             3) (error) My Err\n4) fine\n5) (nil)\n",
        ),
        (
            "*1\r\n%4\r\n+a\r\n*0\r\n+b\r\n*1\r\n:1\r\n+c\r\n%2\r\n+x\r\n~2\r\n:1\r\n%0\r\n*1\r\n:1\r\n\
             *2\r\n:1\r\n:2\r\n+d\r\n*-1\r\n",
            "1) 1# a => (empty array)\n   2# b => 1) (integer) 1\n   3# c => \n      1# x => \n         \
             1~ (integer) 1\n         2~ (empty hash)\n      2# 1) (integer) 1 => \n         \
             1) (integer) 1\n         2) (integer) 2\n   4# d => (nil)\n",
        ),
        (
            "%3\r\n+b\r\n*1\r\n%1\r\n+a\r\n:1\r\n+c\r\n*1\r\n*1\r\n:1\r\n+d\r\n*1\r\n*2\r\n:1\r\n:2\r\n",
            "1# b => 1) 1# a => (integer) 1\n2# c => 1) 1) (integer) 1\n3# d => \n   \
             1) 1) (integer) 1\n      2) (integer) 2\n",
        ),
    ];
    for (wire, expected) in rows {
        assert_eq!(printed(wire, Output::Standard), *expected, "{wire:?}");
    }
}

#[test]
fn numbers_of_long_lists_are_aligned() {
    let wire = format!("*11\r\n{}", "+x\r\n".repeat(11));
    let text = printed(&wire, Output::Standard);
    assert!(text.starts_with(" 1) x\n 2) x\n") && text.ends_with("10) x\n11) x\n"), "{text}");
}

#[test]
fn pipes_see_bytes() {
    let rows: &[(&str, &str)] = &[
        ("+OK\r\n", "OK\n"),
        ("-ERR no\r\n", "ERR no\n\n"),
        (":12345\r\n", "12345\n"),
        ("$4\r\na\n\"\\\r\n", "a\n\"\\\n"),
        ("$-1\r\n", "\n"),
        (",3.141\r\n", "3.141\n"),
        ("#t\r\n", "(true)\n"),
        ("*0\r\n", "\n"),
        ("*3\r\n:0\r\n$-1\r\n:2\r\n", "0\n\n2\n"),
        ("%2\r\n+f\r\n+v\r\n+g\r\n+w\r\n", "f v\ng w\n"),
        ("*3\r\n:1\r\n-My Err\r\n+fine\r\n", "1\nMy Err\n\nfine\n"),
        ("%2\r\n+a\r\n*0\r\n+b\r\n*2\r\n:1\r\n:2\r\n", "a \nb 1\n2\n"),
    ];
    for (wire, expected) in rows {
        assert_eq!(printed(wire, Output::Raw), *expected, "{wire:?}");
    }
}

#[test]
fn csv_is_flat() {
    let rows: &[(&str, &str)] = &[
        ("+OK\r\n", "\"OK\"\n"),
        ("-ERR no\r\n", "ERROR,\"ERR no\"\n"),
        (":1\r\n", "1\n"),
        ("_\r\n", "NULL\n"),
        ("#t\r\n", "true\n"),
        (",2.5\r\n", "2.5\n"),
        ("*0\r\n", "\n"),
        (
            "%3\r\n+a\r\n*0\r\n+b\r\n*1\r\n:1\r\n+c\r\n%1\r\n+x\r\n_\r\n",
            "\"a\",,\"b\",1,\"c\",\"x\",NULL\n",
        ),
    ];
    for (wire, expected) in rows {
        assert_eq!(printed(wire, Output::Csv), *expected, "{wire:?}");
    }
}

#[test]
fn json_follows_stock_and_its_keys_are_strings() {
    let rows: &[(&str, &str, &str)] = &[
        (
            "$7\r\na\x01\"\\\né\r\n",
            "\"a\\u0001\\\"\\\\\\né\"\n",
            "\"a\\\\x01\\\\\"\\\\\\\\\\\\n\\\\xc3\\\\xa9\"\n",
        ),
        ("-ERR no\r\n", "error:\"ERR no\"\n", "error:\"ERR no\"\n"),
        (
            "%2\r\n:0\r\n#f\r\n_\r\n,2.5\r\n",
            "{\"0\":false,\"null\":2.5}\n",
            "{\"0\":false,\"null\":2.5}\n",
        ),
        ("*2\r\n*0\r\n%0\r\n", "[[],{}]\n", "[[],{}]\n"),
        ("%1\r\n*2\r\n:1\r\n:2\r\n:3\r\n", "{\"[1,2]\":3}\n", "{\"[1,2]\":3}\n"),
    ];
    for (wire, utf8, escaped) in rows {
        assert_eq!(printed(wire, Output::Json), *utf8, "{wire:?}");
        assert_eq!(printed(wire, Output::QuotedJson), *escaped, "{wire:?}");
    }
    // Stock leaves the quotes inside such a key as they are, which is no JSON.
    assert_eq!(printed("%1\r\n*1\r\n+a\r\n:1\r\n", Output::Json), "{\"[\\\"a\\\"]\":1}\n");
}

#[test]
fn what_stock_gives_up_on_is_printed() {
    assert_eq!(printed("(123\r\n", Output::Standard), "(big number) 123\n");
    assert_eq!(printed("(123\r\n", Output::Raw), "123\n");
    for output in [Output::Standard, Output::Raw] {
        assert_eq!(printed("|1\r\n+a\r\n+b\r\n+real\r\n", output), "real\n");
    }
}

#[test]
fn delimiters_are_the_users() {
    let value = resp::decode(b"*2\r\n+a\r\n*2\r\n+b\r\n+c\r\n").unwrap().unwrap().0;
    let delimiters = Delimiters { element: b",".to_vec(), reply: b";".to_vec() };
    assert_eq!(reply(&value, Output::Raw, false, &delimiters), b"a,b,c;");
    assert_eq!(reply(&value, Output::Standard, true, &delimiters), b"a,b,c");
}

#[test]
fn invalidations_are_short_where_people_read() {
    let wire = b">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    let value = resp::decode(wire).unwrap().unwrap().0;
    let delimiters = Delimiters::default();
    assert_eq!(push(&value, Output::Standard, &delimiters), b"-> invalidate: 'a', 'b'\n");
    assert_eq!(push(&value, Output::Raw, &delimiters), b"invalidate\na\nb\n");
    let all = resp::decode(b">2\r\n$10\r\ninvalidate\r\n*-1\r\n").unwrap().unwrap().0;
    assert_eq!(push(&all, Output::Standard, &delimiters), b"1) \"invalidate\"\n2) (nil)\n");
}
