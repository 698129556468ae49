//! What commands look like, type by type.
//!
//! A shape is words between blanks. `$name` is drawn from a pool (see `draw`); `$name+` is one to four
//! of them, `$name*` sometimes very many. `(A|B)` is one of several, `[A|B]` one of them or nothing. A
//! shape may begin with a mark that says how replies are compared.

/// Strings, bitmaps and `HyperLogLog`s.
pub const STRINGS: &[&str] = &[
    "SET $string $text [NX|XX|GET|NX GET] [EX $span|PX $span|EXAT $integer|KEEPTTL]",
    "SET $string $integer",
    "SET $string $float",
    "SETNX $string $text",
    "(SETEX|PSETEX) $string $span $text",
    "(GET|GETDEL|STRLEN) $string",
    "GETSET $string $text",
    "GETEX $string [PERSIST|EX $span]",
    "(GETRANGE|SUBSTR) $string $index $index",
    "SETRANGE $string $bit $text",
    "APPEND $string $text",
    "(INCR|DECR) $string",
    "(INCRBY|DECRBY) $string $integer",
    "INCRBYFLOAT $string $float",
    "MGET $any+",
    "(MSET|MSETNX) $string $text $string $text",
    "LCS $string $string [LEN|IDX|IDX MINMATCHLEN $count WITHMATCHLEN]",
    "SETBIT $string $bit (0|1|2)",
    "GETBIT $string $bit",
    "BITCOUNT $string [$offset $offset [BYTE|BIT]]",
    "BITPOS $string (0|1) [$offset [$offset [BYTE|BIT]]]",
    "BITOP (AND|OR|XOR) $string $string+",
    "BITOP NOT $string $string",
    "BITFIELD $string [OVERFLOW (WRAP|SAT|FAIL)] (GET|SET) (u8|i5|u63|i64) $bit $addend",
    "BITFIELD $string [OVERFLOW (WRAP|SAT|FAIL)] INCRBY (u2|i9|u63|i64) #$slot $addend",
    "BITFIELD_RO $string GET (u4|i64) $bit",
    "PFADD $log $element*",
    "PFCOUNT $log+",
    "PFMERGE $log $log+",
];

/// Keys of any type.
pub const KEYS: &[&str] = &[
    "(DEL|UNLINK|EXISTS|TOUCH) $any+",
    "(TYPE|PERSIST) $any",
    "@ (EXPIRETIME|PEXPIRETIME) $any",
    "(RENAME|RENAMENX) $any $any",
    "COPY $any $any [REPLACE]",
    "(EXPIRE|PEXPIRE) $any $span [NX|XX]",
    "(EXPIREAT|PEXPIREAT) $any $integer [NX|XX|GT|LT]",
    "~ OBJECT REFCOUNT $any",
    "MOVE $any $integer",
    "SORT $list [LIMIT $index $count] [ASC|DESC] [ALPHA] [STORE $list]",
    "SORT $set [GET #|GET string-* GET #] [DESC] ALPHA",
    "SORT_RO $zset [ASC|DESC] ALPHA",
    "= SORT $zset BY nosort [DESC] [ALPHA]",
    "~ DUMP $any",
];

/// Lists.
pub const LISTS: &[&str] = &[
    "(LPUSH|RPUSH) $list $element*",
    "(LPUSHX|RPUSHX) $list $element+",
    "(LPOP|RPOP) $list [$count]",
    "LLEN $list",
    "LINDEX $list $index",
    "LSET $list $index $element",
    "LRANGE $list $index $index",
    "LTRIM $list $index $index",
    "LREM $list $index $element",
    "LINSERT $list (BEFORE|AFTER) $element $element",
    "LPOS $list $element [RANK $offset] [COUNT $count] [MAXLEN $count]",
    "LMOVE $list $list (LEFT|RIGHT) (LEFT|RIGHT)",
    "RPOPLPUSH $list $list",
    "LMPOP 2 $list $list (LEFT|RIGHT) [COUNT $count]",
    "(BLPOP|BRPOP) $full $list 0.001",
    "BLMPOP 0.001 2 $full $list (LEFT|RIGHT) [COUNT $count]",
    "RPUSH $full $element $element",
];

