"""Conversations held by confluent-kafka, the Python client built on librdkafka (2.16). Start them with `run`."""

import json
import random
from functools import partial

from client import ask, consumer, create_topic, delete_topic, listed_topics, poll, produce, read, refusal_of, talks
from client import Sender
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME
from confluent_kafka.admin import AdminClient, OffsetSpec
from conversation import expect, expect_equal, now_ms

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
HEADERS = [("colour", b"red"), ("colour", b"blue"), ("empty", b""), ("null", None), ("binary", bytes(range(256)))]

def produce_and_read_back(codec: str) -> None:
    topic = talks.topic(f"codec-{codec}")
    sent = [
        # key, value, headers, timestamp in ms; None for the timestamp means now.
        (b"key 1", b"value 1", HEADERS, 1_700_000_000_123),
        (b"key 2", None, [], None),
        (None, b"value 3", [("only", b"one")], None),
        (None, None, [], 1_600_000_000_000),
        (b"", b"", [("", b"empty name")], None),
        (bytes(range(256)), "repeated ¿ ".encode() * 500, [], None),
    ]
    create_topic(topic, **{"retention.ms": "-1"})
    sender = Sender(**{"compression.type": codec})
    started_ms = now_ms()
    for key, value, headers, timestamp in sent:
        given = {} if timestamp is None else {"timestamp": timestamp}
        sender.send(topic, value, key=key, headers=headers, partition=0, **given)
    sender.flush()
    ended_ms = now_ms()
    expect_equal("delivered offsets", [message.offset() for message in sender.delivered], list(range(len(sent))))

    got = read(topic)
    expect_equal("offsets", [message.offset() for message in got], list(range(len(sent))))
    for message, (key, value, headers, timestamp) in zip(got, sent, strict=True):
        which = f"of offset {message.offset()}"
        expect_equal(f"key {which}", message.key(), key)
        expect_equal(f"value {which}", message.value(), value)
        expect_equal(f"headers {which}", message.headers() or [], headers)
        kind, time_ms = message.timestamp()
        expect_equal(f"timestamp type {which}", kind, TIMESTAMP_CREATE_TIME)
        if timestamp is None:
            expect(started_ms <= time_ms <= ended_ms, f"timestamp {time_ms} {which} is not when it was produced")
        else:
            expect_equal(f"timestamp {which}", time_ms, timestamp)


for each_codec in CODECS:
    talks.add(f"produce {each_codec}, read back", partial(produce_and_read_back, each_codec))


@talks.named("create, list and delete a topic")
def _() -> None:
    topic = talks.topic("admin")
    create_topic(topic, partitions=3, **{"max.message.bytes": "2000000"})
    topics = listed_topics()
    expect(topic in topics, f"{topic} is not listed after it was created")
    partitions = topics[topic].partitions
    expect_equal("partitions", sorted(partitions), [0, 1, 2])
    for partition in partitions.values():
        leader = [partition.leader]
        expect_equal("replicas and in-sync replicas", (partition.replicas, partition.isrs), (leader, leader))
    delete_topic(topic)
    expect(topic not in listed_topics(), f"{topic} is still listed after it was deleted")
    expect_equal("deleting it again", refusal_of(delete_topic, topic).code(), KafkaError.UNKNOWN_TOPIC_OR_PART)


@talks.named("topic creations that are refused, each with its code")
def _() -> None:
    topic = talks.topic("refused")
    create_topic(topic)
    other = f"{topic}-other"
    attempts = {
        "a topic that exists": ((topic,), {}, KafkaError.TOPIC_ALREADY_EXISTS),
        "replication factor 3 on one node": ((other, 1, 3), {}, KafkaError.INVALID_REPLICATION_FACTOR),
        "no partitions": ((other, 0), {}, KafkaError.INVALID_PARTITIONS),
        "an invalid name": (("no spaces allowed",), {}, KafkaError.TOPIC_EXCEPTION),
        "an unknown config": ((other,), {"no.such.config": "1"}, KafkaError.INVALID_CONFIG),
    }
    for what, (arguments, config, code) in attempts.items():
        expect_equal(what, refusal_of(create_topic, *arguments, **config).code(), code)
    expect(other not in listed_topics(), f"{other} exists though it was refused")


