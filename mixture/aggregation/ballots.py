"""What each proposal votes for: its tool calls, its JSON, or its final answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mixture.aggregation.answers import asked_for, final_answer, stated
from mixture.aggregation.calls import canonical_calls
from mixture.aggregation.code import same_code
from mixture.aggregation.equality import Form, parted
from mixture.aggregation.measures import in_one_unit
from mixture.aggregation.normalisation import formed
from mixture.types import Completion, Query

Ballot = str | None
"""The normal form of what a proposal says; None when it has none, as a long text."""

_SYMBOLS = re.compile(r"\\[a-zA-Z]|[\^|!\u221a\u03c0\u00b1]|\b(?:sqrt|ln|log|pi)|\d/\d|\d{16}")
"""What stands in answers that values alone may not tell apart."""


def ballots(query: Query, completions: Sequence[Completion]) -> list[Ballot]:
    """What each of `completions` votes for."""
    if any(completion.tool_calls for completion in completions):
        return [canonical_calls(completion.tool_calls, query.tools) for completion in completions]
    if query.response_format is not None and query.response_format.type != "text":
        return [canonical_json(completion.text) for completion in completions]
    kind, texts = asked_for(query.text), [completion.text for completion in completions]
    found = [final_answer(text, kind) for text in texts]
    if all(vote is None for vote in found):
        return same_code(texts)
    return in_one_unit(parted(found, _forms(texts)), texts)


def forms(query: Query, completions: Sequence[Completion]) -> list[Form | None]:
    """The expressions that `completions` answer with; none where their votes are no mathematics."""
    wanted = query.response_format is None or query.response_format.type == "text"
    if not wanted or any(completion.tool_calls for completion in completions):
        return []
    return _forms([completion.text for completion in completions])


def _forms(texts: Sequence[str]) -> list[Form | None]:
    written = [stated(text) for text in texts]
    if not any(map(_SYMBOLS.search, written)):
        return [None for _ in texts]
    return [formed(text) if text else None for text in written]


def canonical_json(text: str) -> str | None:
    """`text` as JSON with sorted keys and no blanks, whole numbers whole, texts trimmed. None: it is no valid JSON."""
    try:
        return json.dumps(_canonical(json.loads(unfenced(text))), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def unfenced(text: str) -> str:
    """JSON out of the fence that models like to put around it."""
    text = text.strip()
    if text.startswith("```"):
        return text.partition("\n")[2].rpartition("```")[0]
    return text
