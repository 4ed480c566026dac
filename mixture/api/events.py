"""Events as plain data: the progress inside a stream's chunks, and the messages of `/ws/chat`."""

from __future__ import annotations

from typing import Any

from mixture.api.report import adjusted_fields, plan_fields, proposal_fields, report_fields, route_fields
from mixture.types import (
    Adjusted,
    Answered,
    Awaited,
    Choice,
    Chosen,
    Chunk,
    Delta,
    Event,
    Planned,
    Proposed,
    Retrieved,
    Routed,
    Scored,
    ToolCall,
)


def progress_fields(event: Event, *, expose: bool) -> dict[str, Any] | None:
    """What an event tells of the work so far; None for `Delta` and `Answered`, which are the answer itself.

    `expose` says whether the texts of proposals may be shown.
    """
    match event:
        case Chosen(strategy, why):
            return {"type": "chosen", "strategy": strategy, "why": why}
        case Routed(route, subtask):
            return {"type": "routed", "subtask": subtask, **(route_fields(route) or {})}
        case Planned(plan):
            return {"type": "planned", "subtasks": plan_fields(plan)}
        case Awaited(expert, left, waited):
            return {"type": "awaited", "expert": expert, "left_s": round(left, 1), "waited_s": round(waited, 1)}
        case Retrieved(passages):
            found = [{"source": p.source, "offset": p.offset, "score": p.score} for p in passages]
            return {"type": "retrieved", "passages": found}
        case Proposed():
            return {"type": "proposed", **proposal_fields(event, expose=expose)}
        case Scored(expert, score, why):
            return {"type": "scored", "expert": expert, "score": score, "why": why}
        case Adjusted():
            return {"type": "adjusted", **adjusted_fields(event)}
    return None


def event_fields(event: Event, *, expose: bool) -> dict[str, Any]:
    """An event as a message of `/ws/chat`, without its `id`."""
    if isinstance(event, Delta):
        return {"type": "delta", "expert": event.expert, **_chunk_fields(event.chunk)}
    if isinstance(event, Answered):
        choices = [_choice_fields(choice) for choice in event.completion.choices]
        report = report_fields(event.report)
        return {"type": "answered", "expert": event.completion.expert, "choices": choices, "mixture": report}
    return progress_fields(event, expose=expose) or {}


def _choice_fields(choice: Choice) -> dict[str, Any]:
    calls = [call_fields(call) for call in choice.tool_calls]
    fields: dict[str, Any] = {"text": choice.text, "tool_calls": calls, "finish_reason": choice.finish_reason}
    return fields | ({"annotations": list(choice.annotations)} if choice.annotations else {})


def _chunk_fields(chunk: Chunk) -> dict[str, Any]:
    fields: dict[str, Any] = {"index": chunk.index, "text": chunk.text}
    if chunk.tool_calls:
        fields["tool_calls"] = [{"index": call.index, **call_fields(call)} for call in chunk.tool_calls]
    if chunk.annotations:
        fields["annotations"] = list(chunk.annotations)
    if chunk.finish_reason:
        fields["finish_reason"] = chunk.finish_reason
    return fields


def call_fields(call: ToolCall) -> dict[str, Any]:
    """A tool call, or a fragment of one, in OpenAI's form."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
