//! Searches. Replies are stock's.

use crate::harness::Server;

const SYNTAX: &str = "-ERR syntax error\r\n";

fn nyc() -> Server {
    let mut server = Server::new();
    server.check(
        "geoadd nyc -73.9454966 40.747533 lic -73.9733487 40.7648057 park -73.9903085 40.7362513 \
         square -74.0131604 40.7126674 wtc -73.7858139 40.6428986 jfk -73.9375699 40.7498929 q4 \
         -73.9564142 40.7480973 4545",
        ":7\r\n",
    );
    server
}

fn list(members: &[&str]) -> String {
    let bulks = members.iter().map(|member| format!("${}\r\n{member}\r\n", member.len()));
    format!("*{}\r\n{}", members.len(), bulks.collect::<String>())
}

#[test]
fn circles_and_boxes() {
    let mut server = nyc();
    for (line, expected) in [
        ("georadius nyc -73.9798091 40.7598464 3 km asc", &["park", "4545", "square"][..]),
        ("georadius_ro nyc -73.9798091 40.7598464 3 km asc", &["park", "4545", "square"]),
        (
            "geosearch nyc fromlonlat -73.9798091 40.7598464 bybox 6 6 km asc",
            &["park", "4545", "square", "lic"],
        ),
        ("georadius nyc -73.9798091 40.7598464 10 km COUNT 3", &["park", "4545", "square"]),
        ("georadius nyc -73.9798091 40.7598464 10 km COUNT 3 ANY", &["wtc", "square", "park"]),
        ("georadius nyc -73.9798091 40.7598464 10 km COUNT 3 ANY ASC", &["park", "square", "wtc"]),
        ("georadius nyc -73.9798091 40.7598464 10 km COUNT 2 DESC", &["wtc", "q4"]),
        ("georadiusbymember nyc wtc 7 km", &["wtc", "square", "park", "4545", "lic"]),
        ("georadiusbymember_ro nyc wtc 7 KM", &["wtc", "square", "park", "4545", "lic"]),
        (
            "GEOSEARCH nyc frommember wtc bybox 14 14 km",
            &["wtc", "square", "park", "4545", "lic", "q4"],
        ),
        ("geosearch nyc fromlonlat 0 0 byradius 1 km", &[]),
        ("geosearch nope fromlonlat 0 0 byradius 1 km", &[]),
        ("geosearch nope frommember x byradius 1 km", &[]),
        ("georadiusbymember nope x y z", &[]),
    ] {
        server.check(line, &list(expected));
    }
}

#[test]
fn what_stands_beside_members() {
    let mut server = nyc();
    server.check(
        "georadius nyc -73.9798091 40.7598464 3 km withdist asc count 1",
        "*1\r\n*2\r\n$4\r\npark\r\n$6\r\n0.7750\r\n",
    );
    server.check(
        "georadius nyc -73.9798091 40.7598464 10 km WITHCOORD WITHHASH WITHDIST COUNT 1",
        "*1\r\n*4\r\n$4\r\npark\r\n$6\r\n0.7750\r\n:1791875761332224\r\n*2\r\n\
         $21\r\n-73.97334784269332886\r\n$20\r\n40.76480639569881959\r\n",
    );
}

