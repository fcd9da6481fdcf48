"""How the conversations play the demo programs: each play has a simulator, a topic, a group and a folder of its own.

The programs are those of clients/python, run as anybody would run them and told by their environment where to go. One
Redis serves all plays, each in a database of its own.
"""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import redis
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
PROGRAMS = ROOT / "clients" / "python"
CUTAWAY = os.environ.get("CUTAWAY") or f"{os.environ.get('CARGO_TARGET_DIR') or ROOT / 'target'}/release/cutaway"

sys.path.insert(0, str(HERE.parent))
from conversation import Conversations, Disagreement, expect, expect_equal  # noqa: E402

talks = Conversations("demos-python")
databases = itertools.count()


class Service:
    """One of the two event streams, and what its demo makes of an event."""

    def __init__(self, name: str, oracle: str, kind: Callable, key: Callable, identity: Callable) -> None:
        self.name, self.oracle, self.kind, self.key, self.identity = name, oracle, kind, key, identity


WIKIPEDIA = Service(
    "wikipedia",
    "/oracle/wikipedia",
    kind=lambda event: event["type"],
    key=lambda event: None if event.get("id") is None else str(event["id"]),
    identity=lambda event: event["meta"]["id"],
)
BLUESKY = Service(
    "bluesky",
    "/oracle/bluesky?wantedCollections=app.bsky.feed.post",
    kind=lambda event: event["commit"]["operation"],
    key=lambda event: event["commit"]["rev"],
    identity=lambda event: event["commit"]["rev"],
)


def wait_for(what: str, holds: Callable[[], bool], limit_seconds: float = 60) -> None:
    """Asks until it holds, or ends the conversation with what was waited for."""
    deadline = time.monotonic() + limit_seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Disagreement(f"after {limit_seconds:.0f} s there was still no sign of this: {what}")
        time.sleep(0.02)


class Program:
    """A demo program, or a service, that runs; what it prints is kept in files."""

    def __init__(self, command: list[str], folder: Path, **variables: str) -> None:
        self.output, self.errors = (Path(tempfile.mkstemp(dir=folder)[1]) for _ in range(2))
        self.name = Path(command[1] if command[0] == sys.executable else command[0]).stem
        with self.output.open("w") as output, self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **variables},
            )

    def said(self, words: str) -> bool:
        return words in self.errors.read_text() + self.output.read_text()

    def ended(self, status: int = 0) -> "Program":
        """Waits for the end and checks how it ended."""
        try:
            actual = self.process.wait(60)
        except subprocess.TimeoutExpired:
            raise Disagreement(f"{self.name} does not end; it said {self.errors.read_text()[-300:]!r}") from None
        if actual != status:
            tail = self.errors.read_text()[-500:]
            raise Disagreement(f"{self.name} ended with {actual} instead of {status}; it said {tail!r}")
        return self

    def stop(self, number: int = signal.SIGTERM) -> "Program":
        self.process.send_signal(number)
        return self.ended()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def counts(self) -> dict[str, int]:
        """The counts that it printed at the end, by type."""
        words = [line.split() for line in self.output.read_text().splitlines()]
        return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdigit()}

    def left_out(self) -> dict[str, int]:
        """What a producer says that it did not send."""
        said = self.errors.read_text().rpartition("left out: ")[2].strip()
        return {} if said == "none" else {part.split()[1]: int(part.split()[0]) for part in said.split(", ")}

    def offsets(self) -> list[int]:
        """The offsets of the records that a consumer printed."""
        return [int(line.split(" --> ")[0]) for line in self.output.read_text().splitlines() if " --> " in line]


