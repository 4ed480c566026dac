"""Annotations in Anthropic's form: citations where there is one for them, and all of them beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mixture.retrieval.citing import cited
from mixture.types import Passage

Notes = Sequence[Mapping[str, Any]]
"""Annotations of a message, in OpenAI's form: a type, and an object of that name."""


def citations(notes: Notes, text: str, passages: Sequence[Passage] = ()) -> Iterator[dict[str, Any]]:
    """Those of `notes` that cite a source: a passage out of `passages`, which were put before the expert, or (of an
    expert with sources of its own) what stands in `text`, the answer. The latter's are numbered from 0 as they come.

    Which proposals support a sentence is no citation: clients would take the proposals for documents of theirs.
    """
    sources: dict[str, int] = {}
    for note in notes:
        quoted, number = note.get("url_citation"), cited(note)
        if number is not None and number <= len(passages):
            yield _passage(passages[number - 1], number - 1)
        elif isinstance(quoted, Mapping) and isinstance(quoted.get("url"), str):
            source = quoted["url"].partition("#char=")[0]
            yield _citation(quoted, text, sources.setdefault(source, len(sources)))


def _passage(passage: Passage, number: int) -> dict[str, Any]:
    """The whole passage, and where it stands in its document."""
    return {
        "type": "char_location",
        "cited_text": passage.text,
        "document_index": number,
        "document_title": passage.source,
        "start_char_index": passage.offset,
        "end_char_index": passage.offset + len(passage.text),
        "file_id": None,
    }


def _citation(quoted: Mapping[str, Any], text: str, number: int) -> dict[str, Any]:
    return {
        "type": "search_result_location",
        "cited_text": _between(text, quoted.get("start_index"), quoted.get("end_index")),
        "source": quoted["url"],
        "title": quoted.get("title"),
        "search_result_index": number,
        "start_block_index": 0,
        "end_block_index": 1,
    }


def _between(text: str, start: Any, end: Any) -> str:
    return text[start:end] if isinstance(start, int) and isinstance(end, int) else ""
