"""How the conversations use confluent-kafka: a producer, a consumer and an admin client, each in a few lines.

Consumers here are given their partitions (`assign`): no group is joined and no offset committed. Groups are in groups.py.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka import OFFSET_BEGINNING
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from conversation import Conversations, Disagreement, expect_equal  # noqa: E402

talks = Conversations("confluent-kafka")


def settings_with(**settings: object) -> dict[str, object]:
    """The settings every client needs, and these. Only errors are logged: what is normal is checked, not read."""
    return {"bootstrap.servers": talks.bootstrap, "log_level": 3, **settings}


class Sender:
    """A producer that remembers what the broker said about each record it sent."""

    def __init__(self, **settings: object) -> None:
        self._producer = Producer(settings_with(**{"linger.ms": 5, **settings}))
        self.delivered: list[Message] = []
        self.errors: list[KafkaError] = []

    def send(self, topic: str, value: bytes | str | None, **fields: object) -> None:
        """Queues one record."""
        self._producer.produce(topic, value, on_delivery=self._on_delivery, **fields)
        self._producer.poll(0)

    def flush(self) -> None:
        """Waits until the broker has answered for every record."""
        expect_equal("records still unsent after 30 s", self._producer.flush(30), 0)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.delivered.append(message)
        else:
            self.errors.append(error)


def produce(topic: str, *values: bytes | str | None, **settings: object) -> list[Message]:
    """Produces these values to partition 0 and returns them as delivered."""
    sender = Sender(**settings)
    for value in values:
        sender.send(topic, value, partition=0)
    sender.flush()
    expect_equal("errors of the producer", [str(error) for error in sender.errors], [])
    return sender.delivered


@contextmanager
def consumer(topic: str, offset: int = OFFSET_BEGINNING, partition: int = 0, **settings: object) -> Iterator[Consumer]:
    """A consumer that was given one partition; the group id is required by the client and never used."""
    standard = {"group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True}
    reader = Consumer(settings_with(**{**standard, **settings}))
    reader.assign([TopicPartition(topic, partition, offset)])
    try:
        yield reader
    finally:
        reader.close()


def poll(reader: Consumer, limit_seconds: float = 20) -> Message:
    """The next record, or the end of the partition (`message.error()` says so), within the time limit."""
    message = reader.poll(limit_seconds)
    if message is None:
        raise Disagreement(f"neither a record nor the partition's end came within {limit_seconds} s")
    return message


def read(topic: str, offset: int = OFFSET_BEGINNING, partition: int = 0, **settings: object) -> list[Message]:
    """Reads a partition from an offset to its end."""
    records = []
    with consumer(topic, offset, partition, **settings) as reader:
        while True:
            message = poll(reader)
            if message.error() is None:
                records.append(message)
            elif message.error().code() == KafkaError._PARTITION_EOF:
                return records
            else:
                raise KafkaException(message.error())


def ask(question: Callable[[AdminClient], Future]) -> object:
    """Asks an admin client and waits for the answer. The client must outlive the question, or it is never sent."""
    client = AdminClient(settings_with())
    return question(client).result(30)


def refusal_of(attempt: Callable[..., object], *arguments: object, **named: object) -> KafkaError:
    """The error with which an attempt that must fail has failed."""
    try:
        result = attempt(*arguments, **named)
    except KafkaException as refused:
        return refused.args[0]
    raise Disagreement(f"this should have been refused, and returned {result!r}")


def create_topic(name: str, partitions: int = 1, replicas: int = 1, **config: str) -> None:
    new = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=config)
    ask(lambda client: client.create_topics([new], operation_timeout=20)[name])


def delete_topic(name: str) -> None:
    ask(lambda client: client.delete_topics([name], operation_timeout=20)[name])


def listed_topics() -> dict:
    """All topics of the cluster with their partitions, by name."""
    return AdminClient(settings_with()).list_topics(timeout=20).topics
