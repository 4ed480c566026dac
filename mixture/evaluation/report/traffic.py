"""Live traffic as results: the ledger's calls, put together by request. They have costs and times, and no scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Engine, select

from mixture.evaluation.records import SCHEMA
from mixture.evaluation.results import FIGURES, Results, ResultsError, of_source
from mixture.ledger.tables import CALLS
from mixture.ledger.usage import usage

MOST = 500_000
"""Calls that are read for what a request took, the latest; sums are of all."""
GROUPS = ("key", "expert", "outcome", "day")
"""What is summed up by."""
SHADOW = "shadow:"
"""How the callers begin for whom experiments ask their candidates in the background."""
_WANTED = (
    "request",
    "at",
    "caller",
    "strategy",
    "expert",
    "outcome",
    "cost_usd",
    "latency_ms",
    "prompt_tokens",
    "completion_tokens",
)


def of_ledger(engine: Engine, since: str | None = None, until: str | None = None) -> Results:
    """The requests of some days (UTC, both included): each strategy is an arm, and each expert that was asked for by
    its name. `facts["traffic"]` has the sums by `GROUPS` (see `mixture.ledger.usage`), days in their order, of the rest
    what cost most first. Raises ResultsError without any.
    """
    latest = select(*(CALLS.c[name] for name in _WANTED))
    if since is not None:
        latest = latest.where(CALLS.c.day >= since)
    if until is not None:
        latest = latest.where(CALLS.c.day <= until)
    latest = latest.order_by(CALLS.c.at.desc()).limit(MOST)
    with engine.connect().execution_options(reads=True) as connection:
        calls = [dict(row._mapping) for row in connection.execute(latest)]
    calls.sort(key=lambda call: (call["request"], call["at"]))
    rows = [_row(place, found) for place, found in enumerate(_requests(calls))]
    if not rows:
        raise ResultsError("the ledger has no calls of these days", param="since")
    table = pa.Table.from_pylist(rows, schema=SCHEMA.append(pa.field("arm", pa.string())))
    sums = {name: usage(engine, None, (name,), since, until) for name in GROUPS}
    for name in GROUPS[:-1]:
        sums[name].sort(key=lambda row: -row["cost_usd"])
    facts = {"dataset": {"name": "Live traffic"}, "traffic": {"calls_read": len(calls), **sums}}
    return of_source(ds.dataset(table), sorted({row["arm"] for row in rows}), facts)


def _requests(calls: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    for _, found in groupby(calls, key=lambda call: call["request"]):
        yield list(found)


def _row(place: int, calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A request. Its time is that from the beginning of its first call to the end of its last."""
    good = [call for call in calls if call["outcome"] == "ok"]
    costs = [call["cost_usd"] for call in calls]
    ends = [call["at"] + call["latency_ms"] / 1e3 for call in calls]
    return {
        **dict.fromkeys(FIGURES),
        "position": place,
        "item": calls[0]["request"],
        "arm": _arm(calls[0]),
        "domain": "",
        "prompt": "",
        "error": None if good else str(calls[-1]["outcome"]),
        "asked": [call["expert"] for call in calls],
        "by": good[-1]["expert"] if len(good) == 1 else None,
        "calls": len(calls),
        "cost_usd": None if None in costs else sum(costs),
        "latency_s": max(ends) - calls[0]["at"],
        "prompt_tokens": sum(call["prompt_tokens"] for call in calls),
        "completion_tokens": sum(call["completion_tokens"] for call in calls),
        "proposals": [_call(call) for call in calls] if len(calls) > 1 else None,
    }


def _arm(call: Mapping[str, Any]) -> str:
    """What a request was answered by, told apart from what an experiment asked for itself."""
    name: str = call["expert"] if call["strategy"] == "expert" else call["strategy"] or "(none)"
    return f"{name} ({call['caller']})" if call["caller"].startswith(SHADOW) else name


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """One of several calls: a ledger has no texts."""
    kept = {name: call[name] for name in ("expert", "cost_usd", "prompt_tokens", "completion_tokens")}
    return {**kept, "latency_s": call["latency_ms"] / 1e3}
