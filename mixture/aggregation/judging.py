"""What a judge is asked about proposals, how its verdict is read, and what two verdicts say together.

Judges prefer what stands first or last, what is long, and what they wrote themselves (Zheng et al. 2023, arXiv
2306.05685). So proposals have letters for names, are seen in two orders, and length above the middle costs points.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import median
from typing import Any

from mixture.aggregation.exhibits import exhibits, room
from mixture.prompts import JUDGE, JUDGED
from mixture.types import Completion, ExpertCard, Message, Query, ResponseFormat, Sampling, TextPart

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST = len(LETTERS)
"""Proposals that a judge is shown at most."""
POINTS = 10
"""The most that a judge can give."""
TOKENS = 2_000
"""What a verdict may take to write, a judge's reasoning included."""
LONG = 0.5
"""Points that a proposal loses for each time that it is twice as long as the middle one."""
LONGEST_LOSS = 1.0
"""Points that it loses at most: length alone does not decide over a clear difference."""
TURNS, TURN = 6, 2_000
"""Messages before the request that a judge is shown, and characters of each."""

_OBJECT = re.compile(r"\{")
_LETTER = re.compile(r"(?:^|[\s(*\"':])\(?([A-Z])\)?(?=[).:,;\s*\"']|$)")
_JSON = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge says of proposals, by their index: which is `best`, and the `points` of each, 0 to 10; None where it
    named nothing but the best.
    """

    best: int
    points: Mapping[int, float] | None = None

    def winner(self, lengths: Sequence[int]) -> int:
        """The best when length counts nothing: points less what `lengths` (characters) may have earned."""
        if self.points is None:
            return self.best
        fair = {index: points - loss(lengths[index], lengths) for index, points in self.points.items()}
        most = max(fair.values())
        return self.best if fair[self.best] == most else max(fair, key=fair.__getitem__)


def loss(length: int, lengths: Sequence[int]) -> float:
    """The points that a proposal of this length loses against the middle one of `lengths`."""
    middle = max(1.0, median(lengths))
    return min(LONGEST_LOSS, max(0.0, LONG * math.log2(max(length, 1) / middle)))


def judging(query: Query, proposals: Sequence[Completion], order: Sequence[int], judge: ExpertCard) -> Query:
    """The query that asks `judge` which of `proposals`, seen in this order, answers `query` best."""
    letters = LETTERS[: len(proposals)]
    free = room(replace(query, sampling=Sampling(max_tokens=TOKENS)), judge.context_window)
    texts = [_said(proposal) for proposal in proposals]
    shown = exhibits(texts, order, letters, None if free is None else free - len(JUDGE))
    text = JUDGED.format(
        before=_before(query), request=query.text, code=shown.code, proposals=shown.text, letters=", ".join(letters)
    )
    images = next((message.images for message in reversed(query.messages) if message.role == "user"), ())
    return Query(
        (Message("system", JUDGE), Message("user", (TextPart(text), *images) if images else text)),
        Sampling(max_tokens=TOKENS),
        response_format=_form(letters) if "json" in judge.abilities else None,
        limits=query.limits,
        purpose="judge",
        request_id=query.request_id,
    )


def _said(proposal: Completion) -> str:
    """What a proposal says, its calls of tools in words."""
    calls = "\n".join(f"(calls {call.name} with {call.arguments})" for call in proposal.tool_calls)
    return "\n".join(part for part in (proposal.text, calls) if part)


def _before(query: Query) -> str:
    """What was said before the request, shortened."""
    spoken = [message for message in query.messages if message.text and message.role != "tool"]
    last = max((i for i, message in enumerate(spoken) if message.role == "user"), default=len(spoken))
    return "\n".join(f"{message.role}: {message.text[:TURN]}" for message in spoken[:last][-TURNS:]) or "(nothing)"


def _form(letters: str) -> ResponseFormat:
    """The JSON schema of a verdict, as upstreams take it that are strict."""
    scores = _object({letter: {"type": "number"} for letter in letters})
    schema = _object({"scores": scores, "best": {"type": "string", "enum": list(letters)}})
    return ResponseFormat("json_schema", "verdict", schema, strict=True)


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(fields), "required": [*fields], "additionalProperties": False}


def read(text: str, order: Sequence[int]) -> Judgement | str:
    """The verdict in `text` over proposals that were seen in this order, or what is wrong with it."""
    letters = LETTERS[: len(order)]
    for value in _objects(text):
        if "best" in value or "scores" in value:
            return _of_object(value, letters, order)
    named = set(_LETTER.findall(text.strip())) & set(letters)
    if len(named) == 1:
        return Judgement(order[letters.index(named.pop())])
    return "there is neither a JSON object with `scores` and `best` nor a single letter in the answer"


def _of_object(value: Mapping[str, Any], letters: str, order: Sequence[int]) -> Judgement | str:
    best, scores = value.get("best"), value.get("scores")
    if not isinstance(best, str) or best not in letters or len(best) != 1:
        return f"`best` must be one of {', '.join(letters)}"
    if scores is None:
        return Judgement(order[letters.index(best)])
    if not isinstance(scores, dict) or set(scores) != set(letters):
        return f"`scores` must hold a number for each of {', '.join(letters)}, and nothing else"
    if not all(_is_score(score) for score in scores.values()):
        return f"each score must be a number from 0 to {POINTS}"
    if scores[best] < max(scores.values()):
        return "`best` must be the one with the highest score"
    points = {order[place]: float(scores[letter]) for place, letter in enumerate(letters)}
    return Judgement(order[letters.index(best)], points)


def _is_score(score: object) -> bool:
    return isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= POINTS


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for start in islice(_OBJECT.finditer(text), 20):
        try:
            value, _ = _JSON.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
