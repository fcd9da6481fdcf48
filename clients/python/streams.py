"""The source of both producers: a stream of events that goes on after every cut."""

import queue
import random
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime

from common import IDLE_EXIT, RULE, say, stopped


class Refused(Exception):
    """The source answered without events."""

    def __init__(self, status, headers):
        super().__init__(f"the source answered {status} without events. {RULE if status == 403 else ''}")
        self.status, self.wait, after = status, 0, headers.get("retry-after", "0")
        with suppress(ValueError, TypeError):  # it is a number of seconds, or a date
            date = None if after.isdigit() else parsedate_to_datetime(after)
            self.wait = date.timestamp() - time.time() if date else int(after)


class Source:
    """Yields what `connect(token)` yields, again and again; (None, None) while there is nothing."""

    def __init__(self, connect, token):
        self.connect, self.token, self.failure = connect, token, None
        self.inbox = queue.Queue(10_000)  # while it is full the connection is not read: nothing is dropped
        threading.Thread(target=self.read, daemon=True).start()

    def __iter__(self):
        last = time.monotonic()
        while not (stopped.is_set() or self.failure) and time.monotonic() - last < IDLE_EXIT:
            try:
                yield self.inbox.get(timeout=0.2)
            except queue.Empty:
                yield None, None
            else:
                self.inbox.task_done()
                last = time.monotonic()

    def read(self):
        pause = 0.2
        while not self.failure:
            wait = 0
            try:
                for event in self.connect(self.token):
                    self.inbox.put(event)
                    pause = 0.2
                say("the source ended the connection; connecting again")
            except Refused as refused:
                say(refused)
                wait = min(refused.wait, 3600)
                if refused.status == 400 and self.token:
                    say("the resume token is not understood there; starting live")
                    self.token = None
                elif refused.status not in (200, 429) and refused.status < 500:
                    self.failure = refused
            except Exception as problem:  # each library has its own words for a cut
                say(f"the connection broke ({problem}); connecting again")
            self.inbox.join()  # all that came is handled, so self.token is that of the last event
            time.sleep(max(wait, pause * random.uniform(0.5, 1)))
            pause = min(pause * 2, 30)
