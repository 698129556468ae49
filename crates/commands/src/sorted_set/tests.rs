//! Replies are stock's.

use crate::harness::Server;

const SYNTAX: &str = "-ERR syntax error\r\n";
const FLOAT: &str = "-ERR value is not a valid float\r\n";

fn list(members: &[&str]) -> String {
    let bulks = members.iter().map(|member| format!("${}\r\n{member}\r\n", member.len()));
    format!("*{}\r\n{}", members.len(), bulks.collect::<String>())
}

#[test]
fn adding_and_its_options() {
    let mut server = Server::new();
    let nan = "-ERR resulting score is not a number (NaN)\r\n";
    let pair = "-ERR INCR option supports a single increment-element pair\r\n";
    let gt = "-ERR GT, LT, and/or NX options at the same time are not compatible\r\n";
    let nx = "-ERR XX and NX options at the same time are not compatible\r\n";
    for (line, expected) in [
        ("zadd k 1 a 2 b", ":2\r\n"),
        ("zadd k 1 a 3 b", ":0\r\n"),
        ("zadd k ch 1 a 4 b 5 c", ":2\r\n"),
        ("zadd k nx 9 a", ":0\r\n"),
        ("zadd k xx 9 new", ":0\r\n"),
        ("zadd none xx 9 new", ":0\r\n"),
        ("exists none", ":0\r\n"),
        ("zadd k gt ch 3 b 6 c", ":1\r\n"),
        ("zadd k lt ch 3 b 7 c", ":1\r\n"),
        ("zadd k incr 1.5 a", "$3\r\n2.5\r\n"),
        ("zadd k nx incr 1 a", "$-1\r\n"),
        ("zadd k gt incr -1 a", "$-1\r\n"),
        ("zincrby k inf b", "$3\r\ninf\r\n"),
        ("zincrby k -inf b", nan),
        ("zincrby new 2 m", "$1\r\n2\r\n"),
        ("zadd k incr 1 a 2 b", pair),
        ("zadd k nx xx 1 a", nx),
        ("zadd k gt lt 1 a", gt),
        ("zadd k nx gt 1 a", gt),
        ("zadd k 1", "-ERR wrong number of arguments for 'zadd' command\r\n"),
        ("zadd k 1 a 2", SYNTAX),
        ("zadd k foo a", FLOAT),
        ("zadd k 1 z nan y", FLOAT),
        ("zscore k z", "$-1\r\n"),
        ("zincrby k x a", FLOAT),
        ("zmscore k a z", "*2\r\n$3\r\n2.5\r\n$-1\r\n"),
        ("zrank k a", ":0\r\n"),
        ("zrevrank k a", ":2\r\n"),
        ("zrank k a withscore", "*2\r\n:0\r\n$3\r\n2.5\r\n"),
        ("zrank k z withscore", "*-1\r\n"),
        ("zrank k z", "$-1\r\n"),
        ("object encoding k", "$8\r\nlistpack\r\n"),
        ("zrem k a z", ":1\r\n"),
        ("zrem k b c", ":2\r\n"),
        ("exists k", ":0\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn ranges() {
    let mut server = Server::new();
    server.check("zadd k 1 a 2 b 3 c 4 d 5 e", ":5\r\n");
    server.check("zadd lex 0 a 0 b 0 c 0 d", ":4\r\n");
    for (line, expected) in [
        ("zrange k 0 -1", &["a", "b", "c", "d", "e"][..]),
        ("zrange k 1 2 withscores", &["b", "2", "c", "3"]),
        ("zrange k 0 1 rev", &["e", "d"]),
        ("zrevrange k 0 1", &["e", "d"]),
        ("zrange k (1 3 byscore", &["b", "c"]),
        ("zrange k 3 (1 byscore rev", &["c", "b"]),
        ("zrange k -inf +inf byscore limit 1 2", &["b", "c"]),
        ("zrange k +inf -inf byscore rev limit 1 2", &["d", "c"]),
        ("zrange k 0 -1 limit 0 -1", &["a", "b", "c", "d", "e"]),
        ("zrangebyscore k 2 4 withscores limit 1 -1", &["c", "3", "d", "4"]),
        ("zrevrangebyscore k 4 2", &["d", "c", "b"]),
        ("zrange k 4 2 byscore", &[]),
        ("zrange lex [b [c bylex", &["b", "c"]),
        ("zrangebylex lex - (c", &["a", "b"]),
        ("zrevrangebylex lex + [c", &["d", "c"]),
        ("zrangebylex lex + -", &[]),
        ("zrange none 0 -1", &[]),
    ] {
        server.check(line, &list(expected));
    }
    let limit = "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX\r\n";
    let scores = "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n";
    for (line, expected) in [
        ("zrange k 0 -1 limit 0 1", limit),
        ("zrange lex - + bylex withscores", scores),
        ("zrange k 0 -1 byscore bylex", SYNTAX),
        ("zrevrange k 0 -1 rev", SYNTAX),
        ("zrange k x 1", "-ERR value is not an integer or out of range\r\n"),
        ("zrange k x 1 byscore", "-ERR min or max is not a float\r\n"),
        ("zrange k x 1 bylex", "-ERR min or max not valid string range item\r\n"),
        ("zcount k (1 4", ":3\r\n"),
        ("zcount k \"\" 4", ":4\r\n"),
        ("zlexcount lex [b +", ":3\r\n"),
        ("zrangestore d k 1 2", ":2\r\n"),
        ("zscore d c", "$1\r\n3\r\n"),
        ("zrangestore d k 9 10", ":0\r\n"),
        ("exists d", ":0\r\n"),
        ("zremrangebyrank k 0 0", ":1\r\n"),
        ("zremrangebyscore k (2 3", ":1\r\n"),
        ("zremrangebylex lex - +", ":4\r\n"),
        ("exists lex", ":0\r\n"),
        ("zcard k", ":3\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn pairs_in_resp3() {
    let mut server = Server::new();
    server.check("zadd k 1 a 2 b 3.5 c", ":3\r\n");
    server.line("hello 3");
    for (line, expected) in [
        ("zrange k 0 1 withscores", "*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n"),
        ("zscore k c", ",3.5\r\n"),
        ("zpopmin k", "*2\r\n$1\r\na\r\n,1\r\n"),
        ("zpopmax k 1", "*1\r\n*2\r\n$1\r\nc\r\n,3.5\r\n"),
        ("zpopmax none 1", "*0\r\n"),
        ("zunion 1 k withscores", "*1\r\n*2\r\n$1\r\nb\r\n,2\r\n"),
        ("zmpop 1 none min", "_\r\n"),
        ("zmpop 2 none k min", "*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$1\r\nb\r\n,2\r\n"),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn popping() {
    let mut server = Server::new();
    let positive = "-ERR value is out of range, must be positive\r\n";
    server.check("zadd k 1 a 2 b 3 c 4 d", ":4\r\n");
    for (line, expected) in [
        ("zpopmin k", "*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("zpopmax k 2", "*4\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\nc\r\n$1\r\n3\r\n"),
        ("zpopmin k 0", "*0\r\n"),
        ("zpopmin k -1", positive),
        ("zpopmin k x", positive),
        ("zpopmin k 1 2", SYNTAX),
        ("zpopmin none", "*0\r\n"),
        ("zmpop 0 k min", "-ERR numkeys should be greater than 0\r\n"),
        ("zmpop 1 k up", SYNTAX),
        ("zmpop 1 k min count 0", "-ERR count should be greater than 0\r\n"),
        ("zmpop 1 none min", "*-1\r\n"),
        ("bzpopmin k x", "-ERR timeout is not a float or out of range\r\n"),
        ("bzpopmin k -1", "-ERR timeout is negative\r\n"),
        ("bzpopmin none k 0", "*3\r\n$1\r\nk\r\n$1\r\nb\r\n$1\r\n2\r\n"),
        ("exists k", ":0\r\n"),
        ("multi", "+OK\r\n"),
        ("bzpopmin none 0", "+QUEUED\r\n"),
        ("exec", "*1\r\n*-1\r\n"),
    ] {
        server.check(line, expected);
    }
    for (line, logged) in [
        ("bzpopmax k 0", "ZPOPMAX k"),
        ("bzmpop 0 1 k max count 9", "ZPOPMAX k 2"),
        ("zmpop 1 k min", "ZPOPMIN k 1"),
        ("zpopmin k 1", "zpopmin k 1"),
    ] {
        server.line("zadd k 1 a 2 b");
        if line.starts_with("bzmpop") {
            server.line("zremrangebyrank k 2 -1");
        }
        server.check_log(line, &[logged]);
    }
    server.check_log("zpopmin none", &[]);
}

#[test]
fn algebra() {
    let mut server = Server::new();
    server.check("zadd {t}a 1 a 2 b 3 c", ":3\r\n");
    server.check("zadd {t}b 10 b 20 c 30 d", ":3\r\n");
    server.check("sadd {t}s c d", ":2\r\n");
    server.check("set {t}x v", "+OK\r\n");
    for (line, expected) in [
        ("zunion 2 {t}a {t}b withscores", &["a", "1", "b", "12", "c", "23", "d", "30"][..]),
        ("zinter 2 {t}a {t}b withscores", &["b", "12", "c", "23"]),
        ("zinter 2 {t}a {t}b weights 2 1 aggregate max withscores", &["b", "10", "c", "20"]),
        ("zinter 2 {t}a {t}s withscores", &["c", "4"]),
        ("zdiff 2 {t}a {t}b withscores", &["a", "1"]),
        ("zdiff 2 {t}a {t}none", &["a", "b", "c"]),
        ("zdiff 2 {t}none {t}a", &[]),
        ("zunion 2 {t}a {t}s aggregate min withscores", &["a", "1", "c", "1", "d", "1", "b", "2"]),
    ] {
        server.check(line, &list(expected));
    }
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    for (line, expected) in [
        ("zunionstore {t}d 2 {t}a {t}b weights 1 2", ":4\r\n"),
        ("zscore {t}d c", "$2\r\n43\r\n"),
        ("zinterstore {t}d 2 {t}a {t}none", ":0\r\n"),
        ("exists {t}d", ":0\r\n"),
        ("zdiffstore {t}d 2 {t}a {t}b", ":1\r\n"),
        ("zintercard 2 {t}a {t}b", ":2\r\n"),
        ("zintercard 2 {t}a {t}b limit 1", ":1\r\n"),
        ("zintercard 2 {t}a {t}b limit -1", "-ERR LIMIT can't be negative\r\n"),
        ("zunion 0 {t}a", "-ERR at least 1 input key is needed for 'zunion' command\r\n"),
        ("zunion 3 {t}a {t}b", SYNTAX),
        ("zunion 1 {t}x", wrong),
        ("zunion 1 {t}a weights x", "-ERR weight value is not a float\r\n"),
        ("zunion 2 {t}a {t}b weights 1", SYNTAX),
        ("zunion 1 {t}a aggregate foo", SYNTAX),
        ("zdiff 1 {t}a weights 1", SYNTAX),
        ("zunionstore {t}d 1 {t}a withscores", SYNTAX),
    ] {
        server.check(line, expected);
    }
    let line = "zunionstore {t}d 2 {t}a {t}b";
    server.check_log(line, &[line]);
}

#[test]
fn chance_and_scan() {
    let mut server = Server::new();
    server.check("zadd k 1.5 a", ":1\r\n");
    for (line, expected) in [
        ("zrandmember k", "$1\r\na\r\n"),
        ("zrandmember k 5 withscores", "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n"),
        ("zrandmember k -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n"),
        ("zrandmember k 1 foo", SYNTAX),
        ("zrandmember none", "$-1\r\n"),
        ("zrandmember none 5", "*0\r\n"),
        ("zscan k 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n"),
        ("zscan k 0 noscores", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"),
        ("zscan k 0 novalues", "-ERR NOVALUES option can only be used in HSCAN\r\n"),
        ("zscan k 0 match b", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("zscan none 0", "*2\r\n$1\r\n0\r\n*0\r\n"),
    ] {
        server.check(line, expected);
    }
}

/// Which of several mistakes is told, as by stock 7.0.15.
#[test]
fn mistakes_are_told_in_stocks_order() {
    let mut server = Server::new();
    let keys = "-ERR numkeys should be greater than 0\r\n";
    let range = "-ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807\r\n";
    let half = "-ERR value is out of range\r\n";
    for (line, expected) in [
        ("bzmpop x 0 k min", keys),
        ("bzmpop x x k min", keys),
        ("bzmpop x 1 k foo", SYNTAX),
        ("bzmpop x 1 k min count 0", "-ERR count should be greater than 0\r\n"),
        ("bzmpop x 1 k min", "-ERR timeout is not a float or out of range\r\n"),
        ("zrange k 0 -1 rev rev", SYNTAX),
        ("zrange k 0 -1 rev byscore rev", SYNTAX),
        ("zrangestore d k 0 -1 rev rev", SYNTAX),
        ("zrange k 0 -1 withscores withscores", "*0\r\n"),
        ("srandmember k -9223372036854775808", range),
        ("srandmember k -9223372036854775808 x", SYNTAX),
        ("srandmember k -9223372036854775807", "*0\r\n"),
        ("srandmember k -9223372036854775809", "-ERR value is not an integer or out of range\r\n"),
        ("hrandfield k -9223372036854775808", range),
        ("hrandfield k -9223372036854775808 foo", range),
        ("hrandfield k -9223372036854775808 withvalues", range),
        ("hrandfield k -4611686018427387904 withvalues", half),
        ("hrandfield k -4611686018427387903 withvalues", "*0\r\n"),
        ("zrandmember k -9223372036854775808", range),
        ("zrandmember k -9223372036854775808 foo", range),
        ("zrandmember k 9223372036854775807 withscores", half),
        ("zrandmember k 1 withscores x", SYNTAX),
    ] {
        server.check(line, expected);
    }
}
