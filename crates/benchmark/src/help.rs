//! The text of `--help`.

/// What `--help` prints, and what follows a mistake.
pub(crate) const USAGE: &str = "\
Usage: redis-benchmark [OPTIONS] [COMMAND ARGS...]

Options:
 -h <hostname>      Host of the server (default 127.0.0.1)
 -p <port>          Its port (default 6379)
 -s <socket>        A Unix socket instead of host and port
 -a <password>      Password
 --user <username>  User for the password
 -u <uri>           redis://[[user]:password@]host[:port][/db] in one word
 -c <clients>       Connections (default 50)
 -n <requests>      Requests of each test (default 100000)
 -d <size>          Bytes of the values that are set, and of __data__ (default 3)
 --dbnum <db>       Database (default 0)
 -3                 Speak RESP3
 --threads <num>    Generate the load on several threads
 --enable-tracking  Send CLIENT TRACKING on first
 -k <boolean>       1 keeps connections, 0 makes one for each batch (default 1)
 -r <keyspacelen>   Draw keys, members and scores: __rand_int__ within an argument becomes a
                    number of 12 digits below keyspacelen, another one each time. Without -r
                    every request is the same.
 -P <numreq>        Send so many requests at once (default 1)
 -q                 Print one line for each test
 --precision        Taken for the sake of scripts; three decimal places are printed, as by stock
 --csv              Print comma-separated values
 -l                 Run the tests over and over
 -t <tests>         Only these tests, comma-separated, named as in the output
 -I                 Open the connections and leave them idle
 -x                 Read the last argument of the command from standard input
 --seed <num>       Draw the same numbers in each run
 --cpu <pid>        Also print the processor time of the server, and our own, for each request
 --help             Print this text
 --version          Print the version

TLS (--tls and its kin) and --cluster are refused: they are not built yet.

Examples:

 The default tests against 127.0.0.1:6379:
   $ redis-benchmark

 20 connections, 100000 requests of each test, against another host:
   $ redis-benchmark -h 192.168.1.1 -p 6379 -n 100000 -c 20

 About a million keys:
   $ redis-benchmark -t set -n 1000000 -r 100000000

 A few tests as comma-separated values:
   $ redis-benchmark -t ping,set,get -n 100000 --csv

 A command of one's own:
   $ redis-benchmark -r 10000 -n 10000 lpush mylist __rand_int__

 What a GET costs the server:
   $ redis-benchmark -t get -P 16 -n 2000000 -q --cpu $(pgrep -n redoubt)
";
