"""Which proposals support each sentence of an answer that was written out of them. No model is asked.

A sentence is supported by a proposal when one sentence of it, or two in a row, say nearly all that the sentence says:
by its words or, where there is an embedder, by its meaning; and in either case with every number of it, and with a
denial where it has one. Unsupported means: the writer's own, not: wrong.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from mixture.aggregation.numerals import numbers
from mixture.retrieval.splitting import Document, Span, sentences
from mixture.types import Embedder

COVERED = 0.6
"""The share of a sentence's words, each by its weight, that a sentence of a proposal has to say."""
ALIKE = 0.75
"""The cosine of two sentences' vectors from which on they say the same."""
CANDIDATES = 3
"""Sentences of the proposals that are compared by meaning with one that its words do not decide."""
MOST_EMBEDDED = 48
"""Sentences that are embedded for one answer."""
LONGEST = 60_000
"""Characters of each text that are looked at."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019](?:t|re|ve|ll|d|m)\b)?")
_DIGIT = re.compile(r"\d")
_DENIAL = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|cannot|fails? to|unable|false|incorrect)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    (
        *("a", "an", "the", "and", "or", "but", "if", "of", "to", "in", "on", "at", "by", "for", "with"),
        *("from", "as", "is", "are", "was", "were", "be", "been", "it", "its", "this", "that", "these"),
        *("those", "there", "here", "which", "who", "whom", "whose", "what", "when", "where", "how", "than"),
        *("then", "so", "such", "can", "could", "may", "might", "will", "would", "shall", "should", "do"),
        *("does", "did", "has", "have", "had", "you", "your", "we", "our", "they", "their", "he", "she", "his"),
        *("her", "i", "me", "my", "us", "them", "also", "into", "about", "over", "under", "not", "no", "nor"),
    )
)


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence of an answer, its characters `start` to `end`, and the numbers of the proposals that support it."""

    start: int
    end: int
    proposals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """What a sentence says: the stems of its words, its numbers, and whether it denies something."""

    text: str
    words: frozenset[str]
    figures: frozenset[str]
    denies: bool | None
    """None when one of two sentences does and the other does not: nobody can tell then what is denied."""

    def with_next(self, other: _Said) -> _Said:
        """What it and the sentence after it say together."""
        return _Said(
            f"{self.text} {other.text}",
            self.words | other.words,
            self.figures | other.figures,
            self.denies if self.denies == other.denies else None,
        )


async def supports(answer: str, proposals: Sequence[str], embedder: Embedder | None = None) -> list[Support]:
    """The sentences of `answer`, code and headings left out, each with the proposals (from 1) that support it.

    Raises what `embedder` raises.
    """
    spans = sentences(Document("", answer[:LONGEST]))
    said = [_read(span.text) for span in spans]
    index = _Index(proposals)
    found = [index.sayers(one) for one in said]
    if embedder is not None:
        await _by_meaning(said, index, found, embedder)
    return [_support(span, by) for span, by in zip(spans, found, strict=True)]


def support_notes(found: Iterable[Support]) -> tuple[Mapping[str, Any], ...]:
    """`found` as annotations of a message, in the form of OpenAI's: a type, and an object of that name."""
    return tuple(
        {
            "type": "proposal_support",
            "proposal_support": {
                "start_index": one.start,
                "end_index": one.end,
                "proposals": list(one.proposals),
                "supported": bool(one.proposals),
            },
        }
        for one in found
    )


class _Index:
    """The sentences of all proposals, and every two in a row, found by their words."""

    def __init__(self, proposals: Sequence[str]) -> None:
        self.units: list[tuple[int, _Said]] = []
        """The number of a proposal, and what one or two sentences of it say."""
        for number, text in enumerate(proposals, 1):
            said = [_read(span.text) for span in sentences(Document("", text[:LONGEST]))]
            self.units += [(number, unit) for unit in (*said, *(one.with_next(other) for one, other in pairwise(said)))]
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        for place, (_, unit) in enumerate(self.units):
            for word in unit.words:
                self._having[word].append(place)

    def covering(self, one: _Said) -> list[tuple[int, float]]:
        """The places of units that share words with `one`, each with the share of its words, by weight, that it says;
        the highest share first.
        """
        shares: defaultdict[int, float] = defaultdict(float)
        total = 0.0
        for word in one.words:
            having = self._having.get(word, ())
            weight = math.log(1 + (len(self.units) + 1) / (len(having) + 1))
            total += weight
            for place in having:
                shares[place] += weight
        return [(place, shares[place] / total) for place in sorted(shares, key=shares.__getitem__, reverse=True)]

    def sayers(self, one: _Said) -> set[int]:
        """The proposals that say it in nearly the same words."""
        near = (place for place, share in self.covering(one) if share >= COVERED)
        return {self.units[place][0] for place in near if _compatible(one, self.units[place][1])}


def _read(text: str) -> _Said:
    figures = frozenset(numbers(text) if _DIGIT.search(text) else ())
    words = {_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP}
    return _Said(text, frozenset(words | figures), figures, _DENIAL.search(text) is not None)


def _stem(word: str) -> str:
    """The word without the commonest endings of English: enough for `turn` and `turns` to be the same."""
    ending = next((e for e in ("ing", "ed", "es", "s", "ly") if word.endswith(e) and len(word) - len(e) >= 4), "")
    return word.removesuffix(ending) if ending else word


def _compatible(one: _Said, other: _Said) -> bool:
    """Whether `other` can support `one`: it has all its numbers, and both deny something or neither does."""
    return one.figures <= other.figures and one.denies == other.denies


async def _by_meaning(said: Sequence[_Said], index: _Index, found: Sequence[set[int]], embedder: Embedder) -> None:
    """Add the proposals that say in other words what no proposal says in the same."""
    pairs = list(islice(_undecided(said, index, found), MOST_EMBEDDED))
    texts = list(dict.fromkeys(text for i, place in pairs for text in (said[i].text, index.units[place][1].text)))
    if not texts:
        return
    vectors = dict(zip(texts, await embedder.embed(texts), strict=True))
    for i, place in pairs:
        number, unit = index.units[place]
        if sum(a * b for a, b in zip(vectors[said[i].text], vectors[unit.text], strict=True)) >= ALIKE:
            found[i].add(number)


def _undecided(said: Sequence[_Said], index: _Index, found: Sequence[set[int]]) -> Iterator[tuple[int, int]]:
    """Sentences that nobody says in the same words, each with the places of those that come nearest."""
    for i, one in enumerate(said):
        if not found[i]:
            near = (place for place, _ in index.covering(one) if _compatible(one, index.units[place][1]))
            yield from ((i, place) for place in islice(near, CANDIDATES))


def _support(span: Span, by: Iterable[int]) -> Support:
    return Support(span.offset, span.offset + len(span.text), tuple(sorted(by)))
