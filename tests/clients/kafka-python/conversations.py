"""Conversations held by kafka-python, the Python client that is Python all through. Start them with `run`."""

from functools import partial

from client import new_topic, produce, read, refusal_of, talks
from conversation import expect, expect_equal, now_ms
from kafka import KafkaConsumer, TopicPartition

CODECS = (None, "gzip", "snappy", "lz4", "zstd")
# This client cannot send a header without a value.
HEADERS = [("colour", b"red"), ("colour", b"blue"), ("empty", b""), ("binary", bytes(range(256)))]


def produce_and_read_back(codec: str | None) -> None:
    sent = [
        {"key": b"key 1", "value": b"value 1", "headers": HEADERS, "timestamp_ms": 1_700_000_000_123},
        {"key": b"key 2", "value": None},
        {"key": None, "value": b"value 3", "headers": [("only", b"one")]},
        {"key": b"", "value": b""},
        {"key": bytes(range(256)), "value": "repeated ¿ ".encode() * 500},
    ]
    with new_topic(f"codec-{codec}", **{"retention.ms": "-1"}) as topic:
        started_ms = now_ms()
        answers = produce(topic, *sent, compression_type=codec)
        ended_ms = now_ms()
        expect_equal("offsets answered", [answer.offset for answer in answers], [0, 1, 2, 3, 4])
        for offset, (got, record) in enumerate(zip(read(topic, len(sent)), sent, strict=True)):
            which = f"of offset {offset}"
            expect_equal(f"offset {which}", got.offset, offset)
            expect_equal(f"key and value {which}", (got.key, got.value), (record["key"], record["value"]))
            expect_equal(f"headers {which}", list(got.headers), record.get("headers", []))
            given_ms = record.get("timestamp_ms")
            in_time = got.timestamp == given_ms if given_ms else started_ms <= got.timestamp <= ended_ms
            expect(in_time, f"timestamp {got.timestamp} {which}")


for each_codec in CODECS:
    talks.add(f"produce {each_codec or 'none'}, read back", partial(produce_and_read_back, each_codec))


@talks.named("2000 records by an idempotent producer, read from the start and from the middle")
def _() -> None:
    values = [f"record {number}".encode() for number in range(2000)]
    with new_topic("idempotent") as topic:
        produce(topic, *({"value": value} for value in values), enable_idempotence=True, acks="all", batch_size=500)
        expect(values == [record.value for record in read(topic, 2000)], "they came back in another order")
        expect(values[1500:] == [record.value for record in read(topic, 500, offset=1500)], "from the middle, too")


@talks.named("a waiting consumer gets each record at once")
def _() -> None:
    with new_topic("tail") as topic:
        # The broker may wait up to 40 s, so a record that arrives soon has ended the wait.
        patience = {"fetch_max_wait_ms": 40_000, "request_timeout_ms": 60_000, "consumer_timeout_ms": 20_000}
        reader = KafkaConsumer(bootstrap_servers=talks.bootstrap, auto_offset_reset="earliest", **patience)
        try:
            reader.assign([TopicPartition(topic, 0)])
            expect_equal("records in the new topic", reader.poll(timeout_ms=500), {})
            for number in range(3):
                produce(topic, {"value": f"{number}".encode()})
                expect_equal("the new record", next(reader).value, f"{number}".encode())
        finally:
            reader.close()


@talks.named("a record that is too large, and an offset out of range")
def _() -> None:
    with new_topic("limits", **{"max.message.bytes": "2000"}) as topic:
        produce(topic, {"value": b"small"})
        refused = refusal_of(produce, topic, {"value": b"." * 3000})
        expect_equal("a record of 3000 bytes", refused, "MessageSizeTooLargeError")
        refused = refusal_of(read, topic, 1, 1000, auto_offset_reset="none")
        expect_equal("without a reset", refused, "OffsetOutOfRangeError")
        reset = read(topic, 1, 1000, auto_offset_reset="earliest")
        expect_equal("reset to the start", [record.value for record in reset], [b"small"])


if __name__ == "__main__":
    # The other conversations of this client add themselves when they are imported.
    import administration  # noqa: F401
    import groups  # noqa: F401

    talks.hold()