/// Sets.
pub const SETS: &[&str] = &[
    "SADD $set $element*",
    "SADD $set $number*",
    "SREM $set $element+",
    "SREM $set $number*",
    "SCARD $set",
    "SISMEMBER $set $element",
    "SMISMEMBER $set $element+",
    "= SMEMBERS $set",
    "SMOVE $set $set $element",
    "= (SINTER|SUNION|SDIFF) $set+",
    "(SINTERSTORE|SUNIONSTORE|SDIFFSTORE) $set $set+",
    "SINTERCARD 2 $set $set [LIMIT $count]",
];

/// Hashes.
pub const HASHES: &[&str] = &[
    "(HSET|HMSET) $hash $pair*",
    "HSETNX $hash $field $element",
    "(HGET|HEXISTS|HSTRLEN) $hash $field",
    "HMGET $hash $field+",
    "HDEL $hash $field+",
    "HLEN $hash",
    "= (HKEYS|HVALS) $hash",
    "% HGETALL $hash",
    "HINCRBY $hash $field $integer",
    "HINCRBYFLOAT $hash $field $float",
];

/// Sorted sets, places included.
pub const SORTED_SETS: &[&str] = &[
    "ZADD $zset $scored*",
    "ZADD $zset [NX|XX|GT|LT|XX GT|NX LT] [CH] $scored+",
    "ZADD $zset [NX|XX|GT|LT] INCR $scored",
    "ZINCRBY $zset $score $element",
    "ZREM $zset $element+",
    "ZCARD $zset",
    "ZSCORE $zset $element",
    "ZMSCORE $zset $element+",
    "(ZRANK|ZREVRANK) $zset $element",
    "ZCOUNT $zset $bound $bound",
    "ZADD $flat $level*",
    "ZLEXCOUNT $flat $lex $lex",
    "ZRANGE $zset $index $index [REV] [WITHSCORES]",
    "ZRANGE $zset $bound $bound BYSCORE [REV] [LIMIT $index $count] [WITHSCORES]",
    "ZRANGE $flat $lex $lex BYLEX [REV] [LIMIT $index $count]",
    "ZREVRANGE $zset $index $index [WITHSCORES]",
    "(ZRANGEBYSCORE|ZREVRANGEBYSCORE) $zset $bound $bound [WITHSCORES] [LIMIT $index $count]",
    "(ZRANGEBYLEX|ZREVRANGEBYLEX) $flat $lex $lex [LIMIT $index $count]",
    "ZRANGESTORE $zset $zset $index $index [REV]",
    "ZRANGESTORE $zset $zset $bound $bound BYSCORE [LIMIT $index $count]",
    "ZREMRANGEBYRANK $zset $index $index",
    "ZREMRANGEBYSCORE $zset $bound $bound",
    "ZREMRANGEBYLEX $flat $lex $lex",
    "(ZPOPMIN|ZPOPMAX) $zset [$count]",
    "ZMPOP 2 $zset $zset (MIN|MAX) [COUNT $count]",
    "(ZUNION|ZINTER) 2 $zset (SET|$zset|$set) [WEIGHTS $weight $weight] [AGGREGATE (SUM|MIN|MAX)] \
     [WITHSCORES]",
    "ZDIFF 2 $zset $zset [WITHSCORES]",
    "(ZUNIONSTORE|ZINTERSTORE) $zset 2 $zset (SET|$zset|$set) [WEIGHTS $weight $weight] \
     [AGGREGATE (SUM|MIN|MAX)]",
    "ZDIFFSTORE $zset 2 $zset $zset",
    "ZINTERCARD 2 $zset $zset [LIMIT $count]",
    "GEOADD $geo [NX|XX] [CH] $place*",
    "(GEOPOS|GEOHASH) $geo $element+",
    "GEODIST $geo $element $element [$unit]",
    "GEOSEARCH $geo (FROMLONLAT $point|FROMMEMBER $element) \
     (BYRADIUS $radius $unit|BYBOX $radius $radius $unit) (ASC|DESC) [COUNT $count [ANY]] \
     [WITHCOORD] [WITHDIST] [WITHHASH]",
    "GEOSEARCHSTORE $geo $geo FROMMEMBER $element BYRADIUS $radius $unit ASC",
    "GEOSEARCHSTORE $dist $geo FROMMEMBER $element BYRADIUS $radius $unit ASC STOREDIST",
    "GEORADIUS $geo $point $radius $unit [WITHDIST] (ASC|DESC)",
    "GEORADIUSBYMEMBER_RO $geo $element $radius $unit [WITHCOORD] (ASC|DESC)",
];

