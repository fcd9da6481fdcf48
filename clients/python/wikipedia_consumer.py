"""Counts the edits in the topic `wikipedia-edits` by their type, in Redis, until Ctrl+C."""

import json
import os
import time

from common import IDLE_EXIT, KAFKA, LIMIT, MALFORMED, say, stopped
from confluent_kafka import Consumer, KafkaError, KafkaException
from counters import Counters

TOPIC = os.environ.get("TOPIC", "wikipedia-edits")
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
SETTINGS = {
    "group.id": os.environ.get("GROUP", "wikipedia-consumer"),
    "auto.offset.reset": "earliest",
    # Offsets are committed in the background, every 5 s, but only those that this program has stored.
    "enable.auto.commit": True,
    "enable.auto.offset.store": False,
    "partition.assignment.strategy": "range",
    "session.timeout.ms": 45_000,
    "heartbeat.interval.ms": 3000,
    "max.poll.interval.ms": 300_000,
    "fetch.wait.max.ms": 500,
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "topic.metadata.refresh.interval.ms": 2000,  # how soon a topic is found that is not there yet
    "group.protocol": "classic",
}


def kind_of(value):
    """What an event is counted by; nothing if the record is no event."""
    try:
        kind = json.loads(value)["type"]
    except MALFORMED:
        return None
    return kind if isinstance(kind, str) and kind else None


def main():
    consumer = Consumer({**KAFKA, **SETTINGS})
    consumer.subscribe([TOPIC])
    counters, read, last = Counters(REDIS_URL), 0, time.monotonic()
    while not stopped.is_set() and read < LIMIT and time.monotonic() - last < IDLE_EXIT:
        record = consumer.poll(1)
        if record is None:
            print(f"Waiting for records in {TOPIC} at {KAFKA['bootstrap.servers']} ...", flush=True)
        elif record.error() and record.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            print(f"Waiting for the topic {TOPIC}, which a producer creates ...", flush=True)
        elif record.error():
            say(record.error().str())
        else:
            kind = kind_of(record.value())
            if kind and not counters.add(kind):
                break
            try:
                consumer.store_offsets(record)  # after the count: a crash may count it twice, never not
            except KafkaException:
                say("the partition went to another member of the group, which reads this record again")
            print(f"{record.offset()} --> {kind or 'no event'}", flush=True)
            read, last = read + 1, time.monotonic()
    consumer.close()  # commits what is stored and leaves the group
    say(f"{read} records read, {counters.counts.total()} counted")
    counters.show()


if __name__ == "__main__":
    main()
