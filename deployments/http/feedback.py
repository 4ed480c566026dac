"""`POST /v1/mixture/feedback`, and what a gateway tells the desk of the requests that it answered."""

from __future__ import annotations

import asyncio
import logging

import orjson

from deployments.http.connection import Receive, Send, read_body
from deployments.http.errors import send_bytes
from deployments.http.exchange import Exchange
from deployments.http.shadows import Shadows, side
from mixture import Mixture
from mixture.api.feedback import parse_feedback, receipt_fields
from mixture.api.openai_chat import Asked
from mixture.config import FeedbackConfig, ServerConfig
from mixture.errors import InvalidQuery, MixtureError
from mixture.experiments import Exposed
from mixture.feedback import FeedbackHost, Receipt, Remembered
from mixture.feedback.following import heed
from mixture.feedback.notes import Answering
from mixture.types import Call, Query, Report

logger = logging.getLogger("mixture.feedback")

TOGETHER = 0.2
"""Seconds after which requests that were answered are told to the desk, all at once."""
MOST = 5_000
"""Requests that wait to be told; beyond them the oldest can't be judged."""
OWN = ("answer", "proposer")
"""The parts in which an expert's text is an answer of its own."""


_LEARNED = "the semantic cache has learned from it"


class Feedback:
    """Takes notes, remembers what was answered, and has the router follow what was learned."""

    def __init__(
        self, host: FeedbackHost | None, mixture: Mixture, server: ServerConfig, config: FeedbackConfig
    ) -> None:
        self._host = host
        self._mixture = mixture
        self._server = server
        self._config = config
        self._waiting: list[Remembered] = []
        self._telling: asyncio.Task[None] | None = None
        self._shadows = Shadows(host, mixture)

    @property
    def takes_notes(self) -> bool:
        """Whether answers can be judged here."""
        return self._host is not None

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Take a note. Raises MixtureError while nothing has been sent."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        note = parse_feedback(body, exchange.trace.caller.id)
        semantic = self._mixture.cache.semantic
        was_hit = semantic is not None and semantic.noted(note.owner, note.request_id, note.score)
        if self._host is None and was_hit:
            await self._thank(exchange, Receipt(note.request_id, None, note.score, False, False, _LEARNED, None), send)
            return
        if self._host is None:
            raise InvalidQuery(
                "feedback is switched off on this server: set `feedback.folder`", code="unsupported_parameter"
            )
        await self._tell()
        await self._thank(exchange, await self._host.give(note), send)

    async def _thank(self, exchange: Exchange, receipt: Receipt, send: Send) -> None:
        exchange.status = 200
        data = orjson.dumps(receipt_fields(receipt))
        await send_bytes(exchange.response_headers(b"application/json"), 200, data, send)

    def answered(self, exchange: Exchange, asked: Asked) -> None:
        """Remember a request that was answered, so that it can be judged; where it is an experiment's, ask its
        candidate too.
        """
        if self._host is None or exchange.report is None:
            return
        self._remember(remembered(exchange, asked.query, exchange.report))
        exposure = exchange.trace.exposure
        if exposure is not None and exposure.shadow is not None and exchange.completion is not None:
            self._shadows.ask(exposure, asked, exchange.trace.caller.id, exchange.completion, exchange.report)

    def failed(self, exchange: Exchange, asked: Asked, error: str) -> None:
        """An experiment counts the requests that got no answer as well."""
        if self._host is not None and exchange.trace.exposure is not None:
            self._remember(remembered(exchange, asked.query, exchange.trace.report(), error))

    def _remember(self, request: Remembered) -> None:
        self._waiting.append(request)
        del self._waiting[:-MOST]
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._soon())

    async def follow(self) -> None:
        """Have the router use each new version, until cancelled."""
        if self._host is not None:
            await heed(self._host, self._mixture.panel.router, self._config.refresh)

    async def _soon(self) -> None:
        await asyncio.sleep(TOGETHER)
        try:
            await self._tell()
        except MixtureError as error:
            logger.warning("requests can't be judged: the feedback desk does not answer (%s)", error.message)

    async def _tell(self) -> None:
        told, self._waiting = self._waiting, []
        if told and self._host is not None:
            await self._host.remember(told)


def remembered(exchange: Exchange, query: Query, report: Report, error: str | None = None) -> Remembered:
    """What is kept of a request that was answered, or of an experiment's that failed."""
    by_expert: dict[str, list[Call]] = {}
    for call in report.calls:
        if call.outcome == "ok" and call.purpose not in ("router", "decomposer", "judge"):
            by_expert.setdefault(call.expert, []).append(call)
    writer = exchange.writer or ""
    exposure = exchange.trace.exposure
    own = any(call.purpose in OWN for call in by_expert.get(writer, ()))
    return Remembered(
        exchange.trace.caller.id,
        exchange.id,
        query.text,
        tuple(_answering(name, calls) for name, calls in by_expert.items()),
        writer if own else None,
        report.strategy_executed,
        None if exposure is None else Exposed(exposure, side(report, error)),
    )


def _answering(expert: str, calls: list[Call]) -> Answering:
    costs = [call.cost_usd for call in calls]
    known = [cost for cost in costs if cost is not None]
    return Answering(
        expert,
        sum(call.usage.prompt_tokens for call in calls),
        sum(call.usage.completion_tokens for call in calls),
        sum(known) if len(known) == len(costs) else None,
        max(call.latency_ms for call in calls) / 1e3,
    )
