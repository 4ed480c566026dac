"""A second expert beside one that is slow to begin: whichever begins first answers, the other is stopped."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import replace
from typing import Any

from mixture.config import Hedge
from mixture.dispatch.outcomes import Failure, healable
from mixture.envelope import left
from mixture.errors import MixtureError
from mixture.estimates import bound_cost
from mixture.metering import adjusted
from mixture.streams import relay, stopped
from mixture.types import Adjusted, Completion, Delta, Emit, Event, ExpertCard, Panel, Query
from mixture.wrappers import begins_within

USUAL = 0.95
"""The share of its calls within which an expert is given time to begin (Dean and Barroso 2013, "The tail at scale")."""


def patience(name: str, query: Query, panel: Panel, hedge: Hedge | None) -> float | None:
    """Seconds that the expert may take to begin before another one is asked beside it; None: as long as it likes."""
    if hedge is None or hedge == "off":
        return None
    if hedge != "p95":
        return hedge / 1e3
    usual = begins_within(panel.experts[name], USUAL, streamed=query.stream)
    return None if usual is None else usual / 1e3


class Contest:
    """One answer that one or two experts try to give. Nothing is passed on of any but the one that begins first, so
    that no token is sent twice.
    """

    def __init__(self, query: Query, panel: Panel, emit: Emit) -> None:
        self._query, self._panel, self._emit = query, panel, emit
        self._tasks: dict[asyncio.Task[Completion], str] = {}
        self._ahead: asyncio.Future[asyncio.Task[Completion]] = asyncio.get_running_loop().create_future()
        self.failures: list[Failure] = []

    @property
    def begun(self) -> bool:
        """Whether a part of the answer has passed."""
        return self._ahead.done()

    async def answer(self, name: str, seconds: float, others: deque[str]) -> Completion | None:
        """The answer of `name`, or of the first of `others` when `name` has not begun after `seconds`; that one is
        taken off `others`. None when each of them failed before it began: see `failures`. Raises what ends one that had
        begun, or what no other expert heals.
        """
        self._start(name, _halved(self._query, self._panel.experts[name].card))
        wait: float | None = seconds
        try:
            while self._tasks:
                waited: set[asyncio.Future[Any]] = {*self._tasks, self._ahead}
                done, _ = await asyncio.wait(waited, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                if self.begun:
                    return await self._won(self._ahead.result())
                if not done and others:
                    self._hedge(name, others.popleft(), seconds)
                    wait = None
                for task in [task for task in self._tasks if task.done()]:
                    completion = self._ended(task)
                    if completion is not None:
                        return completion
            return None
        finally:
            await self._stop()

    async def _won(self, winner: asyncio.Task[Completion]) -> Completion:
        for task in self._tasks:
            if task is not winner:
                task.cancel()
        return await winner

    def _start(self, name: str, query: Query) -> None:
        self._tasks[asyncio.create_task(self._run(name, query))] = name

    async def _run(self, name: str, query: Query) -> Completion:
        return await relay(self._panel.experts[name], query, self._pass)

    def _hedge(self, slow: str, name: str, seconds: float) -> None:
        why = f"{slow} had not begun after {seconds * 1e3:.0f} ms"
        adjusted(Adjusted("hedged", why, (name,)))
        self._start(name, replace(self._query, purpose=f"{self._query.purpose}, hedge"))

    async def _pass(self, event: Event) -> None:
        """Pass an event on when it comes from the expert that began first."""
        task = asyncio.current_task()
        if isinstance(event, Delta) and task in self._tasks:
            if not self.begun:
                self._ahead.set_result(task)
            elif self._ahead.result() is not task:
                await asyncio.Event().wait()  # it is being cancelled
        await self._emit(event)

    def _ended(self, task: asyncio.Task[Completion]) -> Completion | None:
        """What came of a contender that passed nothing on: its whole answer, or a failure that another one may heal."""
        name = self._tasks.pop(task)
        try:
            return task.result()
        except MixtureError as error:
            if not healable(error):
                raise
            self.failures.append((name, error))
            return None

    async def _stop(self) -> None:
        """Cancel whoever is still at work, and wait until they have let go."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            await stopped(task)


def _halved(query: Query, card: ExpertCard) -> Query:
    """`query` with half of what is left to spend, where that is enough: without a maximum of tokens the first call
    would take it all, and there would be nothing for a second expert.
    """
    half = left() / 2
    if math.isinf(half) or bound_cost(card, query) > half:
        return query
    most = query.limits.max_cost_usd
    return replace(query, limits=replace(query.limits, max_cost_usd=half if most is None else min(most, half)))
