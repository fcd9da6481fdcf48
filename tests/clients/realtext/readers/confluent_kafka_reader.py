"""Reads a topic as a member of a group, with confluent-kafka. Usage: confluent_kafka_reader.py HOST:PORT TOPIC GROUP

Prints a line for each record, its partition, its offset and its value, and commits only what it has printed. SIGTERM ends it.
"""

import signal
import sys

from confluent_kafka import Consumer

told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))
bootstrap, topic, group = sys.argv[1:]
settings = {
    "bootstrap.servers": bootstrap,
    "group.id": group,
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 300,
    "auto.commit.interval.ms": 500,
    # What is not printed yet is not to be committed.
    "enable.auto.offset.store": False,
    "log_level": 2,
}
member = Consumer(settings)
member.subscribe([topic])
while not told:
    messages = [message for message in member.consume(1000, timeout=0.2) if message.error() is None]
    for message in messages:
        sys.stdout.buffer.write(b"%d %d %s\n" % (message.partition(), message.offset(), message.value()))
    sys.stdout.flush()
    for message in messages:
        try:
            member.store_offsets(message)
        except Exception:  # The partition has gone to another member meanwhile, which reads it again.
            break
member.close()
