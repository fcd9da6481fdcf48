"""The demo programs in Python, against a simulator that knows exactly what it sent and a real Redis.

Everything that can end is ended once, in order and by force: the source's connections, the producer, the consumer, the
broker (where RESTART_COMMAND, a shell command, kills it and starts it again). After each nothing may be missing.
"""

import json
import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from demos import BLUESKY, CUTAWAY, PROGRAMS, WIKIPEDIA, Play, Program, Service
from demos import create_topic, expect, expect_equal, play, running, talks, wait_for

RESTART_COMMAND = os.environ.get("RESTART_COMMAND", "")
BOTH = (WIKIPEDIA, BLUESKY)


def hold_with_each(name: str, hold) -> None:
    """Adds a conversation for each of the two services."""
    for service in BOTH:
        talks.add(f"{service.name}: {name}", lambda service=service: hold(service))


@cache
def consumer_to_kill() -> tuple[Play, Program, Program]:
    """Kills a consumer that has counted and committed nothing yet; its successor waits 45 s for its partition."""
    it = running.enter_context(play(WIKIPEDIA, "successor"))
    it.simulate("--rate", "300", "--events", "900")
    producer, first = it.producer(), it.consumer()
    wait_for("the consumer has counted some", lambda: sum(it.counted().values()) > 100)
    first.kill()
    second = it.consumer()
    it.wait_until_all_is_produced()
    producer.stop()
    return it, first, second


@talks.named("wikipedia: a consumer is killed while it counts, and another one started")
def kill_consumer() -> None:
    it, first, _ = consumer_to_kill()
    it.expect_ids(it.ids())
    expect(len(first.offsets()) < it.length(), "the consumer was killed too late")


def balance(service: Service) -> None:
    with play(service, "balance") as it:
        it.simulate("--rate", "500", "--events", "1500")
        producer = it.producer()
        consumer = it.consumer()
        it.wait_until_all_is_produced()
        it.wait_until_all_is_counted()
        it.expect_balance(producer.stop(), [consumer.stop()])


hold_with_each("sent, produced, read and counted are the same", balance)


def disconnects(service: Service) -> None:
    """Each connection brings back what it began with, up to 2 s of it, so it has to live longer than that."""
    with play(service, "cuts") as it:
        it.simulate("--rate", "200", "--events", "1200", "--life-events", "500", "--mid-event")
        producer = it.producer()
        it.wait_until_all_is_produced()
        producer.stop()
        it.expect_balance(producer, [it.count_all()])
        expect(producer.left_out().get("duplicate", 0) > 0, "nothing came twice, so no resume was tried")


hold_with_each("connections cut in mid-event lose nothing", disconnects)


def malformed(service: Service) -> None:
    with play(service, "malformed") as it:
        it.simulate("--rate", "500", "--events", "1500", "--malformed", "30")
        producer = it.producer()
        it.wait_until_all_is_produced()
        producer.stop()
        it.expect_balance(producer, [it.count_all()])
        sent = it.oracle()
        expect(sent["malformed"] > 10, f"only {sent['malformed']} malformed events were sent")
        expect_equal("malformed events that the producer counted", producer.left_out().get("malformed"), sent["malformed"])
        apart = {what: sent.get(what) for what in ("identity", "account") if sent.get(what)}
        expect_equal("events counted apart", {what: producer.left_out().get(what) for what in apart}, apart)


hold_with_each("malformed events are counted and left out", malformed)


def refusals(service: Service) -> None:
    with play(service, "refused") as it:
        it.simulate("--rate", "200", "--events", "200", "--answers", "503,429,html,ok")
        producer = it.producer()
        moments = []
        for status in ("503", "429", "200"):
            words = f"the source answered {status} without events"
            wait_for(f"the producer says {words!r}", lambda words=words: producer.said(words))
            moments.append(time.monotonic())
        # The first two ask for a second of patience; left to itself the program would be back after 0.2 and 0.4 s.
        for earlier, later in zip(moments, moments[1:]):
            expect(later - earlier > 0.8, f"Retry-After was not obeyed: back after {later - earlier:.2f} s")
        it.wait_until_all_is_produced()
        producer.stop()
        it.expect_balance(producer, [it.count_all()])


hold_with_each("503, 429 and a page first, then events", refusals)


def forbidden(service: Service) -> None:
    with play(service, "forbidden") as it:
        it.simulate("--answers", "403")
        producer = it.producer().ended(status=1)
        expect(producer.said("set EVENT_CONTACT"), "the rule was not said")


hold_with_each("403 ends with the rule", forbidden)


@talks.named("wikipedia: without a contact the public service is not asked")
def no_contact() -> None:
    with play(WIKIPEDIA, "contact") as it:
        it.source = "live"
        producer = it.producer().ended(status=1)
        expect(producer.said("User-Agent rule"), "the rule was not said")


