"""The demos' programs between a simulated stream, a broker and a Redis: everything that was sent is stored, read and counted.

What was sent, the simulator's oracle knows; what is stored, is read back record by record. Whatever befalls the connections,
the programs and the broker meanwhile, nothing may be missing; and more than was sent only where at-least-once allows it.
"""

import json
import os
import subprocess
from collections import Counter
from contextlib import ExitStack, contextmanager

from conversation import Conversations, expect, expect_equal
from services import CUTAWAY, PROGRAMS, Process, Redis, Simulator, folder, stored

TALKS = Conversations("demos", 120)
SERVICES = ("wikipedia", "bluesky")


class Stage:
    """A simulator, a Redis, and the programs that were started between them."""

    def __init__(self, service: str, purpose: str, stack: ExitStack, *events: str) -> None:
        self.service, self.topic = service, TALKS.topic(purpose)
        self.folder = stack.enter_context(folder())
        self.redis = Redis(self.folder)
        self.simulator = Simulator(self.folder, service, *events)
        self.processes: list[Process] = [self.redis, self.simulator]

    def producer(self, *options: str) -> Process:
        state = str(self.folder / "resume")
        options = ("--source", self.simulator.url, "--state", state, *options)
        return self._start("producer", *options)

    def consumer(self, *options: str) -> Process:
        return self._start("consumer", "--group", self.topic, "--redis", self.redis.url, *options)

    def _start(self, role: str, *options: str) -> Process:
        arguments = ["--broker", TALKS.bootstrap, "--topic", self.topic, "--json", "--quiet", *options]
        self.processes.append(Process(role, [str(PROGRAMS / f"{self.service}-{role}"), *arguments], self.folder))
        return self.processes[-1]

    def is_sent(self) -> bool:
        found = self.simulator.oracle()[self.service]
        streams = [found] if self.service == "wikipedia" else found["streams"]
        return any(stream["complete"] for stream in streams)

    def all_stored(self, producer: Process) -> None:
        """Waits until the producer has heard that everything which was sent is stored."""
        producer.wait_for("everything was sent", self.is_sent)
        sent = self.simulator.sent(self.service)["events"]
        records = lambda: producer.last().get("acknowledged", 0) + self.before
        producer.wait_for(f"{sent} events were acknowledged", lambda: records() >= sent)

    # What earlier producers of this stage had stored.
    before = 0

    def all_read(self, consumers: list[Process]) -> None:
        """Waits until everything that is stored is counted."""
        self.records = stored(TALKS.bootstrap, self.topic)
        count = lambda: sum(self.redis.counts().values())
        consumers[0].wait_for(f"{len(self.records)} records were counted", lambda: count() >= len(self.records))

    def ids(self) -> list[str]:
        values = [json.loads(record["payload"]) for record in self.records]
        return [value["meta"]["id"] if self.service == "wikipedia" else value["commit"]["rev"] for value in values]

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.process.poll() is None:
                process.kill()


@contextmanager
def stage(service: str, purpose: str, *events: str):
    with ExitStack() as stack:
        set_up = Stage(service, f"{service}-{purpose}", stack, *events)
        try:
            yield set_up
        finally:
            set_up.close()


def balance(stage: Stage, *, stored_again: bool = False, read_again: bool = False) -> None:
    """Sent = stored = counted, by their ids and by their sorts."""
    sent, ids, counts = stage.simulator.sent(stage.service), stage.ids(), stage.redis.counts()
    told = stage.simulator.ids(stage.service)
    expect_equal("distinct events sent", len(set(told)), sent["events"])
    missing, strange = set(told) - set(ids), set(ids) - set(told)
    expect(not missing, f"{len(missing)} of {len(told)} events are not stored, for example {sorted(missing)[:2]}")
    expect(not strange, f"{len(strange)} records are no event that was sent")
    if not stored_again:
        expect_equal("records", len(ids), len(told))
        expect(ids == told or stage.service == "wikipedia", "records are not in the order of the events")
    sorts = Counter(kind(record) for record in stage.records)
    if read_again:
        expect(all(counts[sort] >= count for sort, count in sorts.items()), f"counted {counts} of {sorts}")
    else:
        expect_equal("counted", counts, sorts)