/// Streams. Since 7.2 whoever asks in vain is a consumer too, a lag is never negative and errors name
/// commands in lower case, so what 7.0 says of these is not compared.
pub const STREAMS: &[&str] = &[
    "XADD $stream [NOMKSTREAM] [(MAXLEN|MINID) [=] $seq] $id $pair+",
    "XADD $stream $seq-* $pair+",
    "XLEN $stream",
    "(XRANGE|XREVRANGE) $stream $range $range [COUNT $count]",
    "XREAD [COUNT $count] STREAMS $stream $stream $id $id",
    "XTRIM $stream MAXLEN [=] $count",
    "XTRIM $stream MINID [=] $id",
    "XDEL $stream $id+",
    "XSETID $stream (9-9|10-0) [ENTRIESADDED $count MAXDELETEDID $id]",
    "XGROUP CREATE $stream $group ($id|\\$) [MKSTREAM]",
    "XGROUP SETID $stream $group ($id|\\$)",
    "XGROUP DESTROY $stream $group",
    "~ XGROUP CREATECONSUMER $stream $group $consumer",
    "XGROUP DELCONSUMER $stream $group $consumer",
    "XREADGROUP GROUP $group $consumer [COUNT $count] [NOACK] STREAMS $stream (>|$id)",
    "XACK $stream $group $id+",
    "XPENDING $stream $group",
    "@ XPENDING $stream $group $range $range $count [$consumer]",
    "XCLAIM $stream $group $consumer 0 $id+ [RETRYCOUNT $count] [FORCE] [JUSTID]",
    "XAUTOCLAIM $stream $group $consumer 0 $id [COUNT $count] [JUSTID]",
    "~ XINFO GROUPS $stream",
];

/// Commands whose replies or effects are of chance or of the clock: what they leave must be the same at
/// every replica.
pub const EFFECTS: &[&str] = &[
    "SPOP $set [$count]",
    "XADD $stream [MAXLEN ~ $count] * $pair+",
    "(EXPIRE|PEXPIRE) $any 100000",
    "SET $string $text EX 1000",
    "GETEX $string EX 1000",
    "XCLAIM $stream $group $consumer 0 $id IDLE $count",
    "RESTORE $string 0 damaged REPLACE",
    "(BZPOPMIN|BZPOPMAX) $zfull 0.001",
    "ZADD $zfull $scored $scored",
    "BLMOVE $full $list (LEFT|RIGHT) (LEFT|RIGHT) 0.001",
    "RPUSH $full $element $element",
    "SORT $list ALPHA STORE $list",
    "SWAPDB 0 1",
    "(FLUSHDB|PING)",
];

/// Commands with effects that stock 7.0 does not know.
pub const NEWER_EFFECTS: &[&str] = &[
    "(HEXPIRE|HPEXPIRE) $hash $span FIELDS 2 $field $field",
    "HPERSIST $hash FIELDS 1 $field",
    "HGETDEL $hash FIELDS 1 $field",
    "HGETEX $hash EX 100000 FIELDS 1 $field",
    "HSETEX $hash EX 100000 FIELDS 1 $field $element",
    "XDELEX $stream (KEEPREF|DELREF|ACKED) IDS 1 $id",
    "XACKDEL $stream $group DELREF IDS 1 $id",
    "XADD $stream (KEEPREF|DELREF|ACKED) MAXLEN [=|~] $count $id $pair+",
    "XTRIM $stream (MAXLEN [=|~] $count|MINID $id) (KEEPREF|DELREF|ACKED)",
    "PEXPIREMEMBER $set $element $span",
    "EXPIREMEMBER $set $element (0|1)",
    "PEXPIREMEMBER $zset $element $span",
    "EXPIREMEMBER $zset $element (0|1)",
];
