"""A score for a single answer from what can be seen without knowing the right one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from mixture.aggregation.ballots import canonical_json
from mixture.aggregation.refusals import refuses
from mixture.types import Completion, Query, ToolCall

_WORD = re.compile(r"[a-z]{4,}")
_CODE_WANTED = re.compile(r"\b(?:code|function|script|program|snippet|regex|query)\b", re.IGNORECASE)
_ENDED = re.compile(r"[.!?:;)\]}\"'`*|>$%\d]\s*$")
ENOUGH = 400
"""Characters from which a text is long enough that its length says nothing more."""


class Completeness:
    """The mean of what applies, each in 0..1: how the answer ended, whether it is whole, whether it speaks of what was
    asked, and, where tools or JSON were asked for, whether they are used as they must be.
    """

    async def score(self, query: Query, completion: Completion) -> float:
        """How good `completion` looks, in 0..1. An answer that says nothing scores 0."""
        if not completion.text.strip() and not completion.tool_calls:
            return 0.0
        parts = [part for judge in _JUDGES if (part := judge(query, completion)) is not None]
        return sum(parts) / len(parts)


def ending(query: Query, completion: Completion) -> float | None:
    """How it ended: by itself, cut at its maximum, or stopped by a filter."""
    return {"stop": 1.0, "tool_calls": 1.0, "length": 0.2, "content_filter": 0.0}[completion.finish_reason]


def wholeness(query: Query, completion: Completion) -> float | None:
    """Whether the text looks whole: no open code block, an end of a sentence, no refusal."""
    text = completion.text
    if completion.tool_calls or not text.strip():
        return None
    if refuses(text):
        return 0.0
    return 0.5 * (text.count("```") % 2 == 0) + 0.5 * (_ENDED.search(text) is not None or len(text) < ENOUGH)


def coverage(query: Query, completion: Completion) -> float | None:
    """How much of what was asked it speaks of; code, where code was asked for."""
    wanted = set(_WORD.findall(query.text[:4000].lower())) - _COMMON
    if completion.tool_calls or not wanted:
        return None
    spoken = set(_WORD.findall(completion.text[:20_000].lower()))
    share = sum(word in spoken or word.rstrip("s") in spoken for word in wanted) / len(wanted)
    if _CODE_WANTED.search(query.text) and "code" in query.text.lower():
        return 0.5 * share + 0.5 * ("```" in completion.text or "    " in completion.text)
    return share


def tool_use(query: Query, completion: Completion) -> float | None:
    """Whether tools are called as they are declared, and called at all where they must be."""
    if "tools" not in query.needs:
        return None
    if not completion.tool_calls:
        required = query.tool_choice is not None and query.tool_choice.mode in ("required", "function")
        return 0.0 if required else None
    return sum(_valid(call, query) for call in completion.tool_calls) / len(completion.tool_calls)


def json_form(query: Query, completion: Completion) -> float | None:
    """Whether it is JSON where JSON was asked for, with the fields that the schema requires."""
    form = query.response_format
    if form is None or form.type == "text":
        return None
    found = canonical_json(completion.text)
    if found is None:
        return 0.0
    required = (form.schema or {}).get("required", ())
    value = json.loads(found)
    return 1.0 if not required or (isinstance(value, dict) and set(required) <= set(value)) else 0.3


def _valid(call: ToolCall, query: Query) -> bool:
    """Whether the tool exists and the arguments are an object with the required fields."""
    tool = next((tool for tool in query.tools if tool.name == call.name), None)
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return False
    if tool is None or not isinstance(arguments, dict):
        return False
    return set(tool.parameters.get("required", ())) <= set(arguments)


_JUDGES: tuple[Callable[[Query, Completion], float | None], ...] = (ending, wholeness, coverage, tool_use, json_form)
_COMMON = frozenset(
    (
        *("what", "when", "where", "which", "that", "this", "these", "those", "with", "from", "have", "does", "will"),
        *("would", "could", "should", "about", "into", "your", "please", "give", "tell", "show", "make", "write"),
        *("explain", "describe", "provide", "there", "their", "they", "them", "then", "than", "some", "more", "most"),
        *("very", "just", "also", "want", "need", "like", "help", "each", "other", "only", "many", "much"),
    )
)
