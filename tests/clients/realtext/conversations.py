"""Conversations about real text: what lies on this machine goes through the broker and comes back unchanged.

kcat produces it, one record per line, in each codec; confluent-kafka and Kafka's console consumer read it back, and the
hashes must agree. Then clients in six languages read it together, as one group (`group.py`). Start them with `run`.

REALTEXT_MB is the size of the text (default 20). RESTART_COMMAND, when set, is a shell command that kills the broker
and starts it again at the same address: done between writing and reading, and once in the middle of writing.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "clients"))
from conversation import Conversations, expect, expect_equal  # noqa: E402
from group import Reading  # noqa: E402
from kafka_tools import CONSUMER, command  # noqa: E402

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
SOURCES = (
    "/usr/share/dict",
    "/usr/share/common-licenses",
    "/usr/share/doc",
    "/var/lib/dpkg/info",
    "/usr/include",
    "/usr/share/perl",
    "/usr/lib/python3",
    str(ROOT / "broker"),
    str(ROOT / "tests"),
)
TEXT_BYTES = int(os.environ.get("REALTEXT_MB", "20")) * 1_000_000
# Of the text, what a group reads.
GROUP_TEXT_BYTES = 5_000_000
LONGEST_LINE = 900_000
RESTART_COMMAND = os.environ.get("RESTART_COMMAND", "")

talks = Conversations("realtext", time_limit_seconds=300)


def gather_text() -> bytes:
    """As much real text as was asked for: equal shares from every source, and all of it again while it is too short."""
    share = TEXT_BYTES // len(SOURCES)
    found = b"".join(line for source in SOURCES for line in lines_below(Path(source), share))
    expect(len(found) > 100_000, f"only {len(found)} bytes of text were found on this machine")
    text = (found * (TEXT_BYTES // len(found) + 1))[:TEXT_BYTES]
    return text[: text.rindex(b"\n") + 1]


def lines_below(folder: Path, share: int) -> Iterator[bytes]:
    """The lines of the files below a folder, in the order of their paths, until the share is reached."""
    for path in sorted(folder.rglob("*")):
        if share <= 0:
            return
        if path.suffix in (".gz", ".png", ".so", ".a", ".pyc") or path.is_symlink() or not path.is_file():
            continue
        for line in path.read_bytes().split(b"\n"):
            # kcat sends no record for an empty line, and a line must fit into one record.
            if 0 < len(line) <= LONGEST_LINE:
                share -= len(line) + 1
                yield line + b"\n"


def produce(topic: str, file: Path, codec: str) -> None:
    """Produces the lines of a file with kcat."""
    kcat = ["kcat", "-b", talks.bootstrap, "-P", "-t", topic, "-p", "0", "-z", codec, "-l", str(file)]
    done = subprocess.run(kcat, capture_output=True, check=False)
    expect(done.returncode == 0, f"kcat failed: {done.stderr.decode().strip()[-300:]}")


def restart() -> None:
    """Kills the broker and starts it again, if there is a command for it."""
    if RESTART_COMMAND:
        done = subprocess.run(RESTART_COMMAND, shell=True, capture_output=True, check=False)
        expect(done.returncode == 0, f"the restart command failed: {done.stderr.decode().strip()[-300:]}")


def hash_by_confluent_kafka(topic: str, count: int) -> str:
    """Reads a number of records with confluent-kafka and hashes them as lines."""
    settings = {"bootstrap.servers": talks.bootstrap, "group.id": "unused", "enable.auto.commit": False}
    reader = Consumer({**settings, "log_level": 3})
    reader.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    seen, digest = 0, hashlib.sha256()
    while seen < count:
        messages = reader.consume(10_000, timeout=30)
        expect(bool(messages), f"no record came for 30 s after {seen} of {count}")
        for message in messages:
            expect_equal("error", message.error(), None)
            digest.update(message.value() + b"\n")
        seen += len(messages)
    expect_equal("records", seen, count)
    reader.close()
    return digest.hexdigest()


def hash_by_console_consumer(topic: str, count: int) -> str:
    """Reads a number of records with the console consumer and hashes what it prints."""
    where = ("--topic", topic, "--partition", "0", "--offset", "earliest", "--max-messages", str(count))
    done = subprocess.run(
        command(CONSUMER, talks.bootstrap, *where, "--timeout-ms", "30000"), capture_output=True, check=False
    )
    expect(done.returncode == 0, f"the console consumer failed: {done.stderr.decode().strip()[-300:]}")
    return hashlib.sha256(done.stdout).hexdigest()


def read_back(topic: str, text: bytes) -> None:
    """Both readers must see the text as it was produced."""
    count, expected = text.count(b"\n"), hashlib.sha256(text).hexdigest()
    expect_equal(f"hash of {count} lines in confluent-kafka", hash_by_confluent_kafka(topic, count), expected)
    expect_equal(f"hash of {count} lines in the console consumer", hash_by_console_consumer(topic, count), expected)


def text_comes_back(codec: str) -> None:
    topic = talks.topic(codec)
    text = gather_text()
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        produce(topic, Path(file.name), codec)
    restart()
    read_back(topic, text)


for each_codec in CODECS:
    talks.add(f"text in {each_codec} comes back unchanged", partial(text_comes_back, each_codec))


def text_survives_a_kill() -> None:
    topic = talks.topic("killed")
    text = gather_text()
    lines = text[:-1].split(b"\n")
    # An idempotent producer sends again what was not acknowledged; the broker must know what it already has.
    # (kcat cannot be used here: it gives up as soon as no broker answers.)
    settings = {"enable.idempotence": True, "compression.type": "lz4", "reconnect.backoff.max.ms": 500}
    producer = Producer({"bootstrap.servers": talks.bootstrap, "log_level": 2, **settings})
    failures: list[str] = []
    with ThreadPoolExecutor() as beside:
        for number, line in enumerate(lines):
            send(producer, topic, line, failures)
            if number == len(lines) // 2:
                restarted = beside.submit(restart)
        restarted.result()
    expect_equal("records still unsent after 120 s", producer.flush(120), 0)
    expect_equal("errors of the producer", failures[:3], [])
    read_back(topic, text)


def text_is_read_by_a_group() -> None:
    text = gather_text()[:GROUP_TEXT_BYTES]
    Reading(talks, restart).hold(text[: text.rindex(b"\n")].split(b"\n"))


talks.add("text is read by one group in six languages, whose members are killed, stopped and added", text_is_read_by_a_group)


def send(producer: Producer, topic: str, line: bytes, failures: list[str]) -> None:
    """Queues one record, waiting while the producer's queue is full."""

    def on_delivery(error: KafkaError | None, _message: object) -> None:
        if error is not None:
            failures.append(str(error))

    while True:
        try:
            producer.produce(topic, line, partition=0, on_delivery=on_delivery)
            break
        except BufferError:
            producer.poll(0.1)
    producer.poll(0)


if RESTART_COMMAND:
    talks.add("text arrives once and in order though the broker is killed while it is sent", text_survives_a_kill)


if __name__ == "__main__":
    talks.hold()
