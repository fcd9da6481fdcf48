"""Sends the posts of Bluesky, and what becomes of them, to the topic `bluesky-events`, until Ctrl+C."""

import json
import os
import sys
from contextlib import closing

from common import AGENT, KAFKA, LIMIT, MALFORMED, compact, create_topic, source_url
from confluent_kafka import Producer
from delivery import Deliveries
from streams import Refused, Source
from websocket import ABNF, WebSocketBadStatusException, create_connection

TOPIC = os.environ.get("TOPIC", "bluesky-events")
SETTINGS = {"enable.idempotence": True, "partitioner": "murmur2", "message.timeout.ms": 0,
            "linger.ms": 5, "batch.size": 100_000}
PATH = "/subscribe?wantedCollections=app.bsky.feed.post"
URL = source_url("ws", "https://jetstream2.us-west.bsky.network", PATH)


def connect(token):
    """One connection: yields each event's bytes. The token to resume with is in them: the event's time."""
    cursor = f"{'&' if '?' in URL else '?'}cursor={token}" if token else ""
    try:
        # The library would end the connection at a byte that is no UTF-8; `read` only refuses the event.
        socket = create_connection(URL + cursor, 60, header={"User-Agent": AGENT}, skip_utf8_validation=True)
    except WebSocketBadStatusException as answer:
        raise Refused(answer.status_code, answer.resp_headers) from None
    with closing(socket):
        while True:
            opcode, data = socket.recv_data()
            if opcode == ABNF.OPCODE_CLOSE:
                return
            yield None, data


def read(data):
    """A commit's operation, key, identity and token; events of other kinds, which come unasked, have none."""
    event = json.loads(data.decode(), parse_constant=int)  # int refuses NaN, which is no JSON
    if event["kind"] != "commit":
        return str(event["kind"]), None, None, None
    commit = event["commit"]
    identity = f"{event['did']} {commit['rev']} {commit['rkey']} {commit['operation']}"
    return str(commit["operation"]), commit["rev"].encode(), identity, int(event["time_us"])


def main():
    most_bytes = create_topic(TOPIC)
    producer = Producer({**KAFKA, **SETTINGS, "message.max.bytes": most_bytes})
    deliveries = Deliveries("./bluesky-producer-python.resume", URL, TOPIC)
    # A run goes on two seconds before the one that ended: the service advises a few.
    source = Source(connect, deliveries.token and deliveries.token - 2_000_000)
    for _, data in source:
        producer.poll(0 if len(producer) < 50_000 else 1)  # hears what the broker has acknowledged
        deliveries.save()
        if data is None:
            continue
        try:
            (kind, key, identity, token), value = read(data), compact(data, most_bytes)
        except MALFORMED as problem:
            deliveries.skip("malformed", problem)
            continue
        source.token = token or source.token
        if identity is None or not deliveries.is_new(identity):
            deliveries.skip("duplicate" if identity else kind)
            continue
        producer.produce(TOPIC, value, key, on_delivery=deliveries.expect(kind, identity, token))
        if deliveries.begun >= LIMIT or deliveries.failure:
            break
    producer.flush(10)
    deliveries.save(0)
    deliveries.report()
    sys.exit(source.failure or deliveries.failure)


if __name__ == "__main__":
    main()
