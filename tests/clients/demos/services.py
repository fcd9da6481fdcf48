"""What the demos' programs talk to besides the broker: simulated streams, with their oracle, and a real Redis; and the
programs themselves, as processes.

Needs nothing but Python's own library, `cutaway` and `redis-server`.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conversation import Disagreement, expect

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "release"
CUTAWAY = str(PROGRAMS / "cutaway")
PATIENCE_SECONDS = 60


class Process:
    """A program whose output is kept in a file."""

    def __init__(self, name: str, arguments: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.name, self._output = name, folder / f"{name}-{time.monotonic_ns()}"
        with open(self._output, "wb") as out, open(f"{self._output}.err", "wb") as errors:
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": errors}
            self.process = subprocess.Popen(arguments, env={**os.environ, **(environment or {})}, **streams)

    def printed(self) -> str:
        return self._output.read_text(errors="replace")

    def said(self) -> str:
        return Path(f"{self._output}.err").read_text(errors="replace")

    def last(self) -> dict:
        """What it told about itself last, as JSON; its last line may be on its way."""
        lines = [line for line in self.printed().split("\n")[:-1] if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {}

    def wait_for(self, what: str, holds) -> None:
        """Waits until it is so, as long as the process runs."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if self.process.poll() is not None:
                raise Disagreement(f"{self.name} ended ({self.process.returncode}) before {what}: {self.said()[-400:]}")
            if time.monotonic() > deadline:
                raise Disagreement(f"{self.name}: not {what} after {PATIENCE_SECONDS} s: {self.last()} {self.said()[-400:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, code: int = 0) -> None:
        """Asks it to end, and expects that it does so in good order."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Disagreement(f"{self.name} did not end: {self.said()[-400:]}") from None
        expect(self.process.returncode == code, f"{self.name} ended with {self.process.returncode}: {self.said()[-400:]}")


class Simulator(Process):
    """`cutaway events` on a free port."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        super().__init__("events", [CUTAWAY, "events", "--port", "0", "--others", "0", *arguments], folder)
        self.wait_for("serving", lambda: " serves events at http" in self.said())
        self.url = self.said().split(" serves events at ")[1].split("\n")[0]

    def oracle(self) -> dict:
        return json.loads(self._get("/oracle"))

    def ids(self, service: str) -> list[str]:
        path = {"wikipedia": "/oracle/wikipedia", "bluesky": "/oracle/bluesky?wantedCollections=app.bsky.feed.post"}
        return self._get(path[service]).split()

    def sent(self, service: str) -> dict:
        """What it sent of a service: the number of events, and of each sort."""
        found = self.oracle()[service]
        stream = found if service == "wikipedia" else {**found["streams"][0], "connections": found["connections"]}
        return {**stream, "sorts": stream["types" if service == "wikipedia" else "operations"]}

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE_SECONDS) as answer:
            return answer.read().decode()


class Redis:
    """A real Redis on a free port. Its counters outlive a kill."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        log = ["--save", "", "--appendonly", "yes", "--appendfsync", "no", "--dir", str(self._folder)]
        self.server = Process("redis", ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", *log], self._folder)
        self.process = self.server.process
        self.server.wait_for("serving", lambda: self.ask("ping") == "PONG")

    def kill(self) -> None:
        self.server.kill()

    def ask(self, *words: str) -> str:
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True)
        return done.stdout.strip()

    def counts(self) -> Counter:
        """All counters."""
        keys = self.ask("keys", "*").split()
        values = self.ask("mget", *keys).split() if keys else []
        return Counter({key: int(value) for key, value in zip(keys, values, strict=True)})


def stored(bootstrap: str, topic: str) -> list[dict]:
    """Every record of a topic, with its key and its value as they lie there."""
    command = [CUTAWAY, "consume", topic, "-b", bootstrap, "-o", "beginning", "-e", "-q", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    expect(done.returncode == 0, f"the topic cannot be read: {done.stderr[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one conversation."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
