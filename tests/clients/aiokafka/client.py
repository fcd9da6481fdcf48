"""What the conversations of aiokafka share: topics that are gone afterwards, records, and members of groups.

This client is asynchronous all through: a conversation is a coroutine, and each member of a group reads in a task of its own.
"""

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition  # noqa: E402
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # noqa: E402
from aiokafka.structs import ConsumerRecord  # noqa: E402
from conversation import Conversations  # noqa: E402

# The shortest that brokers allow.
SESSION_MS = 6000

talks = Conversations("aiokafka")


def named(name: str) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Adds the coroutine function below it as a conversation."""

    def add(hold: Callable[[], Awaitable[None]]) -> None:
        talks.add(name, lambda: asyncio.run(hold()))

    return add


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Waits until it holds, while the members go on; the time limit of the conversation ends it."""
    while True:
        held = holds()
        if held if isinstance(held, bool) else await held:
            return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def administrator() -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=talks.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def topic_with(purpose: str, partitions: int = 1, **settings: str) -> AsyncIterator[str]:
    """A topic that is there until the conversation ends."""
    topic = talks.topic(purpose)
    async with administrator() as admin:
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
        await until(lambda: is_there(admin, topic))
        try:
            yield topic
        finally:
            await admin.delete_topics([topic])


async def is_there(admin: AIOKafkaAdminClient, topic: str) -> bool:
    return topic in await admin.list_topics()


async def produce(topic: str, values: list[str], partitions: int = 1, **settings: object) -> list[int]:
    """Puts values into the partitions in turn; gives their offsets."""
    async with AIOKafkaProducer(bootstrap_servers=talks.bootstrap, **settings) as producer:
        sent = [
            await producer.send(topic, value.encode(), partition=number % partitions)
            for number, value in enumerate(values)
        ]
        return [(await one).offset for one in sent]


class Member(ConsumerRebalanceListener):
    """A consumer of a group that reads in a task of its own, what it has read, and how often its part changed."""

    def __init__(self, group: str, **settings: object) -> None:
        standard = {
            "group_id": group,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "session_timeout_ms": SESSION_MS,
            "heartbeat_interval_ms": 200,
            "metadata_max_age_ms": 500,
        }
        self.consumer = AIOKafkaConsumer(bootstrap_servers=talks.bootstrap, **{**standard, **settings})
        self.records: list[ConsumerRecord] = []
        self.rebalances = 0

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        self.rebalances += 1

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self.rebalances += 1

    async def read(self) -> None:
        async for record in self.consumer:
            self.records.append(record)

    def values(self) -> list[str]:
        return sorted(record.value.decode() for record in self.records)

    def owned(self) -> set[TopicPartition]:
        return set(self.consumer.assignment())


@asynccontextmanager
async def member(group: str, *topics: str, pattern: str | None = None, **settings: object) -> AsyncIterator[Member]:
    """A member that reads until it leaves."""
    one = Member(group, **settings)
    await one.consumer.start()
    one.consumer.subscribe(topics, pattern=pattern, listener=one)
    reading = asyncio.create_task(one.read())
    try:
        yield one
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await one.consumer.stop()


@asynccontextmanager
async def members(group: str, topic: str, count: int, **settings: object) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(member(group, topic, **settings)) for _ in range(count)]


async def committed(group: str) -> dict[int, int]:
    """What a group has committed, by partition."""
    async with administrator() as admin:
        found = await admin.list_consumer_group_offsets(group)
        return {where.partition: what.offset for where, what in found.items() if what.offset >= 0}


def share_all(all_of_them: list[Member], topic: str, partitions: int) -> bool:
    """Whether each partition has one owner, and nobody has two more than another."""
    owned = [one.owned() for one in all_of_them]
    counts = [len(one) for one in owned]
    wanted = {TopicPartition(topic, number) for number in range(partitions)}
    everything = functools.reduce(set.union, owned, set())
    return everything == wanted and sum(counts) == partitions and max(counts) - min(counts) <= 1
