"""The counters of both consumers: in Redis, or in memory where no Redis answers."""

from collections import Counter

import redis
from common import say, stopped

AWAY = (redis.ConnectionError, redis.TimeoutError)


class Counters:
    """One number per type of event, under the type's own name."""

    def __init__(self, url):
        self.counts = Counter()
        patience = {"socket_connect_timeout": 3, "socket_timeout": 5}
        self.redis = redis.Redis.from_url(url, decode_responses=True, **patience)
        try:
            self.redis.ping()
        except AWAY as problem:
            say(f"no Redis answers at {url} ({problem}); counting in memory, which ends with this program")
            self.redis = None

    def add(self, kind):
        """Counts one event, if need be after waiting for Redis; false if the program was stopped before."""
        while self.redis:
            try:
                self.redis.incr(kind)
                break
            except AWAY as problem:
                say(f"Redis is gone ({problem}); waiting for it")
                if stopped.wait(1):
                    return False
        self.counts[kind] += 1
        return True

    def show(self):
        """Prints every key of Redis that holds a number, also those that other programs count."""
        counts = dict(self.counts)
        if self.redis:
            try:
                keys = [key for key in self.redis.keys("*") if self.redis.type(key) == "string"]
                counts = {key: self.redis.get(key) for key in keys}
            except AWAY as problem:
                say(f"Redis is gone ({problem}); these are the counts of this run")
        for key, count in sorted(counts.items()):
            print(f"{key:<12} {count}", flush=True)