def kind(record: dict) -> str:
    value = json.loads(record["payload"])
    return value["type"] if "type" in value else value["commit"]["operation"]


def whole(service: str) -> None:
    """Ten minutes' worth of events in a few seconds."""
    with stage(service, "whole", "--events", "21600", "--speed", "100") as at:
        consumer, producer = at.consumer(), at.producer()
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at)
        told, counted = producer.last(), consumer.last()
        expect_equal("kind", (told["kind"], counted["kind"]), ("summary", "summary"))
        expect_equal("acknowledged", told["acknowledged"], len(at.records))
        expect_equal("read, counted", (counted["read"], counted["counted"]), (len(at.records), len(at.records)))
        for record in at.records:
            value = json.loads(record["payload"])
            key = value.get("id") if service == "wikipedia" else value["commit"]["rev"]
            expect_equal("key", record["key"], None if key is None else str(key))
            compact = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            expect_equal("value", record["payload"], compact)


def cut(service: str) -> None:
    """Connections end in the middle of an event, again and again."""
    with stage(service, "cut", "--events", "6000", "--rate", "2000", "--life-events", "700", "--mid-event") as at:
        consumer, producer = at.consumer(), at.producer()
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at)
        expect(producer.last()["connections"] >= 8, f"there were {producer.last()['connections']} connections")


def consumer_first(service: str) -> None:
    """A consumer waits for its topic and says so; it does not make it."""
    with stage(service, "first", "--events", "500", "--rate", "1000") as at:
        consumer = at.consumer()
        consumer.wait_for("saying what it waits for", lambda: at.topic in consumer.said())
        producer = at.producer()
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at)


def two_consumers(service: str) -> None:
    """Two consumers share the partitions; the second one leaves again."""
    with stage(service, "two", "--events", "6000", "--rate", "1500") as at:
        producer = at.producer("--partitions", "2")
        consumers = [at.consumer(), at.consumer()]
        for consumer in consumers:
            consumer.wait_for("reading", lambda consumer=consumer: consumer.last().get("read", 0) > 0)
        consumers[1].end()
        at.all_stored(producer)
        at.all_read([consumers[0]])
        producer.end()
        consumers[0].end()
        at.records.sort(key=lambda record: record["partition"])
        ids, told = at.ids(), at.simulator.ids(service)
        expect_equal("records", Counter(ids), Counter(told))
        expect_equal("counted", at.redis.counts(), Counter(kind(record) for record in at.records))
        expect(all(consumer.last()["read"] > 0 for consumer in consumers), "one of them has read nothing")


def producer_killed(service: str) -> None:
    """A producer is killed and goes on where it left off."""
    with stage(service, "producer-killed", "--events", "9000", "--rate", "1500") as at:
        consumer, producer = at.consumer(), at.producer()
        for _ in range(2):
            producer.wait_for("storing", lambda producer=producer: producer.last().get("acknowledged", 0) > 500)
            producer.kill()
            producer = at.producer()
        producer.wait_for("everything was sent", at.is_sent)
        told = set(at.simulator.ids(service))

        def is_stored() -> bool:
            at.records = stored(TALKS.bootstrap, at.topic)
            return told <= set(at.ids())

        producer.wait_for("everything is stored", is_stored)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at, stored_again=True)
        twice = len(at.ids()) - len(told)
        expect(twice < 6000, f"{twice} records are stored twice")


def consumer_killed(service: str) -> None:
    """A consumer is killed; the next one goes on where it last committed."""
    with stage(service, "consumer-killed", "--events", "6000", "--rate", "1500") as at:
        # The group waits for a member that was killed as long as its session lasts.
        session = ("-X", "session.timeout.ms=6000")
        producer, consumer = at.producer(), at.consumer(*session)
        consumer.wait_for("counting", lambda: consumer.last().get("counted", 0) > 1000)
        consumer.kill()
        at.all_stored(producer)
        consumer = at.consumer(*session)
        at.records = stored(TALKS.bootstrap, at.topic)
        consumer.wait_for("the end", lambda: consumer.last().get("offsets", {}).get("0", 0) >= len(at.records))
        producer.end()
        consumer.end()
        balance(at, read_again=True)


