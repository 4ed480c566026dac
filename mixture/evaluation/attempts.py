"""What became of one question to one model, whoever carried it there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mixture.errors import Declined, ExpertUnavailable, MixtureError, NoAnswer, Overloaded
from mixture.trace import Trace
from mixture.types import Completion, Message, Report

Clock = Callable[[], float]
"""Seconds from any beginning."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one expert of an ensemble said, or why it said nothing. `score` is added when the answer is graded."""

    expert: str
    response: str | None = None
    error: str | None = None
    subtask: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer, or the `error` in its place; `passing` says that asking again later may help. `alone` is the expert
    where the model is one expert; `by` the one that wrote the answer; `asked` every expert that was called, in order.
    `cost_usd` is None when a price is unknown; `route` holds the experts in the router's order and its reason.
    """

    text: str | None = None
    error: str | None = None
    passing: bool = False
    strategy: str = ""
    alone: str | None = None
    by: str | None = None
    asked: tuple[str, ...] = ()
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    latency_s: float = 0.0
    finish_reason: str | None = None
    degraded: str | None = None
    agreement: float | None = None
    confidence: float | None = None
    cached: bool = False
    route: tuple[str, ...] = ()
    why: str | None = None
    proposals: tuple[Proposal, ...] = ()


class Answerer(Protocol):
    """Whoever carries questions to models: this process, an endpoint, a graph on a cluster."""

    async def ask(self, messages: Sequence[Message], model: str) -> Attempt:
        """What `model` says. A failure is an `Attempt` with an error, never an exception."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def passes(error: MixtureError) -> bool:
    """Whether asking again later may help."""
    if isinstance(error, NoAnswer):
        return not error.declined
    return isinstance(error, ExpertUnavailable | Overloaded) and not isinstance(error, Declined)


def attempted(
    trace: Trace, seconds: float, completion: Completion | None = None, error: MixtureError | None = None
) -> Attempt:
    """The attempt that a trace tells of."""
    report = trace.report(completion)
    alone = completion.expert if completion is not None and report.strategy_executed == "expert" else None
    return Attempt(
        text=None if completion is None else completion.text,
        error=None if error is None else f"{type(error).__name__}: {error.message}",
        passing=error is not None and passes(error),
        strategy=report.strategy_executed,
        alone=alone,
        by=None if completion is None else completion.expert,
        asked=tuple(call.expert for call in report.calls),
        calls=len(report.calls),
        prompt_tokens=report.usage.prompt_tokens,
        completion_tokens=report.usage.completion_tokens,
        cost_usd=report.cost_usd if report.cost_complete else None,
        latency_s=seconds,
        finish_reason=None if completion is None else completion.finish_reason,
        degraded=report.degraded,
        agreement=report.agreement,
        confidence=report.confidence,
        cached=report.cached,
        route=() if report.route is None else report.route.experts,
        why=None if report.route is None else report.route.why,
        proposals=_proposals(trace, report),
    )


def _proposals(trace: Trace, report: Report) -> tuple[Proposal, ...]:
    """The proposals, each with what the call that made it took: of an expert's calls the first not yet given away."""
    left = list(report.calls)
    found = []
    for proposed in trace.proposals:
        said = proposed.completion
        call = next((one for one in left if one.expert == proposed.expert and one.outcome == "ok"), None)
        if call is not None and said is not None:
            left.remove(call)
        found.append(
            Proposal(
                proposed.expert,
                None if said is None else said.text,
                proposed.error,
                proposed.subtask,
                None if said is None else said.usage.prompt_tokens,
                None if said is None else said.usage.completion_tokens,
                None if call is None or said is None else call.cost_usd,
                None if call is None or said is None else call.latency_ms / 1e3,
            )
        )
    return tuple(found)


def attempt_of(fields: Mapping[str, Any]) -> Attempt:
    """An attempt from its fields as plain data, as it crosses a process boundary."""
    proposals = tuple(Proposal(**proposal) for proposal in fields["proposals"])
    lists = {name: tuple(fields[name]) for name in ("asked", "route")}
    return Attempt(**{**fields, **lists, "proposals": proposals})
