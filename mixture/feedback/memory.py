"""The requests of late, so that a note about one can be understood: at most so many, and each for so long."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from mixture.errors import RateLimited
from mixture.feedback.notes import Remembered

CHARACTERS = 8_000
"""Of a prompt; what the predictor reads of one is no longer."""
OWNERS = 10_000
"""Keys whose rates are counted at once."""


class Memory:
    """At most `most` requests, the oldest forgotten first, each after `ttl` seconds. A request is found by the key that
    it came with and its id: nobody finds another's.
    """

    def __init__(self, most: int, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._ttl = ttl
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, Remembered]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, request: Remembered) -> None:
        """Remember a request; of the same id by the same key the last counts."""
        key = request.owner, request.request_id
        self._kept[key] = (self._clock() + self._ttl, request)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most or self._first_until() < self._clock():
            self._kept.popitem(last=False)

    def find(self, owner: str, request_id: str) -> Remembered | None:
        """The request, or None when it is unknown or forgotten."""
        found = self._kept.get((owner, request_id))
        return None if found is None or found[0] < self._clock() else found[1]

    def _first_until(self) -> float:
        return next(iter(self._kept.values()))[0] if self._kept else float("inf")


class Rate:
    """At most `most` notes of one key in any hour."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, owner: str) -> None:
        """Count a note. Raises RateLimited with the seconds to wait."""
        times, now = self._times.setdefault(owner, deque()), self._clock()
        self._times.move_to_end(owner)
        if len(self._times) > OWNERS:
            self._times.popitem(last=False)
        while times and times[0] <= now - 3_600:
            times.popleft()
        if len(times) >= self._most:
            wait = times[0] + 3_600 - now
            raise RateLimited(f"{self._most} notes in an hour are the most that one key may send", retry_after=wait)
        times.append(now)
