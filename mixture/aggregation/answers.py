"""The final answer in what a model wrote: in JSON whole or cut, in a LaTeX box, behind a marker, or the text itself."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from mixture.aggregation.normalisation import Kind, normalised
from mixture.aggregation.numerals import numbers

SHORT = 100
"""Characters of a text that is taken as an answer as it stands."""
LONGEST = 20_000
"""Characters of a text that are looked at, from its end: final answers stand there."""
MOST_OBJECTS = 50
"""Beginnings of JSON objects that are tried in a text."""

_JSON = json.JSONDecoder(strict=False)
_OBJECT = re.compile(r"\{(?=\s*\")")
_FIELDS = ("answer", "final_answer", "result", "solution")
_CUT = re.compile(
    r'"(?:answer|final_answer|result|solution)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"?|(-?[\d.,]+|true|false|null))',
    re.IGNORECASE,
)
_HASHES = re.compile(r"####\s*([^\n]+)")
_MARKER = re.compile(r"(?:answer|result)\**\s*(?:is|:|=|would be)[ \t:*]*(?=\S)", re.IGNORECASE)
_LETTER = re.compile(r"(?:^|[\s(*])\(?([A-J])\)?(?=[).:,\s*]|$)")
_OPTIONS = re.compile(r"(?:^|\n)\s*\(?[A-Ja-j][).:]\s+\S.*(?:\n\s*\(?[A-Ja-j][).:]\s+\S.*)+")
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had|may|must)\b[^?]*\?\s*$|\byes or no\b|"
    r"\btrue or false\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\bhow (?:many|much|old|far|long|tall|fast|often)\b|\b(?:calculate|compute|evaluate|solve)\b|"
    r"\bwhat (?:is|are|was) (?:the )?(?:sum|product|difference|quotient|total|value|average|mean|median|area|volume|"
    r"perimeter|probability|number|percentage|ratio|remainder|cost|price|speed|distance)\b|\bwhat is -?[\d(]",
    re.IGNORECASE,
)


def asked_for(question: str) -> Kind:
    """What kind of answer a question wants."""
    head = question[-LONGEST:]
    if _OPTIONS.search(head):
        return "choice"
    if _QUANTITY.search(head):
        return "number"
    return "yes_no" if _YES_NO.search(head.strip()) else "free"


def final_answer(text: str, kind: Kind) -> str | None:
    """The normal form of the answer that `text` gives; None when it is long and names none."""
    text = text[-LONGEST:].strip()
    marked = _stated(text)
    if marked is not None:
        return normalised(marked, kind) or None
    return _plain(text, kind)


def stated(text: str) -> str:
    """What the text marks as its answer, as it is written; the whole of a short text; else nothing."""
    text = text[-LONGEST:].strip()
    marked = _stated(text)
    if marked is not None:
        return marked
    return text if len(text) <= SHORT else ""


def _stated(text: str) -> str | None:
    """What the text marks as its answer. What stands later counts: models correct themselves."""
    field = _field(text)
    if field is not None:
        return field
    box = _boxed(text)
    if box is not None:
        return box
    hashes = _HASHES.findall(text)
    if hashes:
        return str(hashes[-1])
    marked = [match.end() for match in _MARKER.finditer(text)]
    return _clause(text[marked[-1] :].partition("\n")[0]) if marked else None


def _clause(rest: str) -> str:
    """The answer at the beginning of what follows "the answer is": up to the end of its sentence."""
    return re.split(r"(?<!\d)[.;](?:\s|$)|(?<=\d)\.(?:\s|$)|,\s+(?:because|since|as|so|which)\b", rest, maxsplit=1)[0]


def _field(text: str) -> str | None:
    """The answer's field of the first JSON object that has one; of a broken or cut object, what looks like it."""
    for start in islice(_OBJECT.finditer(text), MOST_OBJECTS):
        found = _value(text, start.start())
        if found is not None:
            return found
    cut = _CUT.search(text)
    return next((group for group in cut.groups() if group is not None), None) if cut else None


def _value(text: str, start: int) -> str | None:
    try:
        value, _ = _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return _of_object(value)


def _of_object(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    lowered = {str(key).lower(): item for key, item in value.items()}
    for name in _FIELDS:
        item = lowered.get(name)
        if item is not None:
            return item if isinstance(item, str) else json.dumps(item, sort_keys=True)
    return None


def _boxed(text: str) -> str | None:
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    begin, depth = start + len("\\boxed{"), 1
    for end in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[begin:end]
    return text[begin:]


def _plain(text: str, kind: Kind) -> str | None:
    """The answer of a text that marks none."""
    if kind == "number":
        return _last_number(text)
    if kind == "choice":
        letters = _LETTER.findall(text)
        return letters[-1] if letters else None
    if kind == "yes_no" and normalised(text, kind) in ("yes", "no"):
        return normalised(text, kind)
    if text[:1] in "[{`" and (value := _json(text)) is not None:
        return value
    if len(text) > SHORT or "\n" in text:
        return None
    return normalised(text, kind) or None


def _json(text: str) -> str | None:
    """The text as JSON, where it is nothing but an object or a list, in a normal form."""
    body = text.partition("\n")[2].rpartition("```")[0] if text.startswith("```") else text
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) and value else None


def _last_number(text: str) -> str | None:
    """The number that a solution ends with: the last one of its last line that has any."""
    for line in reversed(text.splitlines()[-5:]):
        found = numbers(line)
        if found:
            return found[-1]
    return None
