"""Conversations held by aiokafka, Python's asynchronous client: records, and above all groups. Start them with `run`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaError
from client import SESSION_MS, administrator, committed, is_there, member, members, named, produce, share_all
from client import talks, topic_with, until
from conversation import Disagreement, expect, expect_equal

PARTITIONS = 3

# A member in a process of its own; it says when it has partitions.
MEMBER = """
import asyncio, json, sys
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
settings, topic = json.loads(sys.argv[1]), sys.argv[2]
class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked): pass
    async def on_partitions_assigned(self, assigned): print(len(assigned), flush=True)
async def main():
    member = AIOKafkaConsumer(**settings)
    await member.start()
    member.subscribe([topic], listener=Listener())
    async for _ in member: pass
asyncio.run(main())
"""


@contextmanager
def other_process(group: str, topic: str) -> Iterator[subprocess.Popen]:
    """A member elsewhere."""
    settings = {"group_id": group, "session_timeout_ms": SESSION_MS, "heartbeat_interval_ms": 200}
    settings["bootstrap_servers"] = talks.bootstrap
    command = [sys.executable, "-c", MEMBER, json.dumps(settings), topic]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def values_from(first: int, count: int) -> list[str]:
    return [f"value {number:04}" for number in range(first, first + count)]


for codec in (None, "gzip", "snappy", "lz4", "zstd"):

    async def produce_and_read_back(codec: str | None = codec) -> None:
        async with topic_with(f"codec-{codec}") as topic:
            values = values_from(0, 200)
            offsets = await produce(topic, values, compression_type=codec, enable_idempotence=True, acks="all")
            expect_equal("offsets", offsets, list(range(200)))
            reader = AIOKafkaConsumer(topic, bootstrap_servers=talks.bootstrap, auto_offset_reset="earliest")
            async with reader:
                read = [(await reader.getone()).value.decode() for _ in values]
            expect_equal("what came back", read, values)

    named(f"produce {codec or 'none'} as an idempotent producer, read back")(produce_and_read_back)


@named("a group reads everything once, and goes on where it stopped")
async def _() -> None:
    async with topic_with("once", PARTITIONS) as topic:
        first = values_from(0, 30)
        await produce(topic, first, PARTITIONS)
        async with member(topic, topic) as one:
            await until(lambda: len(one.records) >= 30)
            expect_equal("what was read", one.values(), first)
            await one.consumer.commit()
        expect_equal("what is committed", await committed(topic), {number: 10 for number in range(PARTITIONS)})
        later = values_from(30, 6)
        await produce(topic, later, PARTITIONS)
        async with member(topic, topic) as two:
            await until(lambda: len(two.records) >= 6)
            expect_equal("what another one reads", two.values(), later)


for assignor in (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor):

    async def share(assignor: type = assignor) -> None:
        async with topic_with(f"shared-{assignor.name}", PARTITIONS) as topic:
            settings = {"partition_assignment_strategy": [assignor]}
            async with members(topic, topic, 2, **settings) as both:
                await until(lambda: share_all(both, topic, PARTITIONS))
                values = values_from(0, 60)
                await produce(topic, values, PARTITIONS)
                await until(lambda: sum(len(one.records) for one in both) >= 60)
                expect_equal("what both have read", sorted(both[0].values() + both[1].values()), values)
                # What both have read stays with the group, whoever reads on.
                await asyncio.gather(*(one.consumer.commit() for one in both))
                async with members(topic, topic, 2, **settings) as others:
                    await until(lambda: share_all(both + others, topic, PARTITIONS))
                    idle = [one for one in both + others if not one.owned()]
                    expect_equal("members without a partition", len(idle), 1)
                await until(lambda: share_all(both, topic, PARTITIONS))
                expect_equal("records that came again", sum(len(one.records) for one in both) - 60, 0)

    named(f"two members, then four, then two share three partitions: {assignor.name}")(share)


@named("a member that is killed is missed when its session ends")
async def _() -> None:
    async with topic_with("killed", PARTITIONS) as topic:
        with other_process(topic, topic) as other:
            expect(other.stdout.readline().strip() == str(PARTITIONS), "the first member gets all partitions")
            async with member(topic, topic) as one:
                await until(lambda: 0 < len(one.owned()) < PARTITIONS)
                other.kill()
                await until(lambda: len(one.owned()) == PARTITIONS)


@named("a member that is stopped for too long comes back as a new one")
async def _() -> None:
    async with topic_with("stopped", PARTITIONS) as topic:
        with other_process(topic, topic) as other:
            other.stdout.readline()
            async with member(topic, topic) as one:
                await until(lambda: 0 < len(one.owned()) < PARTITIONS)
                os.kill(other.pid, signal.SIGSTOP)
                await until(lambda: len(one.owned()) == PARTITIONS)
                os.kill(other.pid, signal.SIGCONT)
                await until(lambda: 0 < len(one.owned()) < PARTITIONS)


@named("a static member that starts anew keeps its part, and nobody else notices")
async def _() -> None:
    async with topic_with("static", PARTITIONS) as topic:
        settings = {"session_timeout_ms": 30_000}
        async with member(topic, topic, group_instance_id="one", **settings) as one:
            async with member(topic, topic, group_instance_id="two", **settings) as two:
                await until(lambda: share_all([one, two], topic, PARTITIONS))
                before, owned = one.rebalances, two.owned()
            # Static members do not leave when they are closed.
            async with member(topic, topic, group_instance_id="two", **settings) as two:
                await until(lambda: two.owned() == owned)
                expect_equal("rebalances of the other member meanwhile", one.rebalances - before, 0)


@named("commits by themselves, with metadata, and from outside while the group has members")
async def _() -> None:
    async with topic_with("commits") as topic:
        where = TopicPartition(topic, 0)
        await produce(topic, values_from(0, 10))
        outsider = AIOKafkaConsumer(bootstrap_servers=talks.bootstrap, group_id=topic, enable_auto_commit=False)
        async with outsider:
            outsider.assign([where])
            await outsider.commit({where: (4, "as far as this")})
            expect_equal("what the outsider finds", await outsider.committed(where), 4)
            async with member(topic, topic, enable_auto_commit=True, auto_commit_interval_ms=100) as one:
                await until(lambda: len(one.records) >= 6)
                expect_equal("the first one that is read", one.records[0].offset, 4)
                await until(lambda: _has_committed(topic, 10))
                try:
                    await outsider.commit({where: 1})
                    raise Disagreement("a stranger may commit while the group has members")
                except (CommitFailedError, KafkaError) as refused:
                    expect_equal("the refusal", type(refused).__name__, "CommitFailedError")
                expect_equal("what the member still has", one.owned(), {where})
        expect_equal("what is committed", await committed(topic), {0: 10})


async def _has_committed(group: str, offset: int) -> bool:
    return await committed(group) == {0: offset}


@named("assigned partitions: seek, pause and resume")
async def _() -> None:
    async with topic_with("assigned", 2) as topic:
        first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
        await produce(topic, values_from(0, 8), 2)
        async with AIOKafkaConsumer(bootstrap_servers=talks.bootstrap, enable_auto_commit=False) as reader:
            reader.assign([first, second])
            reader.pause(second)
            reader.seek(first, 2)
            read = [(await reader.getone()).offset for _ in range(2)]
            expect_equal("from offset 2, and nothing of the paused one", read, [2, 3])
            await reader.seek_to_beginning(second)
            reader.resume(second)
            read = [(await reader.getone()).partition for _ in range(4)]
            expect_equal("then the other", read, [1, 1, 1, 1])


@named("a consumer before its topic, partitions that are added, a topic that is deleted")
async def _() -> None:
    topic = talks.topic("come-and-go")
    async with administrator() as admin, member(topic, pattern=f"^{topic}$") as early:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await until(lambda: early.owned() == {TopicPartition(topic, 0)})
        await produce(topic, ["a", "b"])
        await until(lambda: early.values() == ["a", "b"])
        await admin.create_partitions({topic: NewPartitions(3)})
        await until(lambda: len(early.owned()) == 3)
        await admin.delete_topics([topic])
        await until(lambda: _is_gone(admin, topic))
        await until(lambda: not early.owned())


async def _is_gone(admin, topic: str) -> bool:
    return not await is_there(admin, topic)


if __name__ == "__main__":
    talks.hold()