def consumer_first(service: Service) -> None:
    with play(service, "first") as it:
        it.simulate("--rate", "500", "--events", "500")
        consumer = it.consumer()
        wait_for("the consumer says that it waits for the topic", lambda: consumer.said(f"Waiting for the topic {it.topic}"))
        expect_equal("topics made by the consumer", it.length(), 0)
        producer = it.producer()
        it.wait_until_all_is_produced()
        it.wait_until_all_is_counted()
        it.expect_balance(producer.stop(), [consumer.stop()])


hold_with_each("a consumer that comes first waits for the topic", consumer_first)


@talks.named("wikipedia: two consumers share a group")
def two_consumers() -> None:
    with play(WIKIPEDIA, "group") as it:
        create_topic(it.topic, partitions=3)
        it.simulate("--rate", "500", "--events", "1500")
        consumers = [it.consumer(), it.consumer()]
        # Both have partitions before there is a record, so that none is read by one of them alone.
        wait_for("both consumers have partitions", lambda: it.members_with_partitions() == 2)
        producer = it.producer()
        it.wait_until_all_is_produced()
        it.wait_until_all_is_counted()
        producer.stop(), [one.stop() for one in consumers]
        expect(all(one.offsets() for one in consumers), "one of the two consumers read nothing")
        it.expect_balance(producer, consumers)


def interrupted(service: Service) -> None:
    """Ctrl+C and SIGTERM: nothing is left half done, so the next run begins where this one ended."""
    with play(service, "stopped") as it:
        # More than a slow machine gets done before it is told to stop twice.
        it.simulate("--rate", "200", "--events", "3000")
        runs = [it.producer()]
        consumers = [it.consumer()]
        for number in (signal.SIGINT, signal.SIGTERM):
            enough = sum(it.counted().values()) + 200
            wait_for("some more events are counted", lambda enough=enough: sum(it.counted().values()) >= enough)
            wait_for("the producer has a topic", lambda: runs[-1].said("% the topic"))
            runs[-1].stop(number)
            consumers[-1].stop(number)
            expect(runs[-1].said(", 0 not acknowledged"), "the producer left events without an acknowledgement")
            runs.append(it.producer())
            consumers.append(it.consumer())
        it.wait_until_all_is_produced()
        it.wait_until_all_is_counted()
        # The last two may have had nothing left to do, and are stopped when they have come that far.
        wait_for("the last producer has a topic", lambda: runs[-1].said("% the topic"))
        wait_for("the last consumer reads or waits", lambda: consumers[-1].said("Waiting for") or consumers[-1].said("-->"))
        runs[-1].stop(), consumers[-1].stop()
        sent = it.oracle_counts()
        it.expect_ids(it.ids())
        expect_equal("counted in Redis", it.counted(), sent)
        printed = {kind: sum(run.counts().get(kind, 0) for run in runs) for kind in sent}
        expect_equal("what the producers say they sent together", printed, sent)
        read = sorted(offset for consumer in consumers for offset in consumer.offsets())
        expect_equal("offsets read by the consumers together", read, list(range(it.length())))


hold_with_each("after Ctrl+C and SIGTERM the next run goes on exactly there", interrupted)


def killed_producer(service: Service) -> None:
    """What was sent after the token was saved may come twice, and nothing else."""
    with play(service, "killed") as it:
        it.simulate("--rate", "300", "--events", "1800")
        first = it.producer()
        state = it.folder / f"{service.name}-producer-python.resume"
        wait_for("the producer saved a token twice", lambda: state.exists() and len(saved(state)["recent"]) > 300)
        first.kill()
        last_saved = saved(state)["recent"][-1]
        # With duplicates, no number of records tells that all have come.
        it.producer(IDLE_EXIT="3").ended()
        expect(it.oracle()["complete"], "the second producer ended before all was sent")
        ids = it.ids()
        it.expect_ids(set(ids))
        place = next(n for n, one in enumerate(ids) if one in last_saved.split())
        early = [one for one in ids[: place + 1] if ids.count(one) > 1]
        expect_equal("events from before the saved token that came twice", early, [])
        consumer = it.count_all()
        expect_equal("counted in Redis, duplicates included", sum(it.counted().values()), len(ids))
        expect_equal("records read", len(consumer.offsets()), len(ids))


def saved(state: Path) -> dict:
    return json.loads(state.read_text())


hold_with_each("a killed producer loses nothing", killed_producer)


OUT_OF_ORDER = """
from delivery import Deliveries
deliveries = Deliveries("state", "source", "topic")
first, second, third, fourth = (deliveries.expect("edit", token, token) for token in "abcd")
second(None, None)
deliveries.save(0)
print(deliveries.token, deliveries.begun)
first(None, None)
deliveries.save(0)
print(Deliveries("state", "source", "topic").token)
class Error:
    def str(self):
        return "refused"
third(Error(), None)
fourth(None, None)
deliveries.save(0)
print(Deliveries("state", "source", "topic").token, deliveries.failure is not None, Deliveries("state", "other", "topic").token)
"""


