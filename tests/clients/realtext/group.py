"""One group, clients in six languages: every record is read, whatever befalls the members.

Each member is a program of its own that prints a line for each record it reads, and commits what it has printed. What all of
them have printed is laid beside what was produced: nothing may be missing or changed. A record may come twice where a member
was killed or stopped, because it had read on after its last commit; how many did is printed, and half of all is too many.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from conversation import Conversations, expect, expect_equal
from kafka_tools import CONSUMER, command

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
PARTITIONS = 8
# What a member printed of a record. The console consumer says it in its own words.
LINE = re.compile(rb"(?:Partition:)?(\d+)[ \t](?:Offset:)?(\d+)[ \t](.*)")


class Member:
    """A program that reads as a member of the group, and what it has printed so far."""

    def __init__(self, name: str, arguments: list[str], environment: dict[str, str] | None = None) -> None:
        self.name = name
        self._printed = tempfile.NamedTemporaryFile()
        self._seen = 0
        self.records: list[tuple[int, int, bytes]] = []
        streams = {"stdin": subprocess.DEVNULL, "stdout": self._printed, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(arguments, env={**os.environ, **(environment or {})}, **streams)

    def look(self) -> int:
        """Takes in what it has printed since; gives how many records it has read."""
        with open(self._printed.name, "rb") as printed:
            printed.seek(self._seen)
            new = printed.read()
        # The last line may be on its way.
        whole = new[: new.rfind(b"\n") + 1]
        self._seen += len(whole)
        for line in whole[:-1].split(b"\n") if whole else []:
            found = LINE.fullmatch(line)
            expect(found is not None, f"{self.name} has printed {line[:80]!r}")
            self.records.append((int(found[1]), int(found[2]), found[3]))
        return len(self.records)

    def send(self, what: signal.Signals) -> None:
        self.process.send_signal(what)

    def end(self, what: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, and waits until it is gone."""
        self.send(what)
        self.process.wait()
        self.look()


