"""A row of the ledger: one attempt to ask an expert."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import orjson

from mixture.types import Call, Price

UNKNOWN = "unknown"
"""The outcome of a call whose process ended before the call did. What it cost is estimated."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call: whose, for what, by whom, what it took and how it ended. `id` is unique among all processes; `at` is
    when the call began, in seconds since the epoch; prices are in US dollars per million tokens, None where unknown.
    """

    id: str
    at: float
    request: str
    attempt: int
    caller: str
    strategy: str
    expert: str
    model: str
    purpose: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = True
    input_price: float | None = None
    output_price: float | None = None
    cost_usd: float | None = None
    outcome: str = UNKNOWN
    error: str | None = None
    latency_ms: float = 0.0
    ttft_ms: float | None = None

    def ended(self, call: Call, cost_usd: float | None) -> Entry:
        """The same call after its end."""
        usage = call.usage
        return replace(
            self,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            estimated=usage.estimated,
            cost_usd=cost_usd,
            outcome=call.outcome,
            error=call.error,
            latency_ms=call.latency_ms,
            ttft_ms=call.ttft_ms,
        )


NAMES = tuple(field.name for field in fields(Entry))


def prices(price: Price | None) -> tuple[float | None, float | None]:
    """What a token of the prompt and of the answer cost, per million."""
    return (None, None) if price is None else (price.input, price.output)


def encode(entry: Entry) -> bytes:
    """A line of the journal, its end included."""
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def decode(line: bytes) -> Entry | None:
    """The entry of a line; None when it was not written whole."""
    try:
        found: Any = orjson.loads(line)
        return Entry(**found)
    except (orjson.JSONDecodeError, TypeError):
        return None
