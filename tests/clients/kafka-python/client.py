"""How the conversations use kafka-python: an admin client, a producer and a consumer, each in a few lines.

Consumers here are given their partitions (`assign`): no group is joined and no offset committed. Groups are in groups.py.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.producer.future import RecordMetadata

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from conversation import Conversations, Disagreement, expect_equal  # noqa: E402

talks = Conversations("kafka-python")


@contextmanager
def administrator() -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=talks.bootstrap)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def new_topic(purpose: str, partitions: int = 1, **configs: str) -> Iterator[str]:
    """A topic that is gone after the conversation, however it ends."""
    topic = talks.topic(purpose)
    wanted = {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}}
    with administrator() as client:
        client.create_topics(wanted, wait_for_metadata=True)
        try:
            yield topic
        finally:
            client.delete_topics([topic])


def produce(topic: str, *records: dict, **settings: object) -> list[RecordMetadata]:
    """Produces records, each given as the arguments of `send`, and returns what the broker said of each."""
    with_partition = [{"partition": 0, **record} for record in records]
    producer = KafkaProducer(bootstrap_servers=talks.bootstrap, **settings)
    try:
        sent = [producer.send(topic, **record) for record in with_partition]
        return [each.get(timeout=30) for each in sent]
    finally:
        producer.close()


def read(topic: str, count: int, offset: int = 0, partition: int = 0, **settings: object) -> list[ConsumerRecord]:
    """Reads so many records of a partition from an offset on, and checks that there are no more."""
    where = TopicPartition(topic, partition)
    reader = KafkaConsumer(bootstrap_servers=talks.bootstrap, consumer_timeout_ms=20_000, **settings)
    try:
        reader.assign([where])
        reader.seek(where, offset)
        records = [next(reader) for _ in range(count)]
        expect_equal("the end of the partition", reader.end_offsets([where])[where], reader.position(where))
        return records
    finally:
        reader.close()


def refusal_of(attempt: Callable[..., object], *arguments: object, **named: object) -> str:
    """The name of the exception with which an attempt that must fail has failed."""
    try:
        result = attempt(*arguments, **named)
    except Exception as refused:  # Which one it is, is what the conversation asks.
        return type(refused).__name__
    raise Disagreement(f"this should have been refused, and returned {result!r}")