@talks.named("a topic created again under the same name is empty")
def _() -> None:
    topic = talks.topic("again")
    for round_number in range(2):
        create_topic(topic)
        expect_equal("records in the new topic", [message.value() for message in read(topic)], [])
        delivered = produce(topic, f"round {round_number}")
        expect_equal("its first offset", delivered[0].offset(), 0)
        expect_equal("its record", [message.value() for message in read(topic)], [f"round {round_number}".encode()])
        delete_topic(topic)


@talks.named("a topic is created by producing to it, not by asking for it")
def _() -> None:
    topic = talks.topic("auto")
    with consumer(topic) as reader:
        code = reader.list_topics(topic, timeout=20).topics[topic].error.code()
        expect_equal("error of a topic that does not exist", code, KafkaError.UNKNOWN_TOPIC_OR_PART)
        refused = refusal_of(reader.get_watermark_offsets, TopicPartition(topic, 0), timeout=20)
        expect_equal("error of its watermarks", refused.code(), KafkaError._UNKNOWN_PARTITION)
    expect(topic not in listed_topics(), "asking for a topic created it")
    produce(topic, "first")
    expect_equal("records", [message.value() for message in read(topic)], [b"first"])


@talks.named("two partitions keep their own order")
def _() -> None:
    topic = talks.topic("two")
    create_topic(topic, partitions=2)
    sender = Sender()
    for number in range(1000):
        sender.send(topic, f"{number}", partition=number % 2)
    sender.flush()
    for partition in (0, 1):
        got = [int(message.value()) for message in read(topic, partition=partition)]
        expect_equal(f"partition {partition}", got, list(range(partition, 1000, 2)))
    with consumer(topic) as reader:
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in (0, 1)])
        ends, values = 0, []
        while ends < 2:
            message = poll(reader)
            if message.error() is None:
                values.append(int(message.value()))
            else:
                expect_equal("the end of a partition", message.error().code(), KafkaError._PARTITION_EOF)
                ends += 1
    expect_equal("both partitions together", sorted(values), list(range(1000)))


@talks.named("offsets by timestamp, watermarks, and reading from them")
def _() -> None:
    topic = talks.topic("times")
    create_topic(topic, **{"retention.ms": "-1"})
    sender = Sender()
    # Out of order on purpose: the answer is the first offset whose timestamp is at or after the wanted one.
    times_ms = [1_000_000, 3_000_000, 2_000_000, 4_000_000]
    for time_ms in times_ms:
        sender.send(topic, f"{time_ms}", partition=0, timestamp=time_ms)
    sender.flush()
    with consumer(topic) as reader:
        expect_equal("watermarks", reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=20), (0, 4))
        searches = ((0, 0), (1_000_000, 0), (1_000_001, 1), (3_000_000, 1), (3_000_001, 3), (4_000_001, -1))
        for time_ms, offset in searches:
            found = reader.offsets_for_times([TopicPartition(topic, 0, time_ms)], timeout=20)[0]
            expect_equal(f"error of the search for {time_ms}", found.error, None)
            expect_equal(f"offset of the first record at {time_ms}", found.offset, offset)
    where = TopicPartition(topic, 0)
    for name, offset in (("earliest", 0), ("latest", 4), ("max_timestamp", 3)):
        wanted = {where: getattr(OffsetSpec, name)()}
        found = ask(lambda client, wanted=wanted: client.list_offsets(wanted)[where])
        expect_equal(f"the {name} offset", found.offset, offset)
    expect_equal("from offset 2", [message.offset() for message in read(topic, offset=2)], [2, 3])
    expect_equal("from the end", read(topic, offset=OFFSET_END), [])


@talks.named("timestamps given by the log")
def _() -> None:
    topic = talks.topic("append-time")
    create_topic(topic, **{"message.timestamp.type": "LogAppendTime"})
    sender = Sender(**{"compression.type": "zstd"})
    before_ms = now_ms()
    for number in range(3):
        sender.send(topic, f"{number}", partition=0, timestamp=1_000)
    sender.flush()
    for message in read(topic):
        kind, time_ms = message.timestamp()
        expect_equal("timestamp type", kind, TIMESTAMP_LOG_APPEND_TIME)
        expect(before_ms <= time_ms <= now_ms(), f"timestamp {time_ms} is not the time of the append")


