"""Candidates of experiments, asked in the background for requests that were answered already."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from mixture import Mixture
from mixture.aggregation.agreement import supports
from mixture.api.openai_chat import Asked
from mixture.errors import MixtureError
from mixture.experiments import Exposure, Mirrored, Side
from mixture.feedback import FeedbackHost
from mixture.trace import Trace
from mixture.types import Caller, Completion, Limits, Report

logger = logging.getLogger("mixture.experiments")

MOST = 16
"""Candidates asked at once by one gateway; a request beyond them is not mirrored."""
BUSY = 0.5
"""The share of the gateway's places that live requests may take while anything is mirrored."""


class Shadows:
    """Asks candidates, compares, and hands on what came of it. Nothing of it reaches the client: not the answer, not
    the time, and not the cost, which counts for a caller of its own (`shadow:NAME`).
    """

    def __init__(self, host: FeedbackHost | None, mixture: Mixture) -> None:
        self._host = host
        self._mixture = mixture
        self._running: set[asyncio.Task[None]] = set()

    def ask(self, exposure: Exposure, asked: Asked, owner: str, completion: Completion, report: Report) -> None:
        """Ask the candidate of `exposure` as well, unless there is enough to do already."""
        busy = self._mixture.panel.busy
        if len(self._running) >= MOST or (busy is not None and busy() > BUSY):
            return
        task = asyncio.create_task(self._mirror(exposure, asked, owner, completion, report))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _mirror(
        self, exposure: Exposure, asked: Asked, owner: str, completion: Completion, report: Report
    ) -> None:
        name = f"shadow:{exposure.experiment}"
        trace = Trace(caller=Caller(name, name))
        limits = Limits(quality=asked.query.limits.quality)  # the money and the time of the request are its own
        query = replace(asked.query, stream=False, session=None, limits=limits)
        wishes = replace(asked.wishes, max_cost_usd=None, max_latency_ms=None)
        error: str | None = None
        agreement: float | None = None
        try:
            answer = await self._mixture.answer(query, exposure.shadow or "", wishes, trace=trace)
            agreement = supports(query, (completion, answer.completion))[0]
        except MixtureError as caught:
            error = caught.code or caught.type
        sides = side(report), side(trace.report(), error)
        await self._told(Mirrored(owner, asked.query.request_id or "", exposure, *sides, agreement))

    async def _told(self, what: Mirrored) -> None:
        if self._host is None:
            return
        try:
            await self._host.mirrored(what)
        except MixtureError as error:
            logger.warning("a comparison is lost: %s", error.message)


def side(report: Report, error: str | None = None) -> Side:
    """What one way of answering took."""
    cost = report.cost_usd if report.cost_complete else None
    return Side(cost, round(report.latency_ms / 1e3, 4), error)
