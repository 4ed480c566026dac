"""Keys that were made: stored by digest, found by it, and what is left of their budgets.

A digest without salt or stretching is enough: a key is 32 random bytes, which nobody finds by trying, while a slow
digest would be paid for with every request.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, Engine, func, insert, or_, select, update

from mixture.errors import InvalidQuery
from mixture.ledger.reports import NO_LIMITS, Key, Limits
from mixture.ledger.tables import KEYS, SPENDING

PREFIX = "mx-"
RANDOM = 32
"""Bytes of chance in a key."""
_LIMITS = tuple(Limits.__dataclass_fields__)


def digest_of(key: str | bytes) -> str:
    """What stands for a key wherever it is kept or compared."""
    return sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def create(
    engine: Engine,
    name: str,
    *,
    models: Sequence[str] | None = None,
    collections: Sequence[str] | None = None,
    limits: Limits = NO_LIMITS,
) -> tuple[str, Key]:
    """Make a key: the key itself, which is kept nowhere and can't be had again, and what is known of it."""
    key, now = PREFIX + secrets.token_urlsafe(RANDOM), time.time()
    digest = digest_of(key)
    made = Key(digest[:16], digest, name, now, _names(models), _names(collections), limits)
    row = {column: getattr(made, column) for column in ("id", "digest", "name", "created")}
    row |= {column: getattr(limits, column) for column in _LIMITS}
    row |= {"changed": now, "models": models and list(models), "collections": collections and list(collections)}
    with engine.begin() as connection:
        connection.execute(insert(KEYS).values(row))
    return key, made


def revoke(engine: Engine, wanted: str) -> Key:
    """End a key, named by its id (or the beginning of it) or by its name. Raises InvalidQuery when none or several
    are meant.
    """
    with engine.begin() as connection:
        alike = or_(KEYS.c.id.startswith(wanted, autoescape=True), KEYS.c.name == wanted)
        found = connection.execute(select(KEYS).where(alike, KEYS.c.revoked.is_(None))).all()
        if len(found) != 1:
            many = f"{len(found)} keys that hold are" if found else "no key that holds is"
            raise InvalidQuery(f"{many} called {wanted!r}; `mixture keys list` shows their ids", param="key")
        now = time.time()
        connection.execute(update(KEYS).where(KEYS.c.id == found[0].id).values(revoked=now, changed=now))
    return _key({**found[0]._mapping, "revoked": now})


def known(connection: Connection) -> tuple[Key, ...]:
    """All keys, in the order in which they were made."""
    return tuple(_key(row._mapping) for row in connection.execute(select(KEYS).order_by(KEYS.c.created)))


def listed(engine: Engine) -> list[tuple[Key, float, float, float]]:
    """All keys, each with what was spent of it today, this month (UTC) and in all, in US dollars."""
    with engine.connect().execution_options(reads=True) as connection:
        now = time.time()
        day, month, whole = _periods(now)
        return [
            (key, spent(connection, key.id, day), spent(connection, key.id, month), spent(connection, key.id, whole))
            for key in known(connection)
        ]


def version(connection: Connection) -> str:
    """A text that is another one whenever a key was made or revoked."""
    row = connection.execute(select(func.count(), func.max(KEYS.c.changed))).one()
    return f"{row[0]}-{row[1]}"


def budget_of(connection: Connection, caller: str, limits: Limits, now: float) -> tuple[float, str]:
    """What is not spent of the budget that is nearest to its end, in US dollars, and which one that is."""
    day, month, whole = _periods(now)
    budgets = (
        (limits.usd_per_day, day, "day"),
        (limits.usd_per_month, month, "month"),
        (limits.usd_total, whole, "total"),
    )
    left = [(usd - spent(connection, caller, period), name) for usd, period, name in budgets if usd is not None]
    return min(left)


def spent(connection: Connection, caller: str, period: str) -> float:
    """What a caller spent on the days that begin with `period`."""
    sums = select(func.sum(SPENDING.c.usd)).where(SPENDING.c.caller == caller, SPENDING.c.day.startswith(period))
    return connection.scalar(sums) or 0.0


def _periods(now: float) -> tuple[str, str, str]:
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    return day, day[:7], ""


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _key(row: object) -> Key:
    fields = dict(row)  # type: ignore[call-overload]
    limits = Limits(**{name: fields.pop(name) for name in _LIMITS})
    fields.pop("changed")
    fields |= {name: _names(fields[name]) for name in ("models", "collections")}
    return Key(**fields, limits=limits)
