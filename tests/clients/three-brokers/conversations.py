"""What tutorials on a cluster of three brokers do, with confluent-kafka: three addresses, replication factor 3, acks=all.

The same program runs against three real Kafkas, and against one process that shows itself as three.
"""

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from conversation import Conversations, Disagreement, expect, expect_equal, wait_until  # noqa: E402

BROKERS = 3
PARTITIONS = 6
RECORDS = 600

talks = Conversations("three-brokers")


def settings(**more: object) -> dict[str, object]:
    """What every client is told: all three addresses."""
    return {"bootstrap.servers": talks.bootstrap, "log_level": 3, **more}


def ask(question: Callable[[AdminClient], Future]) -> object:
    client = AdminClient(settings())
    return question(client).result(30)


def create(topic: str, replicas: int = BROKERS, partitions: int = PARTITIONS, **config: str) -> None:
    new = NewTopic(topic, num_partitions=partitions, replication_factor=replicas, config=config)
    ask(lambda client: client.create_topics([new], operation_timeout=20)[topic])


def partitions_of(topic: str) -> dict:
    return AdminClient(settings()).list_topics(topic, timeout=20).topics[topic].partitions


def produce(topic: str, count: int, **more: object) -> list[Message]:
    """Sends keyed records with acks=all, and returns them as they were delivered."""
    delivered, errors = [], []

    def note(error: KafkaError | None, message: Message) -> None:
        delivered.append(message) if error is None else errors.append(str(error))

    producer = Producer(settings(**{"acks": "all", "enable.idempotence": True, "linger.ms": 5, **more}))
    for number in range(count):
        producer.produce(topic, f"value {number}", key=f"key {number % 50}", on_delivery=note)
        producer.poll(0)
    expect_equal("records still unsent after 30 s", producer.flush(30), 0)
    expect_equal("errors of the producer", errors, [])
    return delivered


@talks.named("three brokers, each at its own address")
def _() -> None:
    brokers = AdminClient(settings()).list_topics(timeout=20).brokers
    expect_equal("brokers", sorted(brokers), [1, 2, 3])
    told = {f"{broker.host}:{broker.port}" for broker in brokers.values()}
    expect_equal("their addresses", told, set(talks.bootstrap.split(",")))
    described = ask(lambda client: client.describe_cluster())
    expect_equal("brokers of the cluster", sorted(node.id for node in described.nodes), [1, 2, 3])
    expect(described.controller.id in brokers, f"the controller is {described.controller}")


@talks.named("a topic with three replicas is led by all brokers, and in sync")
def _() -> None:
    topic = talks.topic("payments")
    create(topic, **{"min.insync.replicas": "2"})
    wait_until(lambda: all(len(it.isrs) == BROKERS for it in partitions_of(topic).values()))
    partitions = partitions_of(topic)
    expect_equal("partitions", sorted(partitions), list(range(PARTITIONS)))
    for number, partition in partitions.items():
        expect_equal(f"replicas of {number}", sorted(partition.replicas), [1, 2, 3])
    led = Counter(partition.leader for partition in partitions.values())
    expect_equal("partitions that each broker leads", dict(led), {1: 2, 2: 2, 3: 2})


@talks.named("records with acks=all are read by a group of two members")
def _() -> None:
    topic, group = talks.topic("orders"), talks.topic("group")
    create(topic, **{"min.insync.replicas": "2"})
    delivered = produce(topic, RECORDS)
    by_partition = Counter(message.partition() for message in delivered)
    expect(len(by_partition) == PARTITIONS, f"records lie in {sorted(by_partition)} alone")
    group_settings = {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    members = [Consumer(settings(**group_settings)) for _ in range(2)]
    got: list[tuple[bytes, bytes]] = []
    for member in members:
        member.subscribe([topic])

    def poll_all() -> bool:
        for member in members:
            message = member.poll(0.05)
            if message is not None:
                if message.error():
                    raise KafkaException(message.error())
                got.append((message.key(), message.value()))
                member.commit(message, asynchronous=True)
        is_shared = [len(member.assignment()) for member in members] == [PARTITIONS // 2] * 2
        return len(set(got)) == RECORDS and is_shared

    wait_until(poll_all)
    sent = {(f"key {number % 50}".encode(), f"value {number}".encode()) for number in range(RECORDS)}
    expect_equal("what was read", set(got), sent)
    described = ask(lambda client: client.describe_consumer_groups([group])[group])
    expect_equal("members", len(described.members), 2)
    expect(described.coordinator.id in (1, 2, 3), f"the coordinator is {described.coordinator}")
    listed = ask(lambda client: client.list_consumer_groups()).valid
    expect_equal("the group in the list of all", [it.group_id for it in listed if it.group_id == group], [group])
    for member in members:
        member.close()
    committed = Consumer(settings(**{"group.id": group})).committed(
        [TopicPartition(topic, number) for number in range(PARTITIONS)], timeout=20
    )
    expect_equal("committed", {it.partition: it.offset for it in committed}, dict(by_partition))


@talks.named("any one of the addresses leads to all of them")
def _() -> None:
    topic = talks.topic("bootstrap")
    create(topic)
    for number, address in enumerate(talks.bootstrap.split(","), start=1):
        delivered = produce(topic, 60, **{"bootstrap.servers": address})
        expect_equal(f"records through {address}", len(delivered), 60)
        reader = Consumer(settings(**{"bootstrap.servers": address, "group.id": "unused"}))
        ends = [reader.get_watermark_offsets(TopicPartition(topic, it), timeout=20)[1] for it in range(PARTITIONS)]
        reader.close()
        expect_equal(f"records by {address}", sum(ends), 60 * number)


@talks.named("four replicas on three brokers are refused")
def _() -> None:
    try:
        create(talks.topic("four"), replicas=4)
    except KafkaException as refused:
        expect_equal("the code", refused.args[0].code(), KafkaError.INVALID_REPLICATION_FACTOR)
        return
    raise Disagreement("a topic with four replicas was created")


if __name__ == "__main__":
    talks.hold()
