"""What administrators ask through confluent-kafka's AdminClient: the cluster, topics, their settings and their offsets.

Each conversation removes its topics again, so these can be held with a broker that has others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from client import ask, create_topic, delete_topic, listed_topics, read, refusal_of, Sender, talks
from confluent_kafka import KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource
from confluent_kafka.admin import NewPartitions, OffsetSpec, ResourceType, TopicDescription
from conversation import expect, expect_equal, wait_until


@contextmanager
def new_topic(purpose: str, partitions: int = 1, **config: str) -> Iterator[str]:
    """A topic that is gone after the conversation, however it ends."""
    topic = talks.topic(purpose)
    create_topic(topic, partitions, **config)
    wait_until(lambda: topic in listed_topics())
    try:
        yield topic
    finally:
        delete_topic(topic)


def described(topic: str) -> TopicDescription:
    return ask(lambda client: client.describe_topics(TopicCollection([topic]))[topic])


def configs_of(kind: ResourceType, name: str) -> dict[str, ConfigEntry]:
    """All settings of a topic or broker, each with its value and where that comes from."""
    resource = ConfigResource(kind, name)
    return ask(lambda client: client.describe_configs([resource])[resource])


def set_on(topic: str) -> dict[str, str]:
    """Those settings of a topic that were made on the topic itself."""
    entries = configs_of(ResourceType.TOPIC, topic).values()
    return {entry.name: entry.value for entry in entries if entry.source == ConfigSource.DYNAMIC_TOPIC_CONFIG.value}


def change(
    name: str,
    *changes: tuple[str, AlterConfigOpType, str | None],
    kind: ResourceType = ResourceType.TOPIC,
    **options: object,
) -> None:
    """Changes some settings of a topic, or of a broker, and leaves the others as they are."""
    entries = [ConfigEntry(key, value, incremental_operation=how) for key, how, value in changes]
    resource = ConfigResource(kind, name, incremental_configs=entries)
    ask(lambda client: client.incremental_alter_configs([resource], **options)[resource])


def replace(topic: str, **config: str) -> None:
    """Gives a topic these settings and takes away all others."""
    resource = ConfigResource(ResourceType.TOPIC, topic, set_config=config)
    ask(lambda client: client.alter_configs([resource])[resource])


def extend(topic: str, count: int, replicas: list[list[int]] | None = None, **options: object) -> None:
    """Gives a topic this many partitions; for each new one, `replicas` may name the brokers that hold it."""
    new = NewPartitions(topic, count) if replicas is None else NewPartitions(topic, count, replica_assignment=replicas)
    ask(lambda client: client.create_partitions([new], **options)[topic])


def offset_of(topic: str, partition: int, wanted: OffsetSpec) -> int:
    where = TopicPartition(topic, partition)
    return ask(lambda client: client.list_offsets({where: wanted})[where]).offset


@talks.named("the cluster describes itself")
def _() -> None:
    cluster = ask(AdminClient.describe_cluster)
    nodes = {node.id: f"{node.host}:{node.port}" for node in cluster.nodes}
    expect(talks.bootstrap in nodes.values(), f"{talks.bootstrap} is none of the nodes {nodes}")
    expect(cluster.controller.id in nodes, f"controller {cluster.controller.id} is none of the nodes {nodes}")
    expect(bool(cluster.cluster_id), "the cluster has no id")


@talks.named("describe a topic, and one that does not exist")
def _() -> None:
    with new_topic("described", partitions=3) as topic:
        found = described(topic)
        expect_equal("name, and whether it is internal", (found.name, found.is_internal), (topic, False))
        expect(str(found.topic_id) != "AAAAAAAAAAAAAAAAAAAAAA", "the topic has no id")
        expect_equal("partitions", [partition.id for partition in found.partitions], [0, 1, 2])
        for partition in found.partitions:
            nodes = ([node.id for node in partition.replicas], [node.id for node in partition.isr])
            expect_equal("replicas and in-sync replicas", nodes, ([partition.leader.id], [partition.leader.id]))
        refused = refusal_of(described, f"{topic}-other")
        expect_equal("a topic that does not exist", refused.code(), KafkaError.UNKNOWN_TOPIC_OR_PART)


@talks.named("settings of a topic: read, changed one by one, replaced")
def _() -> None:
    with new_topic("configured", **{"retention.ms": "3600000"}) as topic:
        expect_equal("as created", set_on(topic), {"retention.ms": "3600000"})
        default = configs_of(ResourceType.TOPIC, topic)["max.message.bytes"]
        expect_equal("a default", (default.value, default.is_default), ("1048588", True))
        change(
            topic,
            ("max.message.bytes", AlterConfigOpType.SET, "2000"),
            ("cleanup.policy", AlterConfigOpType.APPEND, "compact"),
            ("retention.ms", AlterConfigOpType.DELETE, None),
        )
        changed = {"max.message.bytes": "2000", "cleanup.policy": "delete,compact"}
        expect_equal("after three changes", set_on(topic), changed)
        sender = Sender()
        sender.send(topic, b"." * 3000, key="key")
        sender.flush()
        errors = [error.code() for error in sender.errors]
        expect_equal("a record of 3000 bytes", errors, [KafkaError.MSG_SIZE_TOO_LARGE])
        change(topic, ("cleanup.policy", AlterConfigOpType.SUBTRACT, "delete"))
        expect_equal("one word less", set_on(topic), {**changed, "cleanup.policy": "compact"})
        replace(topic, **{"retention.bytes": "1000000"})
        expect_equal("after all were replaced", set_on(topic), {"retention.bytes": "1000000"})


@talks.named("changes of settings that are refused, each with its code")
def _() -> None:
    with new_topic("settled", **{"retention.ms": "3600000"}) as topic:
        put = AlterConfigOpType.SET
        attempts = {
            "an unknown setting": (topic, ("no.such.config", put, "1")),
            "a value that is no number": (topic, ("retention.ms", put, "soon")),
            "a number that is too small": (topic, ("max.message.bytes", put, "-1")),
            "adding to a number": (topic, ("retention.ms", AlterConfigOpType.APPEND, "1")),
        }
        for what, arguments in attempts.items():
            expect_equal(what, refusal_of(change, *arguments).code(), KafkaError.INVALID_CONFIG)
        good, bad = ("segment.ms", put, "60000"), ("segment.bytes", put, "many")
        expect_equal("one good, one bad", refusal_of(change, topic, good, bad).code(), KafkaError.INVALID_CONFIG)
        change(topic, ("retention.ms", put, "1"), validate_only=True)
        refused = refusal_of(replace, topic, **{"no.such.config": "1"})
        expect_equal("replacing by an unknown setting", refused.code(), KafkaError.INVALID_CONFIG)
        expect_equal("what was refused or only tried changed", set_on(topic), {"retention.ms": "3600000"})
        other = f"{topic}-other"
        for what, attempt, arguments in (
            ("changing", change, (other, ("retention.ms", put, "1"))),
            ("replacing", replace, (other,)),
            ("describing", configs_of, (ResourceType.TOPIC, other)),
        ):
            code = refusal_of(attempt, *arguments).code()
            expect_equal(f"{what} those of no topic", code, KafkaError.UNKNOWN_TOPIC_OR_PART)


@talks.named("settings of a broker")
def _() -> None:
    cluster = ask(AdminClient.describe_cluster)
    node = str(cluster.controller.id)
    configs = configs_of(ResourceType.BROKER, node)
    expect_equal("node.id", (configs["node.id"].value, configs["node.id"].is_read_only), (node, True))
    put, broker = AlterConfigOpType.SET, ResourceType.BROKER
    refused = refusal_of(change, node, ("node.id", put, "7"), kind=broker)
    expect_equal("changing what is fixed at the start", refused.code(), KafkaError.INVALID_REQUEST)
    # Only tried, because others may use this broker.
    change(node, ("message.max.bytes", put, "2000000"), kind=broker, validate_only=True)
    after = configs_of(broker, node)["message.max.bytes"].value
    expect_equal("message.max.bytes", after, configs["message.max.bytes"].value)


@talks.named("more partitions for a topic, and what is refused")
def _() -> None:
    with new_topic("extended") as topic:
        leader = described(topic).partitions[0].leader.id
        extend(topic, 3)
        wait_until(lambda: len(described(topic).partitions) > 1)
        expect_equal("partitions", [partition.id for partition in described(topic).partitions], [0, 1, 2])
        sender = Sender()
        sender.send(topic, b"to the last", partition=2)
        sender.flush()
        expect_equal("records", [message.value() for message in read(topic, partition=2)], [b"to the last"])
        extend(topic, 4, [[leader]])
        wait_until(lambda: len(described(topic).partitions) > 3)
        extend(topic, 9, validate_only=True)
        attempts = {
            "as many as there are": ((topic, 4), KafkaError.INVALID_PARTITIONS),
            "fewer than there are": ((topic, 2), KafkaError.INVALID_PARTITIONS),
            "a topic that does not exist": ((f"{topic}-other", 2), KafkaError.UNKNOWN_TOPIC_OR_PART),
            "a broker that does not exist": ((topic, 5, [[4711]]), KafkaError.INVALID_REPLICA_ASSIGNMENT),
        }
        for what, (arguments, code) in attempts.items():
            expect_equal(what, refusal_of(extend, *arguments).code(), code)
        expect_equal("partitions in the end", len(described(topic).partitions), 4)


@talks.named("list offsets: the first, the last, and by time")
def _() -> None:
    with new_topic("offsets", partitions=2, **{"retention.ms": "-1"}) as topic:
        sender = Sender()
        for number in range(10):
            sender.send(topic, f"{number}", partition=number % 2, timestamp=1000 + number)
        sender.flush()
        for partition in (0, 1):
            expect_equal("the first", offset_of(topic, partition, OffsetSpec.earliest()), 0)
            expect_equal("the last", offset_of(topic, partition, OffsetSpec.latest()), 5)
            expect_equal("the latest in time", offset_of(topic, partition, OffsetSpec.max_timestamp()), 4)
        expect_equal("the first at 1004", offset_of(topic, 1, OffsetSpec.for_timestamp(1004)), 2)
        expect_equal("none after all", offset_of(topic, 1, OffsetSpec.for_timestamp(2000)), -1)


@talks.named("delete two topics at once, one of which does not exist")
def _() -> None:
    topic = talks.topic("deleted")
    create_topic(topic)
    client = AdminClient({"bootstrap.servers": talks.bootstrap})
    deletions = client.delete_topics([topic, f"{topic}-other"], operation_timeout=20)
    deletions[topic].result(30)
    refused = refusal_of(deletions[f"{topic}-other"].result, 30)
    expect_equal("the one that does not exist", refused.code(), KafkaError.UNKNOWN_TOPIC_OR_PART)
    expect(topic not in listed_topics(), f"{topic} is still listed after it was deleted")
