"""The `mixture` field of an answer: what was done for a request and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixture.types import (
    Adjusted,
    Aggregation,
    Budget,
    Call,
    Experiment,
    FieldVote,
    Passage,
    Plan,
    Proposed,
    Quorum,
    Recalled,
    Report,
    Route,
    Usage,
)


def report_fields(report: Report, proposals: Sequence[Proposed] | None = None) -> dict[str, Any]:
    """`report` as plain data. `proposals` are added when the request asked to see them."""
    fields: dict[str, Any] = {
        "strategy_requested": report.strategy_requested,
        "strategy_executed": report.strategy_executed,
        "experts": [call_fields(call) for call in report.calls],
        "route": route_fields(report.route),
        "plan": plan_fields(report.plan),
        "agreement": report.agreement,
        "quorum": quorum_fields(report.quorum),
        "degraded": report.degraded,
        "confidence": report.confidence,
        "aggregation": aggregation_fields(report.aggregation),
        "fields": fields_fields(report.fields),
        "cached": report.recalled is not None,
        "passages": [passage_fields(number, one) for number, one in enumerate(report.passages, 1)] or None,
        "adjustments": [adjusted_fields(adjusted) for adjusted in report.adjustments],
        "budget": budget_fields(report.budget),
        "experiment": experiment_fields(report.experiment),
        "cost_usd": report.cost_usd,
        "cost_complete": report.cost_complete,
        "cache": recalled_fields(report.recalled),
        "latency_ms": round(report.latency_ms, 3),
    }
    if proposals is not None:
        fields["proposals"] = [proposal_fields(proposal, expose=True) for proposal in proposals]
    return fields


def recalled_fields(recalled: Recalled | None) -> dict[str, Any] | None:
    """Where an answer comes from that was not made for this request, and what it took when it was made."""
    if recalled is None:
        return None
    fields: dict[str, Any] = {
        "kind": recalled.kind,
        "experts": list(recalled.experts),
        "usage": usage_fields(recalled.usage),
        "cost_usd": recalled.cost_usd,
    }
    if recalled.similarity is not None:
        fields["similarity"] = round(recalled.similarity, 4)
    return fields | {"age_s": round(recalled.age_s, 3)}


def passage_fields(number: int, passage: Passage) -> dict[str, Any]:
    """A passage that was put before experts under `number`."""
    return {
        "number": number,
        "source": passage.source,
        "document": passage.document,
        "collection": passage.collection,
        "heading": passage.heading,
        "offset": passage.offset,
        "score": round(passage.score, 4),
        "text": passage.text,
    }


def fields_fields(fields: Mapping[str, FieldVote] | None) -> dict[str, dict[str, Any]] | None:
    """The votes on the fields of a JSON answer, by path."""
    if fields is None:
        return None
    return {
        path: {
            "agreement": round(vote.agreement, 4),
            "support": vote.support if isinstance(vote.support, int) else list(vote.support),
        }
        for path, vote in fields.items()
    }


def call_fields(call: Call) -> dict[str, Any]:
    """One upstream attempt: who, in which part, what it took and how it ended."""
    return {
        "name": call.expert,
        "role": call.purpose,
        "usage": usage_fields(call.usage),
        "cost_usd": call.cost_usd,
        **({"cost_derived": True} if call.derived else {}),
        "latency_ms": round(call.latency_ms, 3),
        "ttft_ms": None if call.ttft_ms is None else round(call.ttft_ms, 3),
        "outcome": call.outcome,
        "error": call.error,
    }


def adjusted_fields(adjusted: Adjusted) -> dict[str, Any]:
    """What was done otherwise than the model's name says, for whom, and why."""
    return {"kind": adjusted.kind, "experts": list(adjusted.experts), "why": adjusted.why}


def budget_fields(budget: Budget | None) -> dict[str, float] | None:
    """What was allowed, held back before the calls, and spent by them."""
    if budget is None:
        return None
    figures = {"max_cost_usd": budget.max_cost_usd, "reserved_usd": budget.reserved_usd, "spent_usd": budget.spent_usd}
    return {name: round(value, 12) for name, value in figures.items()}


def experiment_fields(experiment: Experiment | None) -> dict[str, str] | None:
    """The experiment that the request belongs to, and its arm."""
    if experiment is None:
        return None
    return {"name": experiment.name, "arm": experiment.arm, "model": experiment.model}


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Token counts; `estimated` where the upstream did not report them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
    }


def route_fields(route: Route | None) -> dict[str, Any] | None:
    """The experts chosen, best first, and why."""
    if route is None:
        return None
    return {"experts": list(route.experts), "why": route.why, "signals": dict(route.signals)}


def plan_fields(plan: Plan | None) -> list[dict[str, Any]] | None:
    """The subtasks of a request that was taken apart."""
    if plan is None:
        return None
    return [
        {"id": task.id, "text": task.text, "skill": task.skill, "depends_on": list(task.depends_on)}
        for task in plan.subtasks
    ]


def quorum_fields(quorum: Quorum | None) -> dict[str, int] | None:
    """How many were asked, answered and agreed."""
    if quorum is None:
        return None
    return {"asked": quorum.asked, "answered": quorum.answered, "agreed": quorum.agreed}


def aggregation_fields(aggregation: Aggregation | None) -> dict[str, Any] | None:
    """How the answer was made of proposals, and who made the numbered ones."""
    if aggregation is None:
        return None
    return {
        "method": aggregation.method,
        "by": aggregation.by,
        "layers": aggregation.layers,
        "supported": aggregation.supported,
        "proposals": [
            {"number": one.number, "expert": one.expert, "sentences": one.sentences} for one in aggregation.sources
        ],
    }


def proposal_fields(proposal: Proposed, *, expose: bool) -> dict[str, Any]:
    """One expert's part of an ensemble; its text only when `expose` says so."""
    fields: dict[str, Any] = {
        "expert": proposal.expert,
        "outcome": "error" if proposal.completion is None else "ok",
        "error": proposal.error,
    }
    if proposal.subtask is not None:
        fields["subtask"] = proposal.subtask
    if expose and proposal.completion is not None:
        fields["text"] = proposal.completion.text
    return fields
