"""What became of the events, and the token to resume with: a crash may send events twice, and loses none."""

import json
import os
import time
from collections import Counter, OrderedDict, deque

from common import say

REMEMBERED, RECENT = 200_000, 2000  # events recognised when they come again; those kept with the token


class Deliveries:
    """Keeps the token of the last event that the broker acknowledged with all before it, also in a file."""

    def __init__(self, path, source, topic):
        self.path, self.home, self.token, self.failure = path, {"source": source, "topic": topic}, None, None
        self.begun, self.acknowledged, self.skipped = 0, Counter(), Counter()
        self.waiting, self.recent, self.saved_at = deque(), deque(maxlen=RECENT), 0
        try:
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            if kept | self.home != kept:
                raise ValueError("it belongs to another source or topic")
            self.token = kept["token"]
            self.recent.extend(kept["recent"])
        except (OSError, ValueError, TypeError, KeyError) as problem:
            say(f"no resume token ({problem}); starting live")
        self.seen = OrderedDict.fromkeys(self.recent)

    def is_new(self, identity):
        is_new = identity not in self.seen
        self.seen[identity] = True
        if len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)
        return is_new

    def skip(self, what, problem=None):
        """An event is not sent."""
        self.skipped[what] += 1
        if problem:
            say(f"an event is {what}: {problem!r:.200}; going on without it")

    def expect(self, kind, identity, token):
        """An event is being sent; returns what is to be called when the broker has answered for it."""
        delivery = {"identity": identity, "token": token, "is_done": False}
        self.waiting.append(delivery)
        self.begun += 1

        def answered(error, _record):
            if error:  # the token stays before this event, so the next run sends it again
                self.failure = f"the broker does not take the events: {error.str()}"
                return
            self.acknowledged[kind] += 1
            delivery["is_done"] = True
            while self.waiting and self.waiting[0]["is_done"]:
                done = self.waiting.popleft()
                self.token = done["token"]
                self.recent.append(done["identity"])

        return answered

    def save(self, every_seconds=1):
        """Writes a file beside the old one and puts it in its place, so that there is always a whole one."""
        if self.token and time.monotonic() - self.saved_at >= every_seconds:
            with open(f"{self.path}.tmp", "w", encoding="utf-8") as file:
                json.dump({**self.home, "token": self.token, "recent": list(self.recent)}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(f"{self.path}.tmp", self.path)
            self.saved_at = time.monotonic()

    def report(self):
        """Prints what was sent by type, and what was not sent."""
        for kind, count in sorted(self.acknowledged.items()):
            print(f"{kind:<12} {count}")
        apart = ", ".join(f"{count} {what}" for what, count in sorted(self.skipped.items())) or "none"
        say(f"{self.acknowledged.total()} sent, {len(self.waiting)} not acknowledged, left out: {apart}")
