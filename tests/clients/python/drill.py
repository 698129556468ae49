"""The guide's redis-py Sentinel sample, completed into a loop that writes through a failover.

Writes numbered values, records which were acknowledged, and at the end reads every one of them back
from the primary of that moment. The options given to `Sentinel` and `master_for` are the sample's; only
addresses and passwords come from the command line. See ../README.md for the lines it prints.
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter

import redis
from redis.sentinel import Sentinel

RETRY_SECONDS = 0.05
READ_BACK_KEYS = 500
READ_BACK_SECONDS = 30


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentinels", required=True, help="host:port,host:port,...")
    parser.add_argument("--name", default="mymaster")
    parser.add_argument("--password", help="of the servers")
    parser.add_argument("--sentinel-password", help="of the sentinels")
    parser.add_argument("--label", default="redis-py", help="part of every key")
    parser.add_argument("--seconds", type=float, help="stop by itself; else at the end of stdin")
    parser.add_argument("--pause-ms", type=float, default=1, help="between two writes")
    parser.add_argument("--gap-ms", type=int, default=300, help="the least gap to report")
    return parser.parse_args()


def unix_ms():
    return time.time_ns() // 1_000_000


def say(line):
    print(line, flush=True)


class Drill:
    """One client's writes and what became of them."""

    def __init__(self, given):
        self.given = given
        self.stop = threading.Event()
        self.tried = 0
        self.acknowledged = 0
        self.longest_gap_ms = 0
        self.errors = Counter()
        addresses = [item.rsplit(":", 1) for item in given.sentinels.split(",")]
        self.sentinel = Sentinel(
            [(host, int(port)) for host, port in addresses],
            socket_timeout=5,
            password=given.password,
            sentinel_kwargs={"password": given.sentinel_password},
        )
        self.master = self.master_for()

    def master_for(self):
        return self.sentinel.master_for(
            self.given.name, socket_timeout=5, retry_on_timeout=True, db=0
        )

    def key(self, number):
        return f"drill:{self.given.label}:{number}"

    def write(self):
        """Writes 1, 2, 3, ...; a number that was refused is tried again until it is accepted."""
        last = None
        while not self.stop.is_set():
            number = self.acknowledged + 1
            self.tried += 1
            try:
                self.master.set(self.key(number), number)
            except redis.RedisError as error:
                self.errors[f"{type(error).__name__}: {error}"] += 1
                self.stop.wait(RETRY_SECONDS)
                continue
            self.acknowledged = number
            now = unix_ms()
            if last is None:
                say("ready")
            else:
                self.gap(last, now)
            last = now
            self.stop.wait(self.given.pause_ms / 1000)

    def gap(self, last, now):
        self.longest_gap_ms = max(self.longest_gap_ms, now - last)
        if now - last >= self.given.gap_ms:
            say(f"gap {last} {now}")

    def lost(self):
        """Counts the acknowledged numbers that the primary of this moment does not hold."""
        lost, first = 0, 1
        deadline = time.monotonic() + READ_BACK_SECONDS
        while first <= self.acknowledged:
            numbers = range(first, min(first + READ_BACK_KEYS, self.acknowledged + 1))
            try:
                values = self.master.mget([self.key(number) for number in numbers])
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_SECONDS)
                continue
            wanted = [str(number).encode() for number in numbers]
            lost += sum(found != value for found, value in zip(values, wanted))
            first = numbers[-1] + 1
        return lost


def main():
    given = options()
    drill = Drill(given)

    def until_told():
        sys.stdin.read()
        drill.stop.set()

    if given.seconds is None:
        threading.Thread(target=until_told, daemon=True).start()
    else:
        threading.Timer(given.seconds, drill.stop.set).start()
    drill.write()
    say(
        json.dumps(
            {
                "client": "redis-py",
                "tried": drill.tried,
                "acknowledged": drill.acknowledged,
                "lost": drill.lost(),
                "longest_gap_ms": drill.longest_gap_ms,
                "errors": drill.errors,
            }
        )
    )


if __name__ == "__main__":
    main()
