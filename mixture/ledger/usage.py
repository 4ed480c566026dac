"""What was asked and spent, summed up by day, key, expert or strategy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Engine, case, func, select

from mixture.errors import InvalidQuery
from mixture.ledger.tables import CALLS, KEYS

GROUPS = {
    "day": CALLS.c.day,
    "key": CALLS.c.caller,
    "expert": CALLS.c.expert,
    "strategy": CALLS.c.strategy,
    "model": CALLS.c.model,
    "purpose": CALLS.c.purpose,
    "outcome": CALLS.c.outcome,
    "request": CALLS.c.request,
}
"""What can be summed up by."""
MOST = 10_000
"""Rows of an answer."""
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


def checked(by: Sequence[str], since: str | None, until: str | None) -> None:
    """Raises InvalidQuery when a group or a day is none."""
    for name in by:
        if name not in GROUPS:
            raise InvalidQuery(f"by: {name[:64]!r} is unknown; known: {', '.join(GROUPS)}", param="by")
    for field, text in (("since", since), ("until", until)):
        if text is not None and not _is_day(text):
            raise InvalidQuery(f"{field}: a day is expected, as in 2026-01-31", param=field)


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def usage(
    engine: Engine, caller: str | None, by: Sequence[str], since: str | None, until: str | None
) -> list[dict[str, Any]]:
    """Sums over the calls of a caller (None: of all), from the day `since` to the day `until` (UTC, both included),
    a row for each combination of what `by` names: calls, requests, tokens of each kind, `cost_usd` (the sum of the
    known costs), `unpriced` (calls whose cost is not known) and `estimated` (calls whose tokens were not reported).
    """
    groups = [GROUPS[name].label(name) for name in by]
    sums = [func.coalesce(func.sum(CALLS.c[name]), 0).label(name) for name in _TOKENS]
    wanted = select(
        *groups,
        func.count().label("calls"),
        func.count(CALLS.c.request.distinct()).label("requests"),
        *sums,
        func.coalesce(func.sum(CALLS.c.cost_usd), 0.0).label("cost_usd"),
        func.coalesce(func.sum(case((CALLS.c.cost_usd.is_(None), 1), else_=0)), 0).label("unpriced"),
        func.coalesce(func.sum(case((CALLS.c.estimated, 1), else_=0)), 0).label("estimated"),
    )
    if caller is not None:
        wanted = wanted.where(CALLS.c.caller == caller)
    if since is not None:
        wanted = wanted.where(CALLS.c.day >= since)
    if until is not None:
        wanted = wanted.where(CALLS.c.day <= until)
    with engine.connect().execution_options(reads=True) as connection:
        rows = connection.execute(wanted.group_by(*groups).order_by(*groups).limit(MOST))
        found = [dict(row._mapping) for row in rows]
        names = {row.id: row.name for row in connection.execute(select(KEYS.c.id, KEYS.c.name))}
    for row in found:
        row["cost_usd"] = round(row["cost_usd"], 12)
        if "key" in row:
            row["name"] = names.get(row["key"], row["key"])
    return found
