"""Waiting for an upstream that is away for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mixture.evaluation.attempts import Attempt
from mixture.evaluation.tally import Tally

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0


class Patience:
    """Asks again while failures are of the kind that passes, until nothing was answered for `seconds`. Where other
    questions are answered meanwhile the upstream is there: then `tries` are enough.
    """

    def __init__(self, seconds: float, tally: Tally, tries: int = 3) -> None:
        self._seconds = seconds
        self._tries = tries
        self._tally = tally
        self._answered = float("-inf")
        self._away = 0

    async def through(self, ask: Callable[[], Awaitable[Attempt]]) -> Attempt:
        """What `ask` returns, asked again while its failure may pass."""
        attempt = await ask()
        if attempt.error is None:
            self._answered = time.monotonic()
            return attempt
        return await self._again(ask, attempt) if attempt.passing and self._seconds > 0 else attempt

    async def _again(self, ask: Callable[[], Awaitable[Attempt]], attempt: Attempt) -> Attempt:
        failed, failures, pause = time.monotonic(), 1, FIRST_PAUSE
        self._away += 1
        self._tally.outages += 1
        self._tally.waiting = True
        try:
            while attempt.error is not None and attempt.passing and not self._over(failed, failures):
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
                attempt = await ask()
                failures += 1
            if attempt.error is None:
                self._answered = time.monotonic()
            return attempt
        finally:
            self._away -= 1
            self._tally.waiting = self._away > 0

    def _over(self, failed: float, failures: int) -> bool:
        there = self._answered > failed
        return failures >= self._tries if there else time.monotonic() - max(failed, self._answered) >= self._seconds
