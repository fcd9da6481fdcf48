"""What administrators ask through KafkaAdminClient: the cluster, topics, their settings, offsets and files."""

from client import administrator, new_topic, produce, read, refusal_of, talks
from conversation import expect, expect_equal, wait_until
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, OffsetSpec


def set_on(client: KafkaAdminClient, topic: str) -> dict[str, str]:
    """Those settings of a topic that were made on the topic itself."""
    answer = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    entries = answer["topic"][topic].items()
    return {key: entry["value"] for key, entry in entries if entry["config_source"] == "DYNAMIC_TOPIC_CONFIG"}


def change(client: KafkaAdminClient, topic: str, configs: dict, **options: object) -> str:
    """Changes settings of a topic and returns what the broker said of it: this client raises nothing here.

    By itself it asks for the topic's settings first and sends no name that it did not find; here the broker shall say.
    """
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
    return client.alter_configs([resource], raise_on_unknown=False, **options)["topic"][topic]


@talks.named("the cluster describes itself, and where it keeps its files")
def _() -> None:
    with new_topic("files", partitions=2) as topic, administrator() as client:
        cluster = client.describe_cluster()
        nodes = {node["broker_id"]: f"{node['host']}:{node['port']}" for node in cluster["brokers"]}
        expect(talks.bootstrap in nodes.values(), f"{talks.bootstrap} is none of the nodes {nodes}")
        expect(cluster["controller_id"] in nodes, f"controller {cluster['controller_id']} is none of the nodes {nodes}")
        produce(topic, {"value": b"." * 10_000})
        sizes = {}
        for log_dir in client.describe_log_dirs({topic: [0, 1]})[0]["log_dirs"]:
            expect_equal("error of the folder", log_dir["error_code"], 0)
            for found in log_dir["topics"]:
                sizes |= {each["partition_index"]: each["partition_size"] for each in found["partitions"]}
        expect(10_000 < sizes[0] < 11_000 and sizes[1] == 0, f"the sizes are {sizes}")


@talks.named("create, list, describe and delete a topic")
def _() -> None:
    with new_topic("admin", partitions=3) as topic, administrator() as client:
        expect(topic in client.list_topics(), f"{topic} is not listed after it was created")
        [found] = client.describe_topics([topic])
        expect_equal("name, and whether it is internal", (found["name"], found["is_internal"]), (topic, False))
        expect_equal("partitions", sorted(each["partition_index"] for each in found["partitions"]), [0, 1, 2])
        for each in found["partitions"]:
            leader = [each["leader_id"]]
            expect_equal("replicas and in-sync replicas", (each["replica_nodes"], each["isr_nodes"]), (leader, leader))
    with administrator() as client:
        wait_until(lambda: topic not in client.list_topics())
        expect_equal("deleting it again", refusal_of(client.delete_topics, [topic]), "UnknownTopicOrPartitionError")


@talks.named("topic creations that are refused, each with its exception")
def _() -> None:
    with new_topic("refused") as topic, administrator() as client:
        other = f"{topic}-other"
        attempts = {
            "a topic that exists": (topic, {}, "TopicAlreadyExistsError"),
            "replication factor 3 on one node": (other, {"replication_factor": 3}, "InvalidReplicationFactorError"),
            "no partitions": (other, {"num_partitions": 0}, "InvalidPartitionsError"),
            "an invalid name": ("no spaces allowed", {}, "InvalidTopicError"),
            "an unknown setting": (other, {"configs": {"no.such.config": "1"}}, "InvalidConfigurationError"),
        }
        for what, (name, wanted, exception) in attempts.items():
            expect_equal(what, refusal_of(client.create_topics, {name: wanted}), exception)
        client.create_topics({other: {}}, validate_only=True)
        expect(other not in client.list_topics(), f"{other} exists though it was refused or only tried")