#[test]
fn requests_that_are_refused() {
    let mut server = nyc();
    server.check("set s x", "+OK\r\n");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    let member = "-ERR could not decode requested zset member\r\n";
    let unit = "-ERR unsupported unit provided. please use M, KM, FT, MI\r\n";
    let with = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options\r\n";
    for (line, expected) in [
        ("geosearch s foo bar baz 1 2 3", wrong),
        ("georadius s 1 1 1 km", wrong),
        ("geosearch nyc fromlonlat 0 0 frommember wtc bybox 6 6 km", SYNTAX),
        ("geosearch nyc frommember wtc fromlonlat 0 0 bybox 6 6 km", SYNTAX),
        (
            "geosearch nyc bybox 3 3 km asc desc",
            "-ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch\r\n",
        ),
        (
            "GeoSearch nyc fromlonlat 1 1 asc desc withhash",
            "-ERR exactly one of BYRADIUS and BYBOX can be specified for GeoSearch\r\n",
        ),
        ("geosearch nyc fromlonlat 0 0 byradius 3 km bybox 3 3 km", SYNTAX),
        ("geosearch nyc fromlonlat 0 0 bybox 3 3 km byradius 3 km", SYNTAX),
        ("geosearch nyc fromlonlat 0 0 bybox 6 6 km asc storedist", SYNTAX),
        ("geosearch nyc fromlonlat 0 0 bybox 6 6 km store x", SYNTAX),
        ("geosearch nyc frommember zz bybox 1 1 km", member),
        ("georadiusbymember nyc zz 1 km", member),
        ("georadius nyc 0 0 10 km ANY", "-ERR the ANY argument requires COUNT argument\r\n"),
        ("georadius nyc 0 0 10 km COUNT", SYNTAX),
        ("georadius nyc 0 0 10 km COUNT 0", "-ERR COUNT must be > 0\r\n"),
        ("georadius nyc 0 0 1 km store", SYNTAX),
        ("georadius nyc 0 0 1 km withcoords", SYNTAX),
        ("georadius_ro nyc 0 0 1 km store d", SYNTAX),
        ("geosearch nyc fromlonlat 0 0 byradius -1 km", "-ERR radius cannot be negative\r\n"),
        ("geosearch nyc fromlonlat nan 0 byradius 1 km", "-ERR value is not a valid float\r\n"),
        ("geosearch nyc fromlonlat 0 0 byradius x km", "-ERR need numeric radius\r\n"),
        ("geosearch nyc fromlonlat 0 0 byradius 1 x", unit),
        ("geosearch nyc fromlonlat 0 0 bybox 1 x km", "-ERR need numeric height\r\n"),
        ("geosearch nyc fromlonlat 0 0 bybox x 1 km", "-ERR need numeric width\r\n"),
        (
            "geosearch nyc fromlonlat 0 0 bybox -1 1 km",
            "-ERR height or width cannot be negative\r\n",
        ),
        (
            "geosearch nyc fromlonlat 181 0 bybox -1 1 km",
            "-ERR invalid longitude,latitude pair 181.000000,0.000000\r\n",
        ),
        (
            "geosearchstore d nyc fromlonlat 0 0 bybox 1 1 km withdist",
            &format!("-ERR GEOSEARCHSTORE {with}"),
        ),
        (
            "georadius nyc 0 0 1 km withdist store d",
            &format!("-ERR STORE option in GEORADIUS {with}"),
        ),
    ] {
        server.check(line, expected);
    }
}

#[test]
fn results_are_stored() {
    let mut server = Server::new();
    let sicily = "geoadd s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";
    server.check(sicily, ":2\r\n");
    for (line, expected) in [
        ("georadius s 13.361389 38.115556 500 km store d", ":2\r\n"),
        ("zscore d Palermo", "$16\r\n3479099956230698\r\n"),
        ("georadiusbymember s Catania 500 km storedist d", ":2\r\n"),
        ("zrank d Palermo", ":1\r\n"),
        ("georadius s 13.361389 38.115556 500 km storedist d desc count 1", ":1\r\n"),
        ("zrank d Catania", ":0\r\n"),
        ("geosearchstore d s fromlonlat 13.361389 38.115556 byradius 500 km", ":2\r\n"),
        ("zcard d", ":2\r\n"),
        ("geosearchstore d s frommember Palermo bybox 1 1 km storedist", ":1\r\n"),
        ("zscore d Palermo", "$1\r\n0\r\n"),
        ("geosearchstore d s fromlonlat 0 0 byradius 1 km", ":0\r\n"),
        ("exists d", ":0\r\n"),
        ("geosearchstore d nope fromlonlat 0 0 byradius 1 km", ":0\r\n"),
    ] {
        server.check(line, expected);
    }
    let line = "georadius s 13 38 500 km store d";
    server.check_log(line, &[line]);
    let line = "geosearchstore d nope fromlonlat 0 0 byradius 1 km";
    server.check_log(line, &[line]);
    server.check_log(line, &[]);
    server.check_log("georadius s 13 38 500 km", &[]);
}
