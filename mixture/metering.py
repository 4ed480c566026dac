"""Who was called for a request, and what it cost: noted where the call is made, read where the answer is given.

The calls of one request are found through a context variable and not through an argument, because the wrapper that
sees each attempt sits below the strategy that made it, and tasks that a strategy starts inherit the variable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mixture.types import Call

Span = tuple[float, float]
"""When a call began and ended, in seconds of `time.perf_counter`."""

_meter: ContextVar[tuple[list[Call], list[Span]] | None] = ContextVar("mixture_meter", default=None)


@contextmanager
def metered(calls: list[Call], spans: list[Span] | None = None) -> Iterator[None]:
    """Append the calls that are made inside to `calls`, in the order in which they end, and their times to `spans`."""
    token = _meter.set((calls, [] if spans is None else spans))
    try:
        yield
    finally:
        _meter.reset(token)


def record(call: Call) -> None:
    """Note a call that has just ended for the request that is being answered; outside of one it is dropped."""
    meter = _meter.get()
    if meter is not None:
        calls, spans = meter
        ended = time.perf_counter()
        calls.append(call)
        spans.append((ended - call.latency_ms / 1e3, ended))


def spent() -> float:
    """US dollars known to be spent so far on the request that is being answered; nothing outside of one."""
    meter = _meter.get()
    return 0.0 if meter is None else sum(call.cost_usd or 0.0 for call in meter[0])


def covered(spans: list[Span]) -> float:
    """Seconds in which at least one of the calls was under way."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