@talks.named("settings of a topic: read, changed one by one, replaced, refused")
def _() -> None:
    with new_topic("configured", **{"retention.ms": "3600000"}) as topic, administrator() as client:
        expect_equal("as created", set_on(client, topic), {"retention.ms": "3600000"})
        changes = {
            "max.message.bytes": "2000",
            "cleanup.policy": (AlterConfigOp.APPEND, "compact"),
            "retention.ms": (AlterConfigOp.DELETE, None),
        }
        expect_equal("three changes", change(client, topic, changes), "OK")
        changed = {"max.message.bytes": "2000", "cleanup.policy": "delete,compact"}
        expect_equal("after three changes", set_on(client, topic), changed)
        expect_equal("only tried", change(client, topic, {"retention.ms": "1"}, validate_only=True), "OK")
        for what, configs in {
            "an unknown setting": {"no.such.config": "1"},
            "a value that is no number": {"retention.ms": "soon"},
            "one good, one bad": {"segment.ms": "60000", "segment.bytes": "many"},
        }.items():
            said = change(client, topic, configs)
            expect("InvalidConfigurationError" in said, f"{what}: the answer was {said}")
        said = change(client, f"{topic}-other", {"retention.ms": "1"})
        expect("UnknownTopicOrPartitionError" in said, f"a topic that does not exist: the answer was {said}")
        expect_equal("what was refused or only tried changed", set_on(client, topic), changed)
        # Here the client sends AlterConfigs, which takes away what it does not name; so it names all it found, too.
        said = change(client, topic, {"retention.bytes": "1000000"}, incremental=False)
        expect_equal("the answer to AlterConfigs", said, "OK")
        expect_equal("after AlterConfigs", set_on(client, topic), {**changed, "retention.bytes": "1000000"})
        client.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, ["cleanup.policy"])], incremental=False)
        left = {"max.message.bytes": "2000", "retention.bytes": "1000000"}
        expect_equal("one taken away by AlterConfigs", set_on(client, topic), left)


@talks.named("more partitions for a topic, and what is refused")
def _() -> None:
    with new_topic("extended") as topic, administrator() as client:
        client.create_partitions({topic: 3})
        client.wait_for_topics([topic])
        produce(topic, {"value": b"to the last", "partition": 2})
        expect_equal("records", [record.value for record in read(topic, 1, partition=2)], [b"to the last"])
        client.create_partitions({topic: 9}, validate_only=True)
        attempts = {
            "as many as there are": ({topic: 3}, "InvalidPartitionsError"),
            "fewer than there are": ({topic: 2}, "InvalidPartitionsError"),
            "a topic that does not exist": ({f"{topic}-other": 2}, "UnknownTopicOrPartitionError"),
            "a broker that does not exist": (
                {topic: {"count": 4, "assignments": [[4711]]}},
                "InvalidReplicationAssignmentError",
            ),
        }
        for what, (wanted, exception) in attempts.items():
            expect_equal(what, refusal_of(client.create_partitions, wanted), exception)
        expect_equal("partitions in the end", len(client.describe_topics([topic])[0]["partitions"]), 3)


@talks.named("list offsets: the first, the last, and by time")
def _() -> None:
    with new_topic("offsets", **{"retention.ms": "-1"}) as topic, administrator() as client:
        # Out of order on purpose: the answer is the first offset whose timestamp is at or after the wanted one.
        produce(topic, *({"value": b"", "timestamp_ms": time_ms} for time_ms in (1000, 3000, 2000)))
        where = TopicPartition(topic, 0)
        named = ((OffsetSpec.EARLIEST, 0), (OffsetSpec.LATEST, 3), (OffsetSpec.MAX_TIMESTAMP, 1))
        for wanted, offset in (*named, (1500, 1), (3001, -1)):
            found = client.list_partition_offsets({where: wanted})[where]
            expect_equal(f"the offset of {wanted}", found.offset, offset)
        nowhere = {TopicPartition(topic, 7): OffsetSpec.LATEST}
        refused = refusal_of(client.list_partition_offsets, nowhere)
        expect_equal("a partition that does not exist", refused, "UnknownTopicOrPartitionError")
