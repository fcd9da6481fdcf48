"""Holds conversations with a broker, one after the other, and says how each went.

A conversation is a function that talks to the broker through one client and raises when an answer is not the right one.
`Conversations.hold` reads the command line that all client folders share (`run BOOTSTRAP [WORD]`), prints
`ok TOOL: NAME` or `FAILED TOOL: NAME: sentence` for each, and ends the program with 1 if any failed.

This file knows no client and no broker; it needs nothing but Python's own library.
"""

import os
import secrets
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType


class Disagreement(Exception):
    """The broker, or the client, did not do what it should; the text is a sentence for a person."""


class Conversations:
    """The named conversations of one client, and the broker they are held with."""

    def __init__(self, tool: str, time_limit_seconds: int = 90) -> None:
        self.tool = tool
        # A conversation that lasts longer has failed. Most end within a second, but a loaded machine is slow.
        self.time_limit_seconds = time_limit_seconds
        self.bootstrap = ""
        self._prefix = os.environ.get("CUTAWAY_TOPIC_PREFIX") or f"run-{secrets.token_hex(4)}"
        self._conversations: list[tuple[str, Callable[[], None]]] = []

    def add(self, name: str, hold: Callable[[], None]) -> None:
        """Adds a conversation. Its name is stable: it is what people look for when one fails."""
        self._conversations.append((name, hold))

    def named(self, name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
        """Adds the function below it as a conversation."""

        def add(hold: Callable[[], None]) -> Callable[[], None]:
            self.add(name, hold)
            return hold

        return add

    def topic(self, purpose: str) -> str:
        """A topic name that no other run uses, so that a run can be repeated on the same broker."""
        return f"{self._prefix}-{self.tool}-{purpose}"

    def hold(self) -> None:
        """Holds all conversations, or those whose name contains the word given after the address."""
        if not 2 <= len(sys.argv) <= 3:
            sys.exit(f"usage: {sys.argv[0]} HOST:PORT [WORD]\nheld are the conversations whose name contains WORD")
        self.bootstrap = sys.argv[1]
        word = sys.argv[2] if len(sys.argv) == 3 else ""
        chosen = [(name, hold) for name, hold in self._conversations if word in name]
        if not chosen:
            sys.exit(f"no conversation of {self.tool} has {word!r} in its name")
        # A list, because `all` over a generator would stop at the first failure.
        sys.exit(0 if all([self._hold_one(name, hold) for name, hold in chosen]) else 1)

    def _hold_one(self, name: str, hold: Callable[[], None]) -> bool:
        signal.signal(signal.SIGALRM, self._out_of_time)
        signal.alarm(self.time_limit_seconds)
        try:
            hold()
        except Exception as problem:  # Whatever a client raises is a failed conversation, and the next is still held.
            print(f"FAILED {self.tool}: {name}: {_sentence(problem)}", flush=True)
            if not isinstance(problem, Disagreement):
                traceback.print_exc()
            return False
        finally:
            signal.alarm(0)
        print(f"ok {self.tool}: {name}", flush=True)
        return True

    def _out_of_time(self, _signal: int, _frame: FrameType | None) -> None:
        raise Disagreement(f"still unfinished after {self.time_limit_seconds} s, given up")


def expect(holds: bool, sentence: str) -> None:
    """Ends the conversation with this sentence unless the condition holds."""
    if not holds:
        raise Disagreement(sentence)


def expect_equal(what: str, actual: object, expected: object) -> None:
    """Ends the conversation unless the two are equal; long values are cut in the sentence."""
    if actual != expected:
        raise Disagreement(f"{what}: expected {_brief(expected)}, got {_brief(actual)}")


def wait_until(holds: Callable[[], bool]) -> None:
    """Asks until it holds: the brokers of a Kafka learn of a change a little after it was answered.

    The time limit of the conversation ends it.
    """
    while not holds():
        pass


def now_ms() -> int:
    """The time as Kafka's timestamps count it. Client and broker share this machine's clock."""
    return time.time_ns() // 1_000_000


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"


def _sentence(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if isinstance(problem, Disagreement) else f"{type(problem).__name__}: {text}"
