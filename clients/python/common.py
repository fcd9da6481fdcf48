"""What both producers need before the first event: addresses, the topic, and a way to end in good order."""

import os
import platform
import re
import signal
import sys
import threading
from urllib.parse import urlsplit

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

KAFKA = {"bootstrap.servers": os.environ.get("KAFKA_BROKER", "127.0.0.1:9092"), "broker.address.family": "v4"}
LIMIT = float(os.environ.get("LIMIT", "inf"))  # events after which a program ends
IDLE_EXIT = float(os.environ.get("IDLE_EXIT", "inf"))  # seconds without an event after which it ends
CONTACT = os.environ.get("EVENT_CONTACT", "local simulator")
AGENT = f"cutaway-demo/0.1 ({CONTACT}) python/{platform.python_version()}"
RULE = "Wikimedia's User-Agent rule: set EVENT_CONTACT to your e-mail address or to a page about you"
MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)  # what a wrong event leads to
SPACE = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')  # a string, or white space outside of strings
PASSING = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.NOT_CONTROLLER, KafkaError.REQUEST_TIMED_OUT)

stopped = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stopped.set())  # Ctrl+C: not at once, but with everything in order
signal.signal(signal.SIGTERM, lambda *_: stopped.set())


def say(sentence):
    print(f"% {sentence}", file=sys.stderr, flush=True)


def source_url(scheme, live, path):
    """EVENT_SOURCE: `events` is the simulator, `live` the public service; or a URL that may lack its path."""
    source = os.environ.get("EVENT_SOURCE", "events")
    url = urlsplit({"events": "http://127.0.0.1:8090", "live": live}.get(source, source))
    if url.scheme not in ("http", "https", "ws", "wss"):
        sys.exit(f"EVENT_SOURCE={source} is neither `events`, `live` nor a URL")
    if url.netloc.endswith("wikimedia.org") and "EVENT_CONTACT" not in os.environ:
        sys.exit(RULE)
    secure = "s" if url.scheme in ("https", "wss") else ""
    own_path = url._replace(scheme="", netloc="").geturl()
    return f"{scheme}{secure}://{url.netloc}{own_path if own_path.strip('/') else path}"


def create_topic(topic):
    """Creates the topic unless it is there; waits for a broker. Returns how large its records may be."""
    admin = AdminClient(KAFKA)
    while not stopped.is_set():
        # -1 replicas: the broker's default, which is right for one node and for a cluster.
        [answer] = admin.create_topics([NewTopic(topic, 1, -1)], request_timeout=5).values()
        try:
            error = answer.exception() and answer.exception().args[0]
            if error is None or error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
                [config] = admin.describe_configs([ConfigResource("TOPIC", topic)]).values()
                most_bytes = int(config.result()["max.message.bytes"].value)
                say(f"the topic {topic}: {len(partitions)} partition(s), records up to {most_bytes} bytes")
                return most_bytes
        except KafkaException as problem:  # a Kafka may answer a moment before all of it knows the topic
            error = problem.args[0]
        if error.code() > 0 and error.code() not in PASSING:  # with a code below 0, nobody has answered
            sys.exit(f"cannot create the topic {topic}: {error.str()}")
        say(f"waiting for a broker that has the topic {topic} ({error.str()})")
        stopped.wait(1)
    sys.exit()


def compact(json_bytes, most_bytes):
    """Without white space and otherwise as it came; reading and writing it anew would round long numbers."""
    value = SPACE.sub(rb"\1", json_bytes)
    if len(value) > most_bytes - 1000:  # a batch and its records have headers
        raise ValueError(f"it has {len(value)} bytes, and the topic takes {most_bytes}")
    return value
