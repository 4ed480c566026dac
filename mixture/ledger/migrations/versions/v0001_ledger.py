"""The first tables: calls, spending, leases, holders, keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _calls()
    _sums()
    _keys()


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        *(sa.Column(name, sa.String(size), nullable=False) for name, size in _TEXTS),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _NUMBERS),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("input_price", sa.Double),
        sa.Column("output_price", sa.Double),
        sa.Column("cost_usd", sa.Double),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("error", sa.String(128)),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("ttft_ms", sa.Double),
    )
    op.create_index("calls_by_caller", "calls", ["caller", "day"])
    op.create_index("calls_by_day", "calls", ["day"])


_TEXTS = (("request", 256), ("caller", 64), ("strategy", 64), ("expert", 128), ("model", 256), ("purpose", 64))
_NUMBERS = (
    "attempt",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def _sums() -> None:
    op.create_table(
        "spending",
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("caller", "day"),
    )
    op.create_table(
        "leases",
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("usd", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("holder", "caller"),
    )
    op.create_table(
        "holders",
        sa.Column("holder", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("seen", sa.Double, nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.Column("revoked", sa.Double),
        sa.Column("models", sa.JSON),
        sa.Column("collections", sa.JSON),
        *(sa.Column(name, sa.Double) for name in ("usd_per_day", "usd_per_month", "usd_total")),
        *(sa.Column(name, sa.Integer) for name in ("requests_per_minute", "tokens_per_minute", "concurrency")),
    )
