"""The marks of sources in an answer, `[1]` or `[1, 3]`, as annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mixture.types import Passage

_MARK = re.compile(r"\[((?:\d{1,2})(?:\s*[,;]\s*\d{1,2})*)\](?![(:])")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)


def citations(text: str, passages: Sequence[Passage]) -> tuple[Mapping[str, Any], ...]:
    """An annotation in OpenAI's form for each mark in `text` that names one of `passages`, numbered from 1, in order.

    `start_index..end_index` is where the mark stands; the URL's fragment is the passage's place in its document, in
    characters (RFC 5147); `source` is its number. Marks in code and numbers of no passage are left alone.
    """
    return tuple(_note(start, end, n, passages[n - 1]) for start, end, n in _marks(text) if 0 < n <= len(passages))


def cited(annotation: Mapping[str, Any]) -> int | None:
    """The number of the passage that an annotation of `citations` names; None for one of another kind."""
    number = annotation.get("source")
    return number if annotation.get("type") == "url_citation" and isinstance(number, int) else None


def place_in(passage: Passage) -> str:
    """Where a passage stands, as a URL."""
    return f"{passage.source}#char={passage.offset},{passage.offset + len(passage.text)}"


def _marks(text: str) -> Iterator[tuple[int, int, int]]:
    code = [found.span() for found in _CODE.finditer(text)] if "`" in text else []
    for mark in _MARK.finditer(text):
        if not any(start <= mark.start() < end for start, end in code):
            for number in dict.fromkeys(map(int, re.findall(r"\d+", mark.group(1)))):
                yield mark.start(), mark.end(), number


def _note(start: int, end: int, number: int, passage: Passage) -> Mapping[str, Any]:
    citation = {"start_index": start, "end_index": end, "title": passage.source, "url": place_in(passage)}
    return {"type": "url_citation", "url_citation": citation, "source": number}
