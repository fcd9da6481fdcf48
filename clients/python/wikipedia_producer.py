"""Sends the edits of all wikis to the topic `wikipedia-edits`, until Ctrl+C."""

import json
import os
import sys

import requests
from common import AGENT, KAFKA, LIMIT, MALFORMED, compact, create_topic, source_url
from confluent_kafka import Producer
from delivery import Deliveries
from sseclient import SSEClient
from streams import Refused, Source

TOPIC = os.environ.get("TOPIC", "wikipedia-edits")
SETTINGS = {"enable.idempotence": True, "partitioner": "murmur2", "message.timeout.ms": 0}
URL = source_url("http", "https://stream.wikimedia.org", "/v2/stream/recentchange")


def connect(token):
    """One connection: yields each event's id, which is the token to resume with, and its bytes."""
    headers = {"User-Agent": AGENT, "Accept": "text/event-stream", "Last-Event-ID": token and rewound(token)}
    with requests.get(URL, headers=headers, stream=True, timeout=(10, 60)) as answer:
        if answer.status_code != 200 or "text/event-stream" not in answer.headers.get("content-type", ""):
            raise Refused(answer.status_code, answer.headers)
        # In Latin-1 every byte is a character, so the event comes out as the bytes that were sent.
        for event in SSEClient(answer.iter_content(16_384), "latin-1").events():
            yield event.id, event.data.encode("latin-1")


def rewound(token):
    """One millisecond earlier, since events share them; ten seconds for a topic that has had no event."""
    places = json.loads(token)
    newest = max(place["timestamp"] for place in places if "timestamp" in place)
    for place in places:
        place["timestamp"] = newest - 10_000 if place.pop("offset", 0) else place["timestamp"] - 1
    return json.dumps(places)


def read(data):
    """An event's type, key and identity. A canary, a sign of life that is no edit, has no identity."""
    event = json.loads(data.decode(), parse_constant=int)  # int refuses NaN, which is no JSON
    if event["meta"].get("domain") == "canary":
        return "canary", None, None
    key = event.get("id")  # without an id there is no key, which is not the same as an empty one
    if type(key) not in (int, type(None)):
        raise ValueError("its id is not a whole number")
    return str(event.get("type")), key if key is None else str(key), str(event["meta"]["id"])


def main():
    most_bytes = create_topic(TOPIC)
    producer = Producer({**KAFKA, **SETTINGS, "message.max.bytes": most_bytes})
    deliveries = Deliveries("./wikipedia-producer-python.resume", URL, TOPIC)
    source = Source(connect, deliveries.token)
    for token, data in source:
        producer.poll(0 if len(producer) < 50_000 else 1)  # hears what the broker has acknowledged
        deliveries.save()
        if data is None:
            continue
        try:
            (kind, key, identity), value = read(data), compact(data, most_bytes)
        except MALFORMED as problem:
            deliveries.skip("malformed", problem)
            continue
        source.token = token
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