class Reading:
    """A topic with lines of text, the group that reads it, and what is known of both."""

    def __init__(self, talks: Conversations, restart: Callable[[], None]) -> None:
        self.bootstrap, self.restart = talks.bootstrap, restart
        self.topic = self.group = talks.topic("group")
        self.produced: dict[tuple[int, int], bytes] = {}
        self.members: list[Member] = []
        self.producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "log_level": 2})

    def hold(self, lines: list[bytes]) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])[self.topic].result(30)
        parts = [lines[len(lines) * step // 6 : len(lines) * (step + 1) // 6] for step in range(6)]
        try:
            self._tell(parts)
        finally:
            for member in self.members:
                member.process.kill()
                member.process.wait()
        self._check()

    def _tell(self, parts: list[list[bytes]]) -> None:
        python, node = self._start("python"), self._start("node")
        go, java = self._start("go"), self._start("java")
        self._produce_until_read(parts[0], [python, node, go, java])
        # Two die with records in their hands, and two others come.
        self._produce(parts[1])
        go.end(signal.SIGKILL)
        python.end(signal.SIGKILL)
        kcat, cutaway = self._start("kcat"), self._start("cutaway")
        self._produce_until_read(parts[2], [node, java, kcat, cutaway])
        # The broker dies; whoever reads waits for it. Only kcat gives up, without a last commit, so others read its part again.
        self._produce(parts[3])
        self.restart()
        self._wait_for_all()
        # One leaves as it should, one comes, and one stands still for longer than its session lasts.
        node.end()
        self._start("go")
        cutaway.send(signal.SIGSTOP)
        self._produce(parts[4])
        self._wait_for_all()
        cutaway.send(signal.SIGCONT)
        self._produce_until_read(parts[5], [cutaway])
        self._wait_for_all()
        for member in self.members:
            if member.process.poll() is None:
                member.end()

    def _start(self, language: str) -> Member:
        where = [self.bootstrap, self.topic, self.group]
        quick = ["session.timeout.ms=6000", "heartbeat.interval.ms=300", "auto.commit.interval.ms=500"]
        dashed = [word for setting in quick for word in ("-X", setting)]
        if language == "python":
            member = Member(language, [sys.executable, str(HERE / "readers" / "confluent_kafka_reader.py"), *where])
        elif language == "node":
            modules = {"NODE_PATH": str(TARGET / "clients/kafkajs/node_modules")}
            member = Member(language, ["node", str(HERE / "readers" / "kafkajs_reader.js"), *where], modules)
        elif language == "go":
            member = Member(language, [str(TARGET / "clients/franz-go/conversations"), "read", *where])
        elif language == "java":
            settings = [word for setting in quick for word in ("--command-property", setting)]
            shown = [word for what in ("partition", "offset") for word in ("--formatter-property", f"print.{what}=true")]
            reads = ("--topic", self.topic, "--group", self.group, "--from-beginning", *settings, *shown)
            member = Member(language, command(CONSUMER, self.bootstrap, *reads))
        elif language == "kcat":
            prints = ["-f", "%p %o %s\\n", "-u", "-q", "-X", "auto.offset.reset=earliest"]
            kcat = ["kcat", "-b", self.bootstrap, *dashed, *prints, "-G", self.group, self.topic]
            member = Member(language, kcat)
        else:
            binary = os.environ.get("CUTAWAY") or str(TARGET / "release/cutaway")
            prints = ["-f", "%p %o %s\\n", "-q", *dashed]
            consume = [binary, "consume", self.topic, "-b", self.bootstrap, "-G", self.group, *prints]
            member = Member("cutaway", consume)
        self.members.append(member)
        return member

    def _produce(self, lines: Iterable[bytes]) -> None:
        for number, line in enumerate(lines):
            partition = number % PARTITIONS
            while True:
                try:
                    self.producer.produce(self.topic, line, partition=partition, on_delivery=self._note)
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        expect_equal("records still unsent", self.producer.flush(60), 0)

    def _note(self, error: object, message: object) -> None:
        expect(error is None, f"a record was not produced: {error}")
        self.produced[message.partition(), message.offset()] = message.value()

    def _produce_until_read(self, lines: list[bytes], members: list[Member]) -> None:
        """Produces the lines piece by piece, until each of the members has read something new; then the rest."""
        before = {member: member.look() for member in members}
        rest = list(lines)
        while any(member.look() == before[member] for member in members):
            piece, rest = rest[:PARTITIONS], rest[PARTITIONS:]
            # Should it take long, the text begins anew.
            self._produce(piece or lines[:PARTITIONS])
        self._produce(rest)

    def _wait_for_all(self) -> None:
        """Waits until everything that was produced was read by somebody."""
        read: set[tuple[int, int]] = set()
        looked_at = Counter()
        while len(read) < len(self.produced):
            for member in self.members:
                new = member.records[looked_at[member] : member.look()]
                looked_at[member] += len(new)
                read.update((partition, offset) for partition, offset, _ in new)

    def _check(self) -> None:
        times: Counter[tuple[int, int]] = Counter()
        for member in self.members:
            for partition, offset, value in member.records:
                expect_equal(f"{partition} at {offset} in {member.name}", value, self.produced.get((partition, offset)))
                times[partition, offset] += 1
        missing = self.produced.keys() - times.keys()
        expect(not missing, f"{len(missing)} of {len(self.produced)} records were read by nobody: {sorted(missing)[:5]}")
        asked = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group, "enable.auto.commit": False})
        committed = {part.partition: part.offset for part in reader.committed(asked, timeout=30)}
        reader.close()
        ends = Counter(partition for partition, _ in self.produced)
        expect_equal("what is committed in the end", committed, dict(ends))
        again = sum(count - 1 for count in times.values())
        # Whoever forgets what was committed has everything read again.
        expect(again < len(self.produced) / 2, f"{again} of {len(self.produced)} records were read again")
        shares = ", ".join(f"{member.name} {len(member.records)}" for member in self.members)
        print(f"   {len(self.produced)} records, {again} of them read again; {shares}", flush=True)
