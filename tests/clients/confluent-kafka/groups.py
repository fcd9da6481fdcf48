"""Consumer groups through librdkafka: who gets what, what is committed, and what an administrator sees.

Each member is polled in turn from here, so that what happens is in one order; only what must run beside it, a member that
is killed or stopped, is a process of its own.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from administration import extend
from client import ask, create_topic, delete_topic, produce, refusal_of, Sender, settings_with, talks
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from conversation import expect, expect_equal, wait_until

PARTITIONS = 3
# The shortest that brokers allow.
SESSION_MS = 6000

# A member in a process of its own; it says when it has partitions.
MEMBER = """
import json, sys
from confluent_kafka import Consumer
settings, topic = json.loads(sys.argv[1]), sys.argv[2]
member = Consumer(settings)
member.subscribe([topic], on_assign=lambda _, parts: print(len(parts), flush=True))
while True:
    member.poll(0.2)
"""


class Member:
    """A consumer of a group, what it was given, and how often that changed."""

    def __init__(self, group: str, topics: list[str], **settings: object) -> None:
        standard = {
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": 300,
            "topic.metadata.refresh.interval.ms": 500,
        }
        self.consumer = Consumer(settings_with(**{**standard, **settings}))
        self.records: list[Message] = []
        self.rebalances = 0
        self.consumer.subscribe(topics, on_assign=self._count, on_revoke=self._count, on_lost=self._count)

    def _count(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.rebalances += 1

    def poll(self, seconds: float = 0.05) -> Message | None:
        message = self.consumer.poll(seconds)
        if message is not None and message.error() is None:
            self.records.append(message)
        return message

    def owned(self) -> set[tuple[str, int]]:
        return {(part.topic, part.partition) for part in self.consumer.assignment()}

    def values(self) -> list[str]:
        return sorted(message.value().decode() for message in self.records)


@contextmanager
def members(group: str, topics: list[str], count: int, **settings: object) -> Iterator[list[Member]]:
    with ExitStack() as stack:
        all_of_them = [Member(group, topics, **settings) for _ in range(count)]
        for member in all_of_them:
            stack.callback(member.consumer.close)
        yield all_of_them


@contextmanager
def topic_with(purpose: str, partitions: int = PARTITIONS) -> Iterator[str]:
    topic = talks.topic(purpose)
    create_topic(topic, partitions)
    try:
        yield topic
    finally:
        delete_topic(topic)


def poll_until(all_of_them: list[Member], holds: Callable[[], bool]) -> None:
    """Polls members in turn until it holds; the time limit of the conversation ends it."""
    while not holds():
        for member in all_of_them:
            member.poll()


def share_all(all_of_them: list[Member], topic: str, partitions: int = PARTITIONS) -> bool:
    """Whether each partition has one owner, and nobody has two more than another."""
    owned = [member.owned() for member in all_of_them]
    counts = [len(one) for one in owned]
    wanted = {(topic, number) for number in range(partitions)}
    return set().union(*owned) == wanted and sum(counts) == partitions and max(counts) - min(counts) <= 1


def fill(topic: str, first: int, count: int, partitions: int = PARTITIONS) -> list[str]:
    sender = Sender()
    values = [f"value {number:04}" for number in range(first, first + count)]
    for number, value in enumerate(values):
        sender.send(topic, value, partition=number % partitions)
    sender.flush()
    return values


def committed(group: str) -> dict[tuple[str, int], int]:
    answer = ask(lambda client: client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group])
    return {(part.topic, part.partition): part.offset for part in answer.topic_partitions}


@talks.named("a group reads everything once, and goes on where it stopped")
def _() -> None:
    with topic_with("once") as topic:
        first = fill(topic, 0, 30)
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: len(member.records) == 30)
            expect_equal("what was read", member.values(), first)
            member.consumer.commit(asynchronous=False)
        expect_equal("what is committed", committed(topic), {(topic, number): 10 for number in range(PARTITIONS)})
        later = fill(topic, 30, 6)
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: len(member.records) >= 6)
            expect_equal("what another one reads", member.values(), later)


@talks.named("what was not committed comes again, also after automatic commits")
def _() -> None:
    with topic_with("again", 1) as topic:
        fill(topic, 0, 20, 1)
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: len(member.records) == 20)
            tenth = member.records[9]
            member.consumer.commit(message=tenth, asynchronous=False)
        with members(topic, [topic], 1, **{"enable.auto.commit": True}) as [member]:
            poll_until([member], lambda: len(member.records) == 10)
            expect_equal("the first one that comes again", member.records[0].offset(), 10)
        expect_equal("what the close has committed", committed(topic), {(topic, 0): 20})


for assignor in ("range", "roundrobin", "cooperative-sticky"):

    def _(assignor: str = assignor) -> None:
        with topic_with(f"shared-{assignor}") as topic:
            settings = {"partition.assignment.strategy": assignor}
            with members(topic, [topic], 2, **settings) as [one, two]:
                poll_until([one, two], lambda: share_all([one, two], topic))
                values = fill(topic, 0, 60)
                poll_until([one, two], lambda: len(one.records) + len(two.records) >= 60)
                expect_equal("what both have read", sorted(one.values() + two.values()), values)
                with members(topic, [topic], 2, **settings) as [three, four]:
                    everybody = [one, two, three, four]
                    poll_until(everybody, lambda: share_all(everybody, topic))
                    idle = [member for member in everybody if not member.owned()]
                    expect_equal("members without a partition", len(idle), 1)
                poll_until([one, two], lambda: share_all([one, two], topic))

    talks.add(f"two members, then four, then two share three partitions: {assignor}", _)


@contextmanager
def other_process(group: str, topic: str) -> Iterator[subprocess.Popen]:
    """A member elsewhere that has got partitions."""
    settings = settings_with(**{"group.id": group, "session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": 300})
    command = [sys.executable, "-c", MEMBER, json.dumps(settings), topic]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@talks.named("a member that is killed is missed when its session ends")
def _() -> None:
    with topic_with("killed") as topic, other_process(topic, topic) as other:
        expect(other.stdout.readline().strip() == str(PARTITIONS), "the first member gets all partitions")
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: 0 < len(member.owned()) < PARTITIONS)
            other.kill()
            poll_until([member], lambda: len(member.owned()) == PARTITIONS)


@talks.named("a member that is stopped for too long comes back as a new one")
def _() -> None:
    with topic_with("stopped") as topic, other_process(topic, topic) as other:
        other.stdout.readline()
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: 0 < len(member.owned()) < PARTITIONS)
            os.kill(other.pid, signal.SIGSTOP)
            poll_until([member], lambda: len(member.owned()) == PARTITIONS)
            os.kill(other.pid, signal.SIGCONT)
            poll_until([member], lambda: 0 < len(member.owned()) < PARTITIONS)


@talks.named("a static member that starts anew keeps its part, and nobody else notices")
def _() -> None:
    with topic_with("static") as topic:
        settings = {"session.timeout.ms": 30_000}
        with members(topic, [topic], 1, **{**settings, "group.instance.id": "one"}) as [one]:
            two = Member(topic, [topic], **{**settings, "group.instance.id": "two"})
            poll_until([one, two], lambda: share_all([one, two], topic))
            before, owned = one.rebalances, two.owned()
            # Static members do not leave when they are closed.
            two.consumer.close()
            two = Member(topic, [topic], **{**settings, "group.instance.id": "two"})
            poll_until([one, two], lambda: two.owned() == owned)
            expect_equal("rebalances of the other member meanwhile", one.rebalances - before, 0)
            two.consumer.close()


@talks.named("a commit from outside is refused while the group has members")
def _() -> None:
    with topic_with("outside", 1) as topic:
        produce(topic, "a")
        outsider = Consumer(settings_with(**{"group.id": topic, "enable.auto.commit": False}))
        outsider.assign([TopicPartition(topic, 0, 0)])
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: len(member.owned()) == 1)
            where = [TopicPartition(topic, 0, 1)]
            refused = refusal_of(lambda: outsider.commit(offsets=where, asynchronous=False))
            expect_equal("the refusal", refused.code(), KafkaError.UNKNOWN_MEMBER_ID)
            member.poll()
            expect_equal("what the member still has", member.owned(), {(topic, 0)})
        outsider.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
        expect_equal("what the outsider finds", outsider.committed([TopicPartition(topic, 0)])[0].offset, 1)
        outsider.close()


@talks.named("a pattern meets topics that come later, and partitions that are added")
def _() -> None:
    pattern, late = talks.topic("pattern"), talks.topic("pattern-late")
    with topic_with("pattern-early", 1) as early, members(pattern, [f"^{pattern}-.*"], 1) as [member]:
        poll_until([member], lambda: member.owned() == {(early, 0)})
        create_topic(late, 1)
        poll_until([member], lambda: member.owned() == {(early, 0), (late, 0)})
        extend(late, 2)
        poll_until([member], lambda: member.owned() == {(early, 0), (late, 0), (late, 1)})
        delete_topic(late)
        poll_until([member], lambda: member.owned() == {(early, 0)})


@talks.named("two groups on one topic, and members that want different topics")
def _() -> None:
    with topic_with("first", 1) as first, topic_with("second", 1) as second:
        produce(first, "one")
        produce(second, "two")
        group = talks.topic("mixed")
        with members(group, [first], 1) as [one], members(group, [first, second], 1) as [both]:
            wanted = {(first, 0), (second, 0)}
            poll_until([one, both], lambda: one.owned() | both.owned() == wanted and not one.owned() & both.owned())
            expect((second, 0) in both.owned(), "only one of them wants the second topic")
            with members(f"{group}-2", [first], 1) as [other]:
                poll_until([one, both, other], lambda: bool(other.records))
                expect_equal("what another group reads", other.values(), ["one"])


@talks.named("an administrator lists, describes, resets and deletes groups")
def _() -> None:
    with topic_with("administered", 1) as topic:
        fill(topic, 0, 9, 1)
        with members(topic, [topic], 1, **{"client.id": "reader"}) as [member]:
            poll_until([member], lambda: len(member.records) == 9)
            member.consumer.commit(asynchronous=False)
            described = ask(lambda client: client.describe_consumer_groups([topic])[topic])
            expect_equal("state", described.state.name, "STABLE")
            expect_equal("clients", [one.client_id for one in described.members], ["reader"])
            parts = [(part.topic, part.partition) for part in described.members[0].assignment.topic_partitions]
            expect_equal("their parts", parts, [(topic, 0)])
            refused = refusal_of(ask, lambda client: client.delete_consumer_groups([topic])[topic])
            expect_equal("a group in use", refused.code(), KafkaError.NON_EMPTY_GROUP)
        wait_until(lambda: topic in {group.group_id for group in ask(AdminClient.list_consumer_groups).valid})
        reset = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, 4)])
        ask(lambda client: client.alter_consumer_group_offsets([reset])[topic])
        expect_equal("after the reset", committed(topic), {(topic, 0): 4})
        with members(topic, [topic], 1) as [member]:
            poll_until([member], lambda: len(member.records) == 5)
        ask(lambda client: client.delete_consumer_groups([topic])[topic])
        refused = refusal_of(ask, lambda client: client.delete_consumer_groups([topic])[topic])
        expect_equal("a group that is gone", refused.code(), KafkaError.GROUP_ID_NOT_FOUND)
