"""Consumer groups through kafka-python: two members share a topic, and what they have committed stays.

Each member is polled by a thread of its own: polled in turn by one, with short time-outs, this client never gets through a
rebalance, with a real Kafka either.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from client import administrator, new_topic, produce, talks
from conversation import expect_equal, wait_until
from kafka import KafkaConsumer, TopicPartition

PARTITIONS = 3


class Member(threading.Thread):
    """A consumer of a group; its client is used by its own thread alone."""

    def __init__(self, group: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.values: list[str] = []
        self.owned: set[TopicPartition] = set()
        self._group, self._topic = group, topic
        self._leaves = threading.Event()
        self.start()

    def run(self) -> None:
        timeouts = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 300}
        settings = {"group_id": self._group, "auto_offset_reset": "earliest", "enable_auto_commit": False, **timeouts}
        reader = KafkaConsumer(self._topic, bootstrap_servers=talks.bootstrap, **settings)
        while not self._leaves.is_set():
            found = reader.poll(timeout_ms=500)
            self.values += [record.value.decode() for records in found.values() for record in records]
            self.owned = reader.assignment()
        reader.commit()
        reader.close()

    def leave(self) -> None:
        """Commits what was read, and leaves."""
        self._leaves.set()
        self.join()


@contextmanager
def member(group: str, topic: str) -> Iterator[Member]:
    reader = Member(group, topic)
    try:
        yield reader
    finally:
        reader.leave()


def committed(group: str) -> dict[int, int]:
    with administrator() as admin:
        return {part.partition: found.offset for part, found in admin.list_group_offsets([group])[group].items()}


@talks.named("two members share a topic, one leaves, and a later one goes on where they stopped")
def _() -> None:
    with new_topic("group", PARTITIONS) as topic:
        values = [f"{number:02}" for number in range(30)]
        with member(topic, topic) as one, member(topic, topic) as two:
            wait_until(lambda: {len(one.owned), len(two.owned)} == {1, 2})
            produce(topic, *({"value": each.encode(), "partition": int(each) % PARTITIONS} for each in values))
            wait_until(lambda: len(one.values) + len(two.values) >= len(values))
            expect_equal("what both have read", sorted(one.values + two.values), values)
            two.leave()
            wait_until(lambda: len(one.owned) == PARTITIONS)
        expect_equal("what is committed", committed(topic), {number: 10 for number in range(PARTITIONS)})
        produce(topic, {"value": b"later"})
        with member(topic, topic) as late:
            wait_until(lambda: bool(late.values))
            expect_equal("what a later member reads", late.values, ["later"])


@talks.named("an administrator sees the offsets of a group and deletes it")
def _() -> None:
    with new_topic("group-administered") as topic, administrator() as admin:
        produce(topic, {"value": b"a"})
        with member(topic, topic) as reader:
            wait_until(lambda: bool(reader.values))
        expect_equal("its offsets", committed(topic), {0: 1})
        expect_equal("the deletion", admin.delete_groups([topic])[topic], "OK")
        expect_equal("what is left", [offset for offset in committed(topic).values() if offset >= 0], [])
