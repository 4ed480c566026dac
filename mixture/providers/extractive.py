"""Answers from documents: the sentences that fit the question best, quoted with where they stand.

Nothing is generated. A document is data: what it says is quoted, never obeyed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from mixture.config import ExpertConfig
from mixture.embedding import MODEL
from mixture.errors import Declined, ExpertUnavailable, MixtureError
from mixture.metering import draws_on
from mixture.providers import Context
from mixture.retrieval import plain
from mixture.retrieval.access import may_read
from mixture.retrieval.documents import check
from mixture.retrieval.quotes import quotes
from mixture.types import LOCAL, Chunk, ExpertCard, Passage, Price, Query, Retriever, Usage

MOST = 3
"""Sentences quoted in one answer."""
NEAR = 0.15
"""How far below the best sentence's score a further one may lie."""
LONGEST = 2_000
"""Characters of a question that is still one question; longer texts are tasks for a model."""


def make(config: ExpertConfig, context: Context) -> Extractive:
    """Quote the sentences of the user's documents that answer a question.

    Raises ConfigError when a path in `documents` does not exist.
    """
    documents = context.documents
    retriever = context.retriever
    if retriever is None:
        check(documents.paths)
        retriever = quotes(documents, context.environ)
    card = ExpertCard(
        name=config.name,
        provider="extractive",
        model=config.model or MODEL,
        description=config.description or "quotes the sentences of your documents that answer a question, with source",
        skills=config.skills if config.skills is not None else ("documents",),
        price=Price(0, 0),
        abilities=frozenset({"seed"}),
        location="embedded",
    )
    return Extractive(card, retriever, documents.min_score)


class Extractive:
    """An expert that quotes. `min_score` is the similarity below which a sentence answers nothing, in 0..1."""

    def __init__(self, card: ExpertCard, retriever: Retriever, min_score: float) -> None:
        self._card = card
        self._retriever = retriever
        self._min_score = min_score

    @property
    def card(self) -> ExpertCard:
        """What is known of this expert."""
        return self._card

    async def stream(self, query: Query) -> AsyncIterator[Chunk]:
        """One chunk with the quotes. Raises Declined when no sentence is near enough to the question."""
        question = query.text.strip()
        if not question or len(question) > LONGEST:
            raise Declined("only a short question can be looked up in the documents", expert=self._card.name)
        try:
            found = await self._retriever.retrieve(question, MOST, query.caller or LOCAL)
        except MixtureError as error:  # a file that went away, or the index's process: another expert may answer
            raise ExpertUnavailable(f"the documents: {error.message}", expert=self._card.name) from None
        chosen = self._chosen([one for one in found if may_read(self._card, one)])
        if not chosen:
            raise Declined("nothing in the documents answers this", expert=self._card.name)
        draws_on(tuple(one for one in chosen if one.private or one.readers is not None))
        text, annotations = quoted(chosen)
        prompt = sum(len(message.text) for message in query.messages)
        usage = Usage(_tokens(prompt), _tokens(len(text)), estimated=True)
        yield Chunk(text, usage=usage, finish_reason="stop", annotations=annotations)

    def _chosen(self, found: Sequence[Passage]) -> list[Passage]:
        """The sentences that are near enough, in the order of the documents, the best one's document first."""
        if not found or found[0].score < self._min_score:
            return []
        least = max(self._min_score, found[0].score - NEAR)
        near = [passage for passage in found if passage.score >= least]
        first = near[0].source
        return sorted(near, key=lambda passage: (passage.source != first, passage.source, passage.offset))


def quoted(passages: Sequence[Passage]) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The quotes as text, a line each, and an annotation in OpenAI's form for each.

    `start_index..end_index` is the quote's place in the text; the URL's fragment is its place in the document, in
    characters (RFC 5147).
    """
    lines: list[str] = []
    annotations: list[Mapping[str, Any]] = []
    at = 0
    for passage in passages:
        line = f'"{plain(passage.text)}" ({passage.source}, character {passage.offset})'
        place = f"{passage.source}#char={passage.offset},{passage.offset + len(passage.text)}"
        citation = {"start_index": at, "end_index": at + len(line), "title": passage.source, "url": place}
        annotations.append({"type": "url_citation", "url_citation": citation})
        lines.append(line)
        at += len(line) + 1
    return "\n".join(lines), tuple(annotations)


def _tokens(characters: int) -> int:
    """An estimate: a token of English is about four characters."""
    return (characters + 3) // 4