def broker_killed(service: str) -> None:
    """The broker is killed under load and comes back: what it acknowledged is there, and nothing twice."""
    restart = os.environ.get("RESTART_COMMAND")
    if not restart:
        return
    with stage(service, "broker-killed", "--events", "9000", "--rate", "1500") as at:
        consumer, producer = at.consumer(), at.producer()
        for acknowledged in (1000, 4000):
            is_due = lambda acknowledged=acknowledged: producer.last().get("acknowledged", 0) > acknowledged
            producer.wait_for(f"{acknowledged} records", is_due)
            subprocess.run(restart, shell=True, check=True, stdout=subprocess.DEVNULL)
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at, read_again=True)


def badly_served(service: str) -> None:
    """Refusals first, then a stream with much in it that is no event."""
    faults = ("--answers", "503,429,html,ok", "--malformed", "10", "--stall-after", "1500", "--stall", "1")
    with stage(service, "badly", "--events", "3000", "--rate", "1500", *faults) as at:
        consumer, producer = at.consumer(), at.producer()
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at)
        sent, told = at.simulator.sent(service), producer.last()
        counted = told["malformed"] + told["refused"]
        if service == "wikipedia":
            expect_equal("malformed", counted, sent["malformed"])
        else:
            # A frame that is not UTF-8 ends its connection, and others may have been on their way behind it.
            expect(0 < counted <= sent["malformed"], f"{counted} of {sent['malformed']} are counted")
        for sentence in ("503", "429", "text/html" if service == "wikipedia" else "200 OK"):
            expect(sentence in producer.said(), f"the producer does not tell of {sentence}: {producer.said()[:600]}")


def redis_lost(service: str) -> None:
    """Redis is killed and comes back: nothing is counted less often than it is stored."""
    with stage(service, "redis-lost", "--events", "9000", "--rate", "1500") as at:
        consumer, producer = at.consumer(), at.producer()
        consumer.wait_for("counting", lambda: consumer.last().get("counted", 0) > 500)
        at.redis.kill()
        consumer.wait_for("saying so", lambda: "Redis" in consumer.said())
        at.redis.start()
        at.all_stored(producer)
        at.all_read([consumer])
        producer.end()
        consumer.end()
        balance(at, read_again=True)


def one_command(service: str) -> None:
    """`cutaway demo` through this broker ends with a ledger that balances."""
    with stage(service, "command", "--events", "1") as at:
        options = ["--broker", TALKS.bootstrap, "--events", "2000", "--rate", "1000", "--cut-every", "600", "--json"]
        demo = Process("demo", [CUTAWAY, "demo", service, *options], at.folder, {"REDIS_URL": at.redis.url})
        at.processes.append(demo)
        demo.process.wait(90)
        ledger = demo.last()
        expect_equal("exit code", demo.process.returncode, 0)
        expect_equal("balances", (ledger["kind"], ledger["balances"]), ("summary", True))
        expect_equal("counted", sum(at.redis.counts().values()), ledger["counted"])
        expect(ledger["sent"] > 1500 and ledger["stored"] == ledger["sent"], f"{ledger}")


for name, hold in {
    "everything that was sent is stored, read and counted": whole,
    "connections are cut in mid-event": cut,
    "a consumer comes before the producer": consumer_first,
    "two consumers share": two_consumers,
    "a producer is killed": producer_killed,
    "a consumer is killed": consumer_killed,
    "the broker is killed": broker_killed,
    "a service refuses and sends nonsense": badly_served,
    "redis is lost for a while": redis_lost,
    "cutaway demo balances": one_command,
}.items():
    for service in SERVICES:
        TALKS.add(f"{service}: {name}", lambda hold=hold, service=service: hold(service))

if __name__ == "__main__":
    TALKS.hold()