class Play:
    """The source, the topic, the group and the counters of one conversation."""

    def __init__(self, service: Service, purpose: str, folder: Path, ends: ExitStack) -> None:
        self.service, self.folder, self.ends = service, folder, ends
        self.topic, self.group = talks.topic(purpose), talks.topic(purpose)
        database = next(databases)
        self.redis_url = f"redis://127.0.0.1:{redis_port()}/{database}"
        self.redis = redis.Redis(port=redis_port(), db=database, decode_responses=True)
        self.source = ""

    def simulate(self, *options: str) -> None:
        """Starts the simulator; its clock runs from the first connection on."""
        command = [CUTAWAY, "events", self.service.name, "--port", "0", "--seed", "7", "--others", "1", *options]
        simulator = self.start(command)
        wait_for("the simulator's address", lambda: simulator.said("http://127.0.0.1:"), 20)
        said = simulator.errors.read_text() + simulator.output.read_text()
        self.source = "http://127.0.0.1:" + said.split("http://127.0.0.1:")[1].split()[0].split("/")[0]

    def start(self, command: list[str], **variables: str) -> Program:
        program = Program(command, self.folder, **variables)
        self.ends.callback(program.kill)
        return program

    def producer(self, **variables: str) -> Program:
        return self._demo("producer", EVENT_SOURCE=self.source, **variables)

    def consumer(self, **variables: str) -> Program:
        return self._demo("consumer", REDIS_URL=variables.pop("REDIS_URL", self.redis_url), **variables)

    def _demo(self, role: str, **variables: str) -> Program:
        program = PROGRAMS / f"{self.service.name}_{role}.py"
        ours = {"KAFKA_BROKER": talks.bootstrap, "TOPIC": self.topic, "GROUP": self.group}
        return self.start([sys.executable, str(program)], **ours, **variables)

    def oracle(self) -> dict:
        """What the simulator has sent."""
        with urllib.request.urlopen(f"{self.source}/oracle", timeout=20) as answer:
            sent = json.load(answer)[self.service.name]
        return sent if self.service is WIKIPEDIA else sent["streams"][0] if sent["streams"] else {"complete": False}

    def oracle_counts(self) -> dict[str, int]:
        sent = self.oracle()
        return sent["types" if self.service is WIKIPEDIA else "operations"]

    def sent_ids(self) -> list[str]:
        with urllib.request.urlopen(self.source + self.service.oracle, timeout=20) as answer:
            return answer.read().decode().split()

    def records(self) -> list[Message]:
        """All records of the topic; checks of each what the demos promise about its form."""
        records = read(self.topic)
        for record in records:
            event = json.loads(record.value())
            key = record.key() and record.key().decode()
            expect_equal(f"the key of the record at offset {record.offset()}", key, self.service.key(event))
            expect(record.headers() is None, "a record has headers")
            expect(not set(b"\n\r\t") & set(record.value()), f"the record at {record.offset()} is not compact")
        return records

    def ids(self) -> list[str]:
        return [self.service.identity(json.loads(record.value())) for record in self.records()]

    def members_with_partitions(self) -> int:
        """How many members of the group have partitions."""
        admin = AdminClient({"bootstrap.servers": talks.bootstrap})
        members = admin.describe_consumer_groups([self.group])[self.group].result(20).members
        return sum(bool(member.assignment.topic_partitions) for member in members)

    def expect_ids(self, ids: Iterable[str]) -> None:
        """The topic holds each id that was sent, once, and no other."""
        held, sent = Counter(ids), Counter(self.sent_ids())
        difference = {"missing": list((sent - held).elements()), "too many": list((held - sent).elements())}
        expect_equal("ids in the topic, against those sent", difference, {"missing": [], "too many": []})

    def length(self) -> int:
        """How many records the topic has."""
        return sum(high - low for low, high in watermarks(self.topic))

    def counted(self) -> dict[str, int]:
        """The counters in Redis."""
        return {key: int(self.redis.get(key)) for key in self.redis.keys("*")}

    def wait_until_all_is_produced(self) -> None:
        wait_for("the simulator has sent everything", lambda: self.oracle()["complete"])
        expected = len(self.sent_ids())
        wait_for(f"all {expected} events are in the topic", lambda: self.length() >= expected, 30)

    def wait_until_all_is_counted(self) -> None:
        expected = self.length()
        wait_for(f"{expected} records are counted", lambda: sum(self.counted().values()) >= expected)

    def count_all(self) -> Program:
        """A consumer that has counted every record and was then stopped."""
        consumer = self.consumer()
        self.wait_until_all_is_counted()
        return consumer.stop()

    def expect_balance(self, producer: Program, consumers: list[Program]) -> None:
        """Sent = produced = read = counted, type by type and event by event."""
        sent = self.oracle_counts()
        self.expect_ids(self.ids())
        expect_equal("what the producer says it sent", producer.counts(), sent)
        kinds = Counter(self.service.kind(json.loads(record.value())) for record in self.records())
        expect_equal("what the topic holds, by type", dict(kinds), sent)
        expect_equal("records that the consumers say they read", sum(len(one.offsets()) for one in consumers), sum(sent.values()))
        expect_equal("counted in Redis", self.counted(), sent)
        for consumer in consumers:
            expect_equal("the counters that the consumer prints", consumer.counts(), sent)


@contextmanager
def play(service: Service, purpose: str) -> Iterator[Play]:
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="cutaway-demos-")))
        yield Play(service, f"{service.name}-{purpose}", folder, ends)


@cache
def redis_port() -> int:
    """Starts the one Redis, which ends with the conversations."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--databases", "100"]
    server = subprocess.Popen(["redis-server", "--port", str(port), *options], stdout=subprocess.DEVNULL)
    running.callback(server.wait)
    running.callback(server.terminate)
    wait_for("Redis answers", lambda: answers(port), 20)
    return port


def answers(port: int) -> bool:
    try:
        return redis.Redis(port=port).ping()
    except redis.ConnectionError:
        return False


running = ExitStack()


def read(topic: str) -> list[Message]:
    """Every record of a topic, partition by partition."""
    records = []
    reader = Consumer({"bootstrap.servers": talks.bootstrap, "group.id": "unused", "enable.auto.commit": False})
    try:
        for partition, (low, high) in enumerate(watermarks(topic)):
            reader.assign([TopicPartition(topic, partition, low)])
            position = low
            while position < high:
                record = reader.poll(20)
                expect(record is not None and record.error() is None, f"reading {topic} stopped at offset {position}")
                records.append(record)
                position = record.offset() + 1
    finally:
        reader.close()
    return records


@cache
def asker() -> Consumer:
    return Consumer({"bootstrap.servers": talks.bootstrap, "group.id": "unused", "log_level": 0})


def watermarks(topic: str) -> list[tuple[int, int]]:
    """First and next offset of each partition; nothing while there is no topic or no broker."""
    try:
        partitions = asker().list_topics(topic, timeout=5).topics[topic].partitions
        return [asker().get_watermark_offsets(TopicPartition(topic, number), timeout=5) for number in sorted(partitions)]
    except KafkaException:
        return []


def create_topic(topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": talks.bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
