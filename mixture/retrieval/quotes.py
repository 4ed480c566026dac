"""Sentences that answer a question, out of the index and out of documents that are read at each start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mixture.config import DocumentsConfig
from mixture.embedding import MiniLM
from mixture.retrieval.host import Search
from mixture.retrieval.library import Library, library
from mixture.retrieval.local import LocalRetriever, local, worded
from mixture.retrieval.splitting import Document, sentences
from mixture.types import Caller, Embedder, Passage

DEPTH = 5
"""Passages of the index whose sentences are looked at."""
MOST = 32
"""Sentences that are embedded for one question."""


class Quotes:
    """A `Retriever` of sentences. Those of the index's best passages are embedded when they are asked for: the index
    holds no vectors of theirs.
    """

    def __init__(self, library: Library, own: LocalRetriever, embedder: Embedder) -> None:
        self._library = library
        self._own = own
        self._embedder = embedder

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """At most `k` sentences, best first. Raises IndexUnavailable, or ConfigError for unreadable documents."""
        if k < 1:
            return []
        own = await self._own.retrieve(text, k)
        passages = await self._library.search(Search(text, caller, DEPTH))
        pieces = [piece for passage in passages for piece in split(passage)][:MOST]
        if not pieces:
            return own
        question, *vectors = await self._embedder.embed([text, *(worded(one.heading, one.text) for one in pieces)])
        scored = [
            replace(one, score=sum(a * b for a, b in zip(question, vector, strict=True)))
            for one, vector in zip(pieces, vectors, strict=True)
        ]
        return sorted([*own, *scored], key=lambda one: -one.score)[:k]


def quotes(config: DocumentsConfig, environ: Mapping[str, str]) -> Quotes:
    """The sentences of the documents that `config` names, in this process; nothing is read before it is needed."""
    embedder = MiniLM()
    return Quotes(library(config, environ), local(config.paths, embedder, environ), embedder)


def split(passage: Passage) -> list[Passage]:
    """The sentences of a passage."""
    found = sentences(Document(passage.source, passage.text))
    return [replace(passage, text=span.text, offset=passage.offset + span.offset) for span in found]
