"""An expert that sleeps: it has to be started before it answers, which ends when the test says so."""

from __future__ import annotations

import asyncio

from mixture.errors import ExpertUnavailable
from mixture.providers.scripted import scripted
from mixture.types import Query, Warmup


class Sleeping:
    """A scripted expert with what `mixture.wrappers.Sleeper` asks for."""

    def __init__(self, left_s: float = 20.0, limit_s: float = 600.0, failing: bool = False, **script: object) -> None:
        self.inner = scripted(**script)
        self.card = self.inner.card
        self.up = asyncio.Event()
        self.wanted = asyncio.Event()
        self.wakings = 0
        self._warmup = Warmup(left_s, limit_s)
        self._failing = failing

    @property
    def warmup(self) -> Warmup | None:
        return None if self.up.is_set() else self._warmup

    async def ready(self) -> None:
        self.wakings += 1
        self.wanted.set()
        if self._failing:
            raise ExpertUnavailable("it can not be started", expert=self.card.name)
        await self.up.wait()

    def wake(self) -> None:
        self.wakings += 1

    def stream(self, query: Query):
        assert self.up.is_set(), "it was asked before it ran"
        return self.inner.stream(query)
