"""What is kept of an answer, and how it is given again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from mixture.types import Completion, Proposed, Recalled, Report, Usage

Kind = Literal["exact", "flight", "shared", "semantic"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer with its report, whose `recalled` says what it took; `prompt` is the text that was asked, `created` in
    seconds since the epoch. `proposals` are there when the request asked to see them.
    """

    completion: Completion
    report: Report
    prompt: str
    created: float
    proposals: tuple[Proposed, ...] = ()

    def encoded(self) -> bytes:
        """The entry as JSON: what is stored, here and in other processes. Raises TypeError when it can't be."""
        return orjson.dumps(self, default=_listed)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that answers a request, and how it was found."""

    entry: Entry
    kind: Kind
    similarity: float | None = None

    @property
    def recalled(self) -> Recalled:
        """Where the answer comes from, as of now."""
        taken = self.entry.report.recalled or Recalled(self.kind)
        age = max(0.0, time.time() - self.entry.created)
        return replace(taken, kind=self.kind, age_s=age, similarity=self.similarity)

    def report(self, requested: str, latency_ms: float) -> Report:
        """The report for whoever gets it now: what was done then, and that nothing was spent."""
        return replace(self.entry.report, strategy_requested=requested, recalled=self.recalled, latency_ms=latency_ms)


def entry_of(completion: Completion, report: Report, prompt: str, proposals: tuple[Proposed, ...] = ()) -> Entry:
    """What is kept of an answer that was just given."""
    return Entry(completion, spent_before(report), prompt, time.time(), proposals)


def spent_before(report: Report, kind: Kind = "exact") -> Report:
    """`report` for somebody else than whom the calls were made for."""
    experts = tuple(dict.fromkeys(call.expert for call in report.calls))
    cost = report.cost_usd if report.cost_complete else None
    taken = Recalled(kind, 0.0, experts, report.usage, cost)
    return replace(
        report, calls=(), usage=Usage(), cost_usd=0.0, cost_complete=True, budget=None, adjustments=(), recalled=taken
    )


def decoded(data: bytes) -> Entry | None:
    """The entry in `data`; None when it is none that this version reads."""
    try:
        return _adapter().validate_json(data)
    except ValidationError:
        return None


def _listed(value: object) -> list[str]:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} can't be stored")


@cache
def _adapter() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)