@talks.named("the token waits for the acknowledgement of every event before it")
def token_waits() -> None:
    with play(WIKIPEDIA, "order") as it:
        program = it.start([sys.executable, "-c", OUT_OF_ORDER], PYTHONPATH=str(PROGRAMS)).ended()
        expect_equal("the tokens", program.output.read_text().split(), ["None", "4", "b", "b", "True", "None"])


@talks.named("wikipedia: no Redis is said once, and the counts are kept in memory")
def no_redis() -> None:
    with play(WIKIPEDIA, "memory") as it:
        it.simulate("--rate", "500", "--events", "300")
        producer = it.producer()
        it.wait_until_all_is_produced()
        producer.stop()
        consumer = it.consumer(REDIS_URL="redis://127.0.0.1:1/0", IDLE_EXIT="3").ended()
        expect_equal("the counters that it prints", consumer.counts(), it.oracle_counts())
        said = consumer.errors.read_text()
        expect_equal("how often it says so", said.count("counting in memory"), 1)


@talks.named("a resume token that is not understood: live, and said so")
def broken_token() -> None:
    with play(WIKIPEDIA, "token") as it:
        it.simulate("--rate", "100", "--events", "400")
        url = f"{it.source}/v2/stream/recentchange"
        place = [{"topic": "elsewhere.mediawiki.recentchange", "partition": 0, "timestamp": 1763769600124}]
        state = {"source": url, "topic": it.topic, "token": json.dumps(place), "recent": []}
        (it.folder / "wikipedia-producer-python.resume").write_text(json.dumps(state))
        producer = it.producer()
        it.wait_until_all_is_produced()
        producer.stop()
        expect(producer.said("starting live"), "nothing was said")
        it.expect_balance(producer, [it.count_all()])


def killed_broker(service: Service) -> None:
    with play(service, "broker") as it:
        it.simulate("--rate", "200", "--events", "1000")
        producer, consumer = it.producer(), it.consumer()
        wait_for("some events are counted", lambda: sum(it.counted().values()) > 200)
        done = subprocess.run(RESTART_COMMAND, shell=True, capture_output=True, check=False)
        expect_equal("exit status of RESTART_COMMAND", done.returncode, 0)
        it.wait_until_all_is_produced()
        it.wait_until_all_is_counted()
        producer.stop()
        ids, sent = it.ids(), it.oracle_counts()
        it.expect_ids(ids)
        expect_equal("what the producer says it sent", producer.counts(), sent)
        read = consumer.stop().offsets()
        expect_equal("offsets that the consumer read", sorted(set(read)), list(range(len(ids))))
        expect_equal("counted in Redis, those read again included", sum(it.counted().values()), len(read))


if RESTART_COMMAND:
    hold_with_each("a killed broker loses nothing that it acknowledged", killed_broker)


def notebook(**variables: str) -> None:
    with play(WIKIPEDIA, "notebook") as it:
        jupyter = [str(Path(sys.executable).with_name("jupyter")), "nbconvert", "--execute", "--to", "notebook"]
        kept = {name: str(it.folder) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
        command = [*jupyter, "--output-dir", str(it.folder), str(PROGRAMS / "streams.ipynb")]
        it.start(command, CUTAWAY=CUTAWAY, **kept, **variables).ended()
        cells = json.loads((it.folder / "streams.ipynb").read_text())["cells"]
        counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
        expect_equal("the order in which the cells were executed", counts, list(range(1, len(counts) + 1)))


@talks.named("the notebook runs from top to bottom")
def notebook_with_this_broker() -> None:
    notebook(KAFKA_BROKER=talks.bootstrap)


@talks.named("the notebook runs with a broker of its own")
def notebook_alone() -> None:
    notebook(KAFKA_BROKER="")


@talks.named("the notebook is kept without outputs, and the programs short")
def tidy() -> None:
    cells = json.loads((PROGRAMS / "streams.ipynb").read_text())["cells"]
    expect(not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), "the notebook has outputs")
    for file in PROGRAMS.glob("*.py"):
        lines = file.read_text().splitlines()
        expect(len(lines) <= 80, f"{file.name} has {len(lines)} lines, 80 are allowed")
        expect(max(map(len, lines)) <= 110, f"{file.name} has a line of more than 110 characters")


@talks.named("wikipedia: a killed consumer's successor counts everything")
def successor() -> None:
    it, first, second = consumer_to_kill()
    length = it.length()
    wait_for("the successor has read the last record", lambda: length - 1 in second.offsets(), 80)
    second.stop()
    expect_equal("offsets read by either", sorted({*first.offsets(), *second.offsets()}), list(range(length)))
    sent, counted = it.oracle_counts(), it.counted()
    missing = {kind: (counted.get(kind), count) for kind, count in sent.items() if counted.get(kind, 0) < count}
    expect_equal("types counted less often than sent", missing, {})
    read = len(first.offsets()) + len(second.offsets())
    expect(read <= sum(counted.values()) <= read + 1, f"{sum(counted.values())} counted, {read} read")


if __name__ == "__main__":
    with running:
        talks.hold()
