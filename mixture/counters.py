"""What a process has counted since it started: the sums behind `/metrics`.

    from mixture.counters import count

    count("mixture_cache_total", kind="exact", outcome="hit")

Counting is a lookup and an addition, made between two steps of the event loop. Labels are bounded: names come from the
configuration, outcomes from the code, and what is beyond `MOST` is counted as `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST = 1_000
"""Combinations of labels that one series may have."""
OTHER = "other"

Sums = dict[str, dict[tuple[str, ...], float]]
"""Of each series the sum for each combination of its labels, in their order."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is counted: a word for people, its labels, and, where amounts are told apart by size, the upper ends of the
    buckets. A series with buckets has the labels of `Sums` `("le", bound)`, `("sum",)` and `("count",)`.
    """

    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


SERIES: Mapping[str, Series] = {
    "mixture_requests_total": Series("Requests that asked a model", ("strategy", "outcome")),
    "mixture_upstream_requests_total": Series("Attempts to ask an expert", ("expert", "outcome")),
    "mixture_tokens_total": Series("Tokens of the attempts", ("expert", "kind")),
    "mixture_cost_usd_total": Series("US dollars that attempts with a known price cost", ("expert",)),
    "mixture_unpriced_total": Series("Attempts whose price is not known", ("expert",)),
    "mixture_cache_total": Series("Look-ups in caches", ("kind", "outcome")),
    "mixture_cache_judged_total": Series("Hits of the semantic cache that were judged", ("domain", "verdict")),
    "mixture_overhead_seconds": Series(
        "Seconds of a request in which no expert was at work",
        buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    ),
}
"""Everything that is counted, by the name under which it is scraped."""


@dataclass(slots=True)
class Counters:
    """The sums of one process."""

    sums: Sums = field(default_factory=lambda: {name: {} for name in SERIES})

    def count(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add `amount` to a series. Raises KeyError when there is no such series or a label is missing."""
        series = self.sums[name]
        key = tuple([labels[label] for label in SERIES[name].labels])
        if key in series:
            series[key] += amount
        elif len(series) < MOST:
            series[key] = amount
        else:
            key = (OTHER,) * len(key)
            series[key] = series.get(key, 0.0) + amount

    def observe(self, name: str, value: float) -> None:
        """Add an amount to a series with buckets."""
        series, buckets = self.sums[name], SERIES[name].buckets
        place = bisect_left(buckets, value)
        bound = ("le", str(buckets[place]) if place < len(buckets) else "+Inf")
        for key, amount in ((bound, 1.0), (("sum",), value), (("count",), 1.0)):
            series[key] = series.get(key, 0.0) + amount

    def copy(self) -> Sums:
        """The sums as they are now."""
        return {name: dict(series) for name, series in self.sums.items()}


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of several processes together."""
    total: Sums = {name: {} for name in SERIES}
    for part in parts:
        for name, series in part.items():
            into = total.setdefault(name, {})
            for key, amount in series.items():
                into[key] = into.get(key, 0.0) + amount
    return total


class Tally:
    """The sums of every process that told them, each by a name of its own. What a process counted stays counted when
    it is gone; the sums of those that tell no more are kept as one.
    """

    def __init__(self) -> None:
        self._told: dict[str, Sums] = {}
        self._gone: Sums = {}

    def tell(self, who: str, sums: Sums) -> Sums:
        """Take in what `who` has counted so far; returns the sums of all."""
        self._told[who] = sums
        while len(self._told) > MOST:
            oldest = next(iter(self._told))
            self._gone = added((self._gone, self._told.pop(oldest)))
        return added((self._gone, *self._told.values()))


COUNTERS = Counters()
"""Those of this process."""
count = COUNTERS.count
observe = COUNTERS.observe
