"""One row of the results: an item, an arm, the answer and what it was worth. The rows are an outcome log too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from mixture.evaluation.attempts import Attempt, Proposal
from mixture.evaluation.items import Item

_TEXT, _NUMBER, _COUNT = pa.string(), pa.float64(), pa.int64()
PROPOSAL = pa.struct(
    {
        "expert": _TEXT,
        "response": _TEXT,
        "error": _TEXT,
        "subtask": _TEXT,
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "cost_usd": _NUMBER,
        "latency_s": _NUMBER,
        "score": _NUMBER,
    }
)
SCHEMA = pa.schema(
    {
        "position": _COUNT,
        "item": _TEXT,
        "domain": _TEXT,
        "prompt": _TEXT,
        "reference": _TEXT,
        "expert": _TEXT,
        "response": _TEXT,
        "score": _NUMBER,
        "why": _TEXT,
        "error": _TEXT,
        "scorer_error": _TEXT,
        "strategy": _TEXT,
        "by": _TEXT,
        "asked": pa.list_(_TEXT),
        "calls": _COUNT,
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "cost_usd": _NUMBER,
        "latency_s": _NUMBER,
        "finish_reason": _TEXT,
        "degraded": _TEXT,
        "agreement": _NUMBER,
        "confidence": _NUMBER,
        "cached": pa.bool_(),
        "route": pa.list_(_TEXT),
        "route_why": _TEXT,
        "proposals": pa.list_(PROPOSAL),
        "timestamp": _NUMBER,
    }
)
"""The columns of the results; `arm` is in the names of their folders. As in every outcome log `expert` is who is to be
judged by the score: an expert that answered alone, and nobody where an ensemble did."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an answer is worth, in 0..1, None where that can't be said; `why` in words; `error` when the scorer itself
    failed.
    """

    value: float | None
    why: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """See `SCHEMA`. An error or an answer that could not be graded has no score; see `results` for how they count."""

    position: int
    item: str
    arm: str
    domain: str
    prompt: str
    reference: str | None
    expert: str | None
    response: str | None
    score: float | None
    why: str | None
    error: str | None
    scorer_error: str | None
    strategy: str
    by: str | None
    asked: tuple[str, ...]
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    latency_s: float
    finish_reason: str | None
    degraded: str | None
    agreement: float | None
    confidence: float | None
    cached: bool
    route: tuple[str, ...]
    route_why: str | None
    proposals: tuple[Proposal, ...]
    timestamp: float

    def row(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def record(
    item: Item, arm: str, attempt: Attempt, score: Score, proposals: tuple[Proposal, ...], timestamp: float
) -> Record:
    """The row for what became of `item` in `arm`; `proposals` are the attempt's with their scores."""
    return Record(
        position=item.position,
        item=item.id,
        arm=arm,
        domain=item.domain,
        prompt=item.prompt,
        reference=item.reference,
        expert=attempt.alone,
        response=unicode(attempt.text),
        score=score.value,
        why=score.why,
        error=unicode(attempt.error),
        scorer_error=score.error,
        strategy=attempt.strategy,
        by=attempt.by,
        asked=attempt.asked,
        calls=attempt.calls,
        prompt_tokens=attempt.prompt_tokens,
        completion_tokens=attempt.completion_tokens,
        cost_usd=attempt.cost_usd,
        latency_s=attempt.latency_s,
        finish_reason=attempt.finish_reason,
        degraded=attempt.degraded,
        agreement=attempt.agreement,
        confidence=attempt.confidence,
        cached=attempt.cached,
        route=attempt.route,
        route_why=attempt.why,
        proposals=proposals,
        timestamp=timestamp,
    )


def table(rows: list[Mapping[str, Any]]) -> pa.Table:
    """Rows of one arm as a table of `SCHEMA`, in the order of their positions."""
    ordered = sorted(rows, key=lambda row: int(row["position"]))
    return pa.Table.from_pylist([dict(row) for row in ordered], schema=SCHEMA)


def unicode(text: str | None) -> str | None:
    """A model's text as every format can hold it: half of a surrogate pair becomes a question mark."""
    return text if text is None else text.encode("utf-8", "replace").decode()
