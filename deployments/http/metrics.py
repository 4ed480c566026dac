"""`GET /metrics`: what all gateways have counted, in Prometheus' text format, whichever of them is asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.http.exchange import Exchange
from deployments.http.information import OWNED, owned
from mixture.caching.meaning.trust import upper_bound
from mixture.counters import COUNTERS, SERIES, Sums, count, observe
from mixture.errors import MixtureError

logger = logging.getLogger("mixture.metrics")

EVERY = 1.0
"""Seconds after which a gateway tells what it has counted. One that is scraped does so at once."""
OUTCOMES: Mapping[int, str] = {
    200: "ok",
    400: "invalid",
    401: "unauthenticated",
    402: "budget_exceeded",
    403: "forbidden",
    404: "not_found",
    413: "invalid",
    422: "declined",
    429: "rate_limited",
    499: "cancelled",
    502: "upstream_error",
    503: "overloaded",
    504: "timeout",
}


class Teller(Protocol):
    """Who adds up what gateways have counted."""

    async def tell(self, who: str, sums: Sums) -> Sums:
        """Take in what `who` has counted so far; returns the sums of all."""
        ...


class Metrics(Collector):
    """Counts this gateway's requests, and answers with the sums of all."""

    def __init__(self, teller: Teller | None) -> None:
        self._teller = teller
        self._name = uuid4().hex
        self._sums: Sums = {}

    async def scrape(self) -> Response:
        """What has been counted since the server started, in Prometheus' text format."""
        self._sums = await self._told()
        return Response(generate_latest(self), media_type=CONTENT_TYPE_LATEST)

    async def follow(self) -> None:
        """Tell what was counted, again and again, until cancelled."""
        while self._teller is not None:
            await asyncio.sleep(EVERY)
            await self._told()

    async def _told(self) -> Sums:
        """The sums of all gateways; this one's own while nobody adds them up."""
        own = COUNTERS.copy()
        try:
            return own if self._teller is None else await self._teller.tell(self._name, own)
        except MixtureError as error:
            logger.warning("metrics are this gateway's own for now: %s", error.message)
            return own

    def collect(self) -> Iterator[Metric]:
        """The sums as the library's metrics."""
        for name, series in SERIES.items():
            sums = self._sums.get(name, {})
            if series.buckets:
                yield _histogram(name, sums)
                continue
            family = CounterMetricFamily(name, series.meaning, labels=series.labels)
            for key, amount in sums.items():
                family.add_metric(key, amount)
            yield family
        yield from _false_hits(self._sums.get("mixture_cache_judged_total", {}))


def _false_hits(judged: Mapping[tuple[str, ...], float]) -> Iterator[Metric]:
    """How often the semantic cache was wrong, by domain, and how often it may be."""
    rate = GaugeMetricFamily("mixture_cache_false_hit_rate", "Share of judged hits that were false", labels=["domain"])
    words = "The rate of false hits that is not exceeded, with a confidence of 95%"
    upper = GaugeMetricFamily("mixture_cache_false_hit_rate_upper", words, labels=["domain"])
    for domain in sorted({key[0] for key in judged}):
        wrong, right = (int(judged.get((domain, verdict), 0.0)) for verdict in ("false", "right"))
        rate.add_metric([domain], wrong / (wrong + right))
        upper.add_metric([domain], upper_bound(wrong, wrong + right))
    yield rate
    yield upper


def _histogram(name: str, sums: Mapping[tuple[str, ...], float]) -> Metric:
    series, seen = SERIES[name], 0.0
    buckets: list[tuple[str, float]] = []
    for bound in (*map(str, series.buckets), "+Inf"):
        seen += sums.get(("le", bound), 0.0)
        buckets.append((bound, seen))
    family = HistogramMetricFamily(name, series.meaning)
    family.add_metric([], buckets, sums.get(("sum",), 0.0))
    return family


def counted(exchange: Exchange) -> None:
    """Count a request that has ended, if it asked a model."""
    if exchange.model is None:
        return
    trace = exchange.trace
    outcome = OUTCOMES.get(exchange.status, "internal_error")
    if exchange.error is not None and outcome == "ok":
        outcome = "upstream_error"  # the stream had begun: its status could not tell any more
    count("mixture_requests_total", strategy=trace.executed or "none", outcome=outcome)
    if outcome == "ok":
        observe("mixture_overhead_seconds", max(0.0, trace.overhead_ms / 1e3))


def add_metrics(app: FastAPI, metrics: Metrics) -> None:
    """The path that Prometheus scrapes."""
    content = {"text/plain": {"schema": {"type": "string"}}}
    words: dict[int | str, dict[str, Any]] = {**OWNED, 200: {"content": content, "description": "The sums"}}

    async def scrape(request: Request) -> Response:
        """What has been counted since the server started, in Prometheus' text format. For the server's own key, unless
        `server.open_metrics` is set: these are the sums of everybody's requests.
        """
        owned(request)
        return await metrics.scrape()

    app.add_api_route("/metrics", scrape, responses=words, response_class=Response, tags=["metrics"])
