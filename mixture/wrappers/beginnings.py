"""How long an expert takes to begin its answers."""

from __future__ import annotations

from collections import deque

WINDOW = 128
"""Calls that are remembered: enough for a 95th percentile, few enough to follow an upstream that changes."""
FEWEST = 20
"""Calls without which there is no 95th percentile: with fewer it would be their slowest."""


class Beginnings:
    """Milliseconds to the first chunk of the latest calls, streamed answers and whole ones apart: the first chunk of a
    whole answer is its end. A call that was ended before it began has taken at least so long: it counts where that is
    longer than most, so that an expert which always loses against a faster one is not taken to be fast.
    """

    __slots__ = ("_streamed", "_whole")

    def __init__(self) -> None:
        self._streamed: deque[float] = deque(maxlen=WINDOW)
        self._whole: deque[float] = deque(maxlen=WINDOW)

    def note(self, milliseconds: float, *, streamed: bool, began: bool) -> None:
        """Take in a call that has begun, or that was ended before it did."""
        seen = self._of(streamed)
        if began or (seen and milliseconds > self._at(seen, 0.95)):
            seen.append(milliseconds)

    def quantile(self, share: float, *, streamed: bool) -> float | None:
        """The milliseconds within which `share` of the calls had begun (nearest rank); None while too few were made."""
        seen = self._of(streamed)
        return self._at(seen, share) if len(seen) >= FEWEST else None

    def _of(self, streamed: bool) -> deque[float]:
        return self._streamed if streamed else self._whole

    @staticmethod
    def _at(seen: deque[float], share: float) -> float:
        ordered = sorted(seen)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
