"""From dollars for an hour of a GPU to dollars for a token, by how many tokens an engine was seen to compute."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mixture.config import EngineConfig
from mixture.types import Price

PROMPT_WEIGHT = 0.1
"""A token of a prompt counts as a tenth of a written one, because prompts are computed many tokens at once; one from a
prefix cache as a tenth of that. It is a judgement: what the ratio is depends on model, GPU and load."""
MEMORY = 120.0
"""Seconds of work over which throughput is averaged: what was seen earlier counts for less and less."""
ENOUGH = 5.0
"""Seconds of work after which what was measured is believed."""


def derived(engine: EngineConfig, tokens_per_second: float | None = None) -> Price | None:
    """What a token costs of an engine whose replica computes `tokens_per_second`, as `Throughput` counts them; of the
    configuration's own guess where nothing was measured. None, unknown, without either, and without a price of an hour.
    """
    speed = tokens_per_second or engine.tokens_per_second
    if engine.usd_per_gpu_hour is None or not speed:
        return None
    gpus = (1.0 if engine.gpus is None else engine.gpus) * engine.workers
    hour = engine.usd_per_gpu_hour * (gpus or 1.0)
    output = hour / 3600 / speed * 1e6
    prompt = output * PROMPT_WEIGHT
    return Price(input=prompt, output=output, cached_input=prompt * PROMPT_WEIGHT, derived=True)


class Throughput:
    """Tokens that a replica computes in a second of work, prompts weighed by `PROMPT_WEIGHT`: a moving average at the
    load that there is. Idle time does not count, so that a price does not rise because nobody asks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._tokens = self._seconds = 0.0
        self._all = 0.0
        self._working = False

    def note(self, prompt: int, written: int, *, working: bool) -> None:
        """Take in the tokens of a step; `working` says whether requests are left after it. The step that ends a pause
        does not count, because it is not known when it began.
        """
        now = self._clock()
        passed, self._last = now - self._last, now
        counts, self._working = self._working, working
        if not counts:
            return
        kept = math.exp(-passed / MEMORY)
        self._tokens = self._tokens * kept + written + prompt * PROMPT_WEIGHT
        self._seconds = self._seconds * kept + passed
        self._all += passed

    @property
    def tokens_per_s(self) -> float | None:
        """None before there was enough work to tell."""
        return self._tokens / self._seconds if self._all >= ENOUGH and self._tokens else None
