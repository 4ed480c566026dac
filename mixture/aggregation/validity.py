"""Whether a proposal counts as one: refusals, cut texts and those not in the form that was asked for do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from mixture.aggregation.ballots import unfenced
from mixture.aggregation.refusals import refuses
from mixture.aggregation.schemas import violation
from mixture.aggregation.wholeness import broken_code, cut
from mixture.types import Completion, Query, ToolCall

LONGEST = 200_000
"""Characters of a text that are looked at; of longer ones only how they ended is."""


class Gravity(IntEnum):
    """How bad a fault is: when all proposals have one, those with the least are the best that there is."""

    CODE = 1
    FORM = 2
    CUT = 3
    REFUSAL = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a proposal does not count, in words that follow "its proposal"."""

    gravity: Gravity
    why: str


def fault(query: Query, completion: Completion) -> Fault | None:
    """What keeps `completion` (not empty) from counting as a proposal for `query`; None when nothing does."""
    if completion.tool_calls:
        return _of_calls(query, completion)
    if len(completion.text) > LONGEST:
        return _ended(query, completion)
    return next((found for look in _LOOKS if (found := look(query, completion)) is not None), None)


def _ended(query: Query, completion: Completion) -> Fault | None:
    if completion.finish_reason == "content_filter":
        return Fault(Gravity.REFUSAL, "was stopped by a content filter")
    if completion.finish_reason == "length":
        return Fault(Gravity.CUT, "was cut off at its maximum length")
    return None


def _refused(query: Query, completion: Completion) -> Fault | None:
    return Fault(Gravity.REFUSAL, "is a refusal") if refuses(completion.text, query.text) else None


def _tools(query: Query, completion: Completion) -> Fault | None:
    choice = query.tool_choice
    if query.tools and choice is not None and choice.mode in ("required", "function"):
        return Fault(Gravity.FORM, "calls no tool, and one must be called")
    return None


def _formed(query: Query, completion: Completion) -> Fault | None:
    form = query.response_format
    if form is None or form.type == "text":
        return None
    try:
        value = json.loads(unfenced(completion.text))
    except (ValueError, RecursionError):
        return Fault(Gravity.FORM, "is not valid JSON")
    if form.type == "json_object":
        return None if isinstance(value, dict) else Fault(Gravity.FORM, "is no JSON object")
    wrong = violation(value, form.schema or {})
    return None if wrong is None else Fault(Gravity.FORM, f"does not fit the schema ({wrong})")


def _whole(query: Query, completion: Completion) -> Fault | None:
    form = query.response_format
    if query.sampling.stop or (form is not None and form.type != "text"):
        return None  # whoever stops at a word of the client's ends where it stands
    seen = cut(completion.text)
    return None if seen is None else Fault(Gravity.CUT, f"seems to be cut off: {seen}")


def _code(query: Query, completion: Completion) -> Fault | None:
    wrong = broken_code(completion.text, query.text)
    return None if wrong is None else Fault(Gravity.CODE, f"is broken: {wrong}")


_LOOKS: tuple[Callable[[Query, Completion], Fault | None], ...] = (_ended, _refused, _tools, _formed, _whole, _code)


def _of_calls(query: Query, completion: Completion) -> Fault | None:
    tools = {tool.name: tool.parameters for tool in query.tools}
    wrong = next((why for call in completion.tool_calls if (why := _call_fault(call, tools)) is not None), None)
    return None if wrong is None else Fault(Gravity.FORM, wrong)


def _call_fault(call: ToolCall, tools: Mapping[str, Mapping[str, Any]]) -> str | None:
    if call.name not in tools:
        return f"calls a tool that there is not ({call.name[:64]!r})"
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return f"calls {call.name} with arguments that are not valid JSON"
    if not isinstance(arguments, dict):
        return f"calls {call.name} with arguments that are no object"
    wrong = violation(arguments, tools[call.name] or {})
    return None if wrong is None else f"calls {call.name} with arguments that do not fit its schema ({wrong})"
