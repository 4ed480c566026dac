"""What is known of an expert at this moment: how busy it is, whether it is left alone, how fast it has been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """The state of an expert as this process sees it. `waiting` is the number of calls at work or queued for each place
    it has; `available` is false while it is left alone after failures. `latency_ms` and `completion_tokens` are moving
    averages over its last answers (None before the first), `answers` how many there have been.
    """

    waiting: float = 0.0
    available: bool = True
    latency_ms: float | None = None
    completion_tokens: float | None = None
    answers: int = 0


IDLE = Load()
"""An expert of which nothing is known."""

Loads = Mapping[str, Load]
"""The state of experts by their names; one that is not named is taken to be idle."""