@talks.named("offset out of range: an error, or a reset")
def _() -> None:
    topic = talks.topic("out-of-range")
    produce(topic, "only")
    with consumer(topic, offset=1000, **{"auto.offset.reset": "error"}) as reader:
        code = poll(reader).error().code()
        expect(code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), f"the error was {code}")
    earliest = read(topic, offset=1000, **{"auto.offset.reset": "earliest"})
    expect_equal("reset to the start", [message.value() for message in earliest], [b"only"])
    expect_equal("reset to the end", read(topic, offset=1000, **{"auto.offset.reset": "latest"}), [])


@talks.named("a waiting consumer gets each record at once, and waits in the broker")
def _() -> None:
    topic = talks.topic("tail")
    produce(topic, "record 0")
    counted = {}

    def count(statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        counted["fetches"] = sum(broker["req"].get("Fetch", 0) for broker in brokers)

    # The broker may wait up to 40 s, so a record that arrives soon has ended the wait.
    settings = {"fetch.wait.max.ms": 40_000, "statistics.interval.ms": 200, "stats_cb": count}
    with consumer(topic, **settings, **{"enable.partition.eof": False}) as reader:
        expect_equal("the record that was there", poll(reader).value(), b"record 0")
        for number in range(1, 4):
            produce(topic, f"record {number}")
            expect_equal("the new record", poll(reader, 20).value(), f"record {number}".encode())
        expect(reader.poll(2) is None, "a record came that nobody produced")
    expect("fetches" in counted, "the client counted no requests")
    # One fetch per record, the one still waiting, and a few for the client's own reasons; a busy loop makes thousands.
    expect(counted["fetches"] <= 10, f"{counted['fetches']} fetches for 4 records: the broker does not wait for data")


@talks.named("a value near 1 MB, one too large, and a topic that allows more")
def _() -> None:
    topic = talks.topic("large")
    value = random.Random(1).randbytes(999_000)
    produce(topic, value)
    expect(read(topic)[0].value() == value, "a value of 999 000 bytes came back changed")
    sender = Sender(**{"message.max.bytes": 8_000_000})
    sender.send(topic, value * 2)
    sender.flush()
    expect_equal("errors", [error.code() for error in sender.errors], [KafkaError.MSG_SIZE_TOO_LARGE])
    wide = talks.topic("larger")
    create_topic(wide, **{"max.message.bytes": "5000000"})
    produce(wide, value * 4, value, **{"message.max.bytes": 8_000_000})
    # The consumer asks for at most 1 MiB per partition; the first batch comes whole all the same.
    got = [message.value() for message in read(wide, **{"max.partition.fetch.bytes": 1_048_576})]
    expect(got == [value * 4, value], f"values came back as {[len(one) for one in got]} bytes")


@talks.named("20 000 small records in order")
def _() -> None:
    topic = talks.topic("many")
    values = [f"record {number}".encode() for number in range(20_000)]
    produce(topic, *values, **{"compression.type": "lz4", "batch.num.messages": 500})
    got = [message.value() for message in read(topic)]
    expect(got == values, f"20000 records came back as {len(got)}, or in another order")


@talks.named("idempotent producer")
def _() -> None:
    topic = talks.topic("idempotent")
    values = [f"{number}".encode() for number in range(2000)]
    produce(topic, *values, **{"enable.idempotence": True, "batch.num.messages": 10})
    got = [message.value() for message in read(topic)]
    expect(got == values, f"2000 records came back as {len(got)}, or in another order")


@talks.named("acks 0, 1 and all")
def _() -> None:
    topic = talks.topic("acks")
    create_topic(topic)
    sent = {acks: [f"{acks} {number}" for number in range(10)] for acks in (0, 1, "all")}
    for acks, lines in sent.items():
        produce(topic, *lines, acks=acks)
    # With acks=0 nobody says when the records are there, so the reader waits for thirty records instead of the end.
    values = []
    with consumer(topic, **{"enable.partition.eof": False}) as reader:
        while len(values) < 30:
            values.append(poll(reader).value().decode())
    expect_equal("records", sorted(values), sorted(sum(sent.values(), [])))


if __name__ == "__main__":
    # The other conversations of this client add themselves when they are imported.
    import administration  # noqa: F401
    import groups  # noqa: F401

    talks.hold()
