"""Documents taken apart into passages and sentences, each with the exact place where it stands.

For every span, `document.text[span.offset : span.offset + len(span.text)] == span.text`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 1_200
"""Characters of a passage, and of a sentence, beyond which it is cut."""
FEWEST_WORDS = 4
"""Words that a sentence needs: fewer say nothing by themselves."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text and where it comes from (a path as the user would write it)."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a document: its text, its character offset, and the headings that it stands under."""

    text: str
    source: str
    offset: int
    heading: str = ""


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    heading: str
    code: bool = False


def passages(document: Document) -> list[Span]:
    """Paragraphs, list items, table rows and code blocks, neighbours under one heading joined up to `LONGEST`; what is
    longer by itself is cut between lines of code, and between sentences, or words, of prose.
    """
    spans: list[Span] = []
    group: list[_Block] = []
    for block in (piece for whole in _blocks(document.text) for piece in _pieces(document.text, whole)):
        if group and (block.heading != group[0].heading or block.end - group[0].start > LONGEST):
            spans.append(_span(document, group[0].start, group[-1].end, group[0].heading))
            group = []
        group.append(block)
    if group:
        spans.append(_span(document, group[0].start, group[-1].end, group[0].heading))
    return spans


def sentences(document: Document) -> list[Span]:
    """The sentences of the prose, in order; a list item or a table row without a full stop counts as one. Code and
    headings are left out.
    """
    found: list[Span] = []
    for block in _blocks(document.text):
        if block.code:
            continue
        for start, end in _cuts(document.text, block.start, block.end):
            if len(_WORD.findall(document.text, start, end)) >= FEWEST_WORDS:
                found.append(_span(document, start, end, block.heading))
    return found


def plain(text: str) -> str:
    """`text` without Markdown's marks and with single spaces: what it says, for a model or a reader."""
    text = _LINK.sub(r"\1", text)
    return " ".join(_MARKS.sub(" ", text).split())


_WORD = re.compile(r"\w+")
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_MARKS = re.compile(r"[`|]|\*\*|__|(?m:^[ \t]*>+)")
_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_RULE = re.compile(r"[ \t|:=*_-]+$")
_LEAD = re.compile(r"(?:[ \t\r\n>|]|[-*+][ \t]|\d{1,3}[.)][ \t])*")
_STOP = re.compile(r"[.!?][\"')\]*_`]*(?=\s+[\"'(\[*_`]*[A-Z0-9])")
_SHORT = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Mrs|Ms|St|No|Fig|Sec|approx)|\b[A-Z])\.$")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, line.rstrip("\r\n")
        start += len(line)


def _blocks(text: str) -> Iterator[_Block]:
    """Runs of lines that belong together, in order."""
    headings: list[tuple[int, str]] = []
    start, end, fence = -1, -1, ""

    def path() -> str:
        return " > ".join(title for _, title in headings)

    for at, line in _lines(text):
        marker = _FENCE.match(line)
        if fence:
            end = at + len(line)
            if marker and marker.group(1).startswith(fence):
                yield _Block(start, end, path(), code=True)
                start, fence = -1, ""
            continue
        heading = _HEADING.match(line)
        alone = heading or marker or not line.strip() or _RULE.match(line)
        if start >= 0 and (alone or _ITEM.match(line) or line.lstrip().startswith("|")):
            yield _Block(start, end, path())
            start = -1
        if heading:
            headings = [h for h in headings if h[0] < len(heading.group(1))]
            headings.append((len(heading.group(1)), plain(heading.group(2))))
        elif marker:
            start, end, fence = at, at + len(line), marker.group(1)
        elif not alone:
            start, end = at if start < 0 else start, at + len(line)
    if start >= 0:
        yield _Block(start, end, path(), code=bool(fence))


def _pieces(text: str, block: _Block) -> Iterator[_Block]:
    """`block`, or parts of it, none longer than `LONGEST`."""
    start = block.start
    while block.end - start > LONGEST:
        cut = _last_cut(text, start, start + LONGEST, code=block.code)
        yield _Block(start, cut, block.heading, block.code)
        start = cut
        while start < block.end and text[start].isspace() and (not block.code or text[start] in "\r\n"):
            start += 1
    if start < block.end:
        yield _Block(start, block.end, block.heading, block.code)


def _last_cut(text: str, start: int, end: int, *, code: bool) -> int:
    """The best place to cut in the second half of `start` to `end`: after a line, a sentence, a word, or else at the
    end.
    """
    half = start + (end - start) // 2
    if code or "\n" in text[half:end]:
        line = text.rfind("\n", half, end)
        if line > 0:
            return line
    stops = [stop.end() for stop in _STOP.finditer(text, half, end)]
    if stops:
        return stops[-1]
    word = text.rfind(" ", half, end)
    return word if word > 0 else end


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the sentences of a block begin and end, markers and surrounding blanks left out."""
    lead = _LEAD.match(text, start, end)
    start = lead.end() if lead else start
    for stop in _STOP.finditer(text, start, end):
        if not _SHORT.search(text, max(start, stop.start() - 8), stop.start() + 1):
            yield from _trimmed(text, start, stop.end())
            start = stop.end()
    yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] == "|"):
        end -= 1
    while end - start > LONGEST:
        cut = text.rfind(" ", start, start + LONGEST)
        cut = cut if cut > start else start + LONGEST
        yield start, cut
        start = cut + (text[cut] == " ")
    if start < end:
        yield start, end


def _span(document: Document, start: int, end: int, heading: str) -> Span:
    return Span(document.text[start:end], document.source, start, heading)
