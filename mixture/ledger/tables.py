"""The ledger's tables. `migrations/` says how a database comes to have them."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Double, Index, Integer, MetaData, PrimaryKeyConstraint, String, Table

METADATA = MetaData()

CALLS = Table(
    "calls",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("at", Double, nullable=False),
    Column("day", String(10), nullable=False),
    Column("request", String(256), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("caller", String(64), nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("expert", String(128), nullable=False),
    Column("model", String(256), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("cache_write_tokens", Integer, nullable=False),
    Column("reasoning_tokens", Integer, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("input_price", Double),
    Column("output_price", Double),
    Column("cost_usd", Double),
    Column("outcome", String(32), nullable=False),
    Column("error", String(128)),
    Column("latency_ms", Double, nullable=False),
    Column("ttft_ms", Double),
    Index("calls_by_caller", "caller", "day"),
    Index("calls_by_day", "day"),
)
"""One row a call; the columns are those of `mixture.ledger.entries.Entry`, and the day (UTC) on which it began."""

SPENDING = Table(
    "spending",
    METADATA,
    Column("caller", String(64), nullable=False),
    Column("day", String(10), nullable=False),
    Column("usd", Double, nullable=False),
    PrimaryKeyConstraint("caller", "day"),
)
"""The sum of `calls.cost_usd` by caller and day, kept with each row, so that a budget needs no sum over all rows."""

LEASES = Table(
    "leases",
    METADATA,
    Column("holder", String(64), nullable=False),
    Column("caller", String(64), nullable=False),
    Column("usd", Double, nullable=False),
    PrimaryKeyConstraint("holder", "caller"),
)
"""Money of a budget that a gateway may spend without asking again, as long as it is not spent."""

HOLDERS = Table(
    "holders",
    METADATA,
    Column("holder", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("seen", Double, nullable=False),
)
"""The gateways that report: the number of the last report, so that one that comes late changes nothing, and when."""

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("created", Double, nullable=False),
    Column("changed", Double, nullable=False),
    Column("revoked", Double),
    Column("models", JSON(none_as_null=True)),
    Column("collections", JSON(none_as_null=True)),
    Column("usd_per_day", Double),
    Column("usd_per_month", Double),
    Column("usd_total", Double),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrency", Integer),
)
"""The keys that were made, by digest: a key itself is nowhere."""
