"""The ledger's transactions. Whoever writes decides inside one, on what is in the database, so that it does not matter
how many write: budgets hold also when two servers share a database.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mixture.envelope import ROUNDING
from mixture.ledger.entries import UNKNOWN, Entry
from mixture.ledger.keys import budget_of, version
from mixture.ledger.reports import Grant, Limits, Told
from mixture.ledger.tables import CALLS, HOLDERS, KEYS, LEASES, SPENDING

AT_ONCE = 500
"""Ids that one statement asks for."""
SHARE = 16
"""A gateway gets one part in so many of what is left of a budget, where it asks for less, so that it asks seldom."""
LOST = 86_400.0
"""Seconds after which a gateway that is not heard of, and whose journal nobody found, is taken to have spent what it
held."""


def day_of(at: float) -> str:
    """The day (UTC) of a time in seconds since the epoch."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def enter(engine: Engine, told: Told) -> tuple[Mapping[str, Grant], str]:
    """Carry out a report. Returns the grants, and the version of the keys."""
    idle = not (told.entries or told.leases or told.wants or told.over)
    if idle:
        with engine.connect().execution_options(reads=True) as connection:
            return {}, version(connection)
    with engine.begin() as connection:
        now = time.time()
        _booked(connection, told.entries)
        if _is_next(connection, told, now):
            _leased(connection, told)
        grants = {
            caller: _granted(connection, told.holder, caller, usd, told.least.get(caller, 0.0), now)
            for caller, usd in told.wants.items()
        }
        return grants, version(connection)


def _booked(connection: Connection, entries: Iterable[Entry]) -> None:
    """Enter calls, each once. An end that comes later takes the place of an unknown one, and never the other way."""
    known: dict[str, tuple[str, float]] = {}
    listed = {entry.id: entry for entry in entries}
    ids = list(listed)
    for start in range(0, len(ids), AT_ONCE):
        wanted = select(CALLS.c.id, CALLS.c.outcome, CALLS.c.cost_usd).where(
            CALLS.c.id.in_(ids[start : start + AT_ONCE])
        )
        known |= {row.id: (row.outcome, row.cost_usd or 0.0) for row in connection.execute(wanted)}
    spent: dict[tuple[str, str], float] = {}
    fresh: list[dict[str, Any]] = []
    for entry in listed.values():
        before = known.get(entry.id)
        if before is not None and (before[0] != UNKNOWN or entry.outcome == UNKNOWN):
            continue
        row = {**asdict(entry), "day": day_of(entry.at)}
        if before is None:
            fresh.append(row)
        else:
            connection.execute(update(CALLS).where(CALLS.c.id == entry.id).values(row))
        place = entry.caller, row["day"]
        spent[place] = spent.get(place, 0.0) + (entry.cost_usd or 0.0) - (before[1] if before else 0.0)
    if fresh:
        connection.execute(insert(CALLS), fresh)
    for (caller, day), usd in sorted(spent.items()):
        _upsert(connection, SPENDING, {"caller": caller, "day": day}, {"usd": usd}, adds=True)


def _is_next(connection: Connection, told: Told, now: float) -> bool:
    """Whether the report is newer than the last one of its holder; it is noted then."""
    last = connection.scalar(select(HOLDERS.c.number).where(HOLDERS.c.holder == told.holder))
    if told.over:
        connection.execute(delete(HOLDERS).where(HOLDERS.c.holder == told.holder))
        return True
    if last is not None and last >= told.number:
        return False
    _upsert(connection, HOLDERS, {"holder": told.holder}, {"number": told.number, "seen": now})
    return True


def _leased(connection: Connection, told: Told) -> None:
    """Set what the holder has of each budget."""
    if told.over:
        connection.execute(delete(LEASES).where(LEASES.c.holder == told.holder))
        return
    for caller, usd in sorted(told.leases.items()):
        _upsert(connection, LEASES, {"holder": told.holder, "caller": caller}, {"usd": max(0.0, usd)})


def _granted(connection: Connection, holder: str, caller: str, wanted: float, least: float, now: float) -> Grant:
    """Lease more of a budget, as far as it goes; nothing where that is less than `least`."""
    limits = _locked(connection, caller)
    if limits is None:
        return Grant(0.0, 0.0, 0.0, "the key was revoked")
    if not limits.budgeted:
        return Grant(0.0, math.inf, 0.0)
    _lose(connection, caller, now)
    left, name = budget_of(connection, caller, limits, now)
    held = {row.holder: row.usd for row in connection.execute(select(LEASES).where(LEASES.c.caller == caller))}
    free = left - sum(held.values())
    usd = max(0.0, min(free, max(wanted, free / SHARE)))
    usd = usd if usd + ROUNDING >= least else 0.0
    own = held.get(holder, 0.0)
    if usd:
        _upsert(connection, LEASES, {"holder": holder, "caller": caller}, {"usd": own + usd})
    return Grant(usd, max(0.0, left), sum(held.values()) - own, name)


def _locked(connection: Connection, caller: str) -> Limits | None:
    """The limits of a key, which nobody else can lease from until the end of the transaction; None for one that does
    not hold any more.
    """
    names = Limits.__dataclass_fields__
    columns = [KEYS.c[name] for name in names]
    wanted = select(*columns).where(KEYS.c.id == caller, KEYS.c.revoked.is_(None)).with_for_update()
    row = connection.execute(wanted).first()
    return None if row is None else Limits(**row._mapping)


def _lose(connection: Connection, caller: str, now: float) -> None:
    """Enter as spent what was leased to gateways that are lost."""
    lost = (
        select(LEASES.c.holder, LEASES.c.usd)
        .join(HOLDERS, HOLDERS.c.holder == LEASES.c.holder)
        .where(LEASES.c.caller == caller, LEASES.c.usd > 0, HOLDERS.c.seen < now - LOST)
    )
    for row in connection.execute(lost).all():
        what = Entry(f"lost-{row.holder}-{caller}"[:64], now, "", 0, caller, "", "(lost)", "", "lost", cost_usd=row.usd)
        _booked(connection, [what])
        gone = (LEASES.c.holder == row.holder) & (LEASES.c.caller == caller)
        connection.execute(delete(LEASES).where(gone))


def _upsert(
    connection: Connection, table: Any, key: dict[str, Any], values: dict[str, Any], adds: bool = False
) -> None:
    """Insert a row, or change the one with this key; with `adds` by adding."""
    made = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table).values({**key, **values})
    changed = {name: table.c[name] + made.excluded[name] if adds else made.excluded[name] for name in values}
    connection.execute(made.on_conflict_do_update(index_elements=list(key), set_=changed))


def total(engine: Engine) -> int:
    """How many calls there are."""
    with engine.connect().execution_options(reads=True) as connection:
        return connection.scalar(select(func.count()).select_from(CALLS)) or 0
