"""Pieces of documents, found by meaning, in this process."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mixture.embedding import MODEL
from mixture.retrieval.documents import load
from mixture.retrieval.index import Index, best
from mixture.retrieval.remembering import Remembering, vectors_file
from mixture.retrieval.splitting import Document, Span, plain, sentences
from mixture.types import LOCAL, Caller, Embedder, Passage

LIKELY = 48
"""Pieces that are embedded for a question while all of them are."""
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class _Built:
    spans: list[Span]
    index: Index


class LocalRetriever:
    """A `Retriever` over documents that are read, split and embedded at the first use.

    `split` decides what is found: `sentences`, or `passages`. `pieces` embeds those, all at once, where that is not
    `embedder`. A score is the cosine of the query and the piece with
    the heading that it stands under: on this project's own documents the heading tells questions about them from
    others better than the sentence alone or its whole passage.
    """

    def __init__(
        self,
        documents: Callable[[], Sequence[Document]],
        embedder: Embedder,
        split: Callable[[Document], list[Span]] = sentences,
        pieces: Embedder | None = None,
    ) -> None:
        self._documents = documents
        self._embedder = embedder
        self._pieces = pieces or embedder
        self._split = split
        self._built: _Built | None = None
        self._building: asyncio.Task[_Built] | None = None
        self._read: asyncio.Future[list[Span]] | None = None

    async def ready(self) -> None:
        """Read and embed the documents now. Raises ConfigError when they can't be read."""
        await self._index()

    async def retrieve(self, text: str, k: int, caller: Caller = LOCAL) -> list[Passage]:
        """At most `k` pieces, best first; every caller may use them. While many are still being embedded only those are
        looked at that share the rarest words with `text`. Raises ConfigError when they can't be read.
        """
        spans = await self._spans()
        if not spans or k < 1:
            return []
        if self._built is None and len(spans) > 2 * LIKELY:
            some = likely(text, spans)
            vector, *vectors = await self._embedder.embed([text, *(worded(span.heading, span.text) for span in some)])
            built = _Built(some, Index(vectors))
        else:
            built = await self._index()
            [vector] = await self._embedder.embed([text])
        scores = built.index.similarities(vector)
        found = [(built.spans[i], float(scores[i])) for i in best(scores, k)]
        return [Passage(span.text, span.source, span.offset, score) for span, score in found]

    async def _spans(self) -> list[Span]:
        """The pieces, as soon as they are read."""
        if self._built is not None:
            return self._built.spans
        building = self._begun()
        if self._read is not None:
            waiting: set[asyncio.Future[Any]] = {building, self._read}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if self._read.done():
                return self._read.result()
        return (await asyncio.shield(building)).spans

    async def _index(self) -> _Built:
        """The index, built once for all who wait for it; the building goes on when one of them is cancelled."""
        if self._built is None:
            return await asyncio.shield(self._begun())
        return self._built

    def _begun(self) -> asyncio.Task[_Built]:
        loop = asyncio.get_running_loop()
        if self._building is None or self._building.done() or self._building.get_loop() is not loop:
            self._read = loop.create_future()
            self._building = loop.create_task(self._build(self._read))
        return self._building

    async def _build(self, read: asyncio.Future[list[Span]]) -> _Built:
        spans = await asyncio.to_thread(lambda: [span for d in self._documents() for span in self._split(d)])
        read.set_result(spans)
        vectors = await self._pieces.embed([worded(span.heading, span.text) for span in spans])
        self._built = _Built(spans, Index(vectors))
        return self._built


def local(paths: Sequence[str] | None, embedder: Embedder, environ: Mapping[str, str]) -> LocalRetriever:
    """The sentences of the documents at `paths`, or of this project's own; the vectors are kept for the next start."""
    kept = Remembering(embedder, vectors_file(environ, MODEL, paths))
    return LocalRetriever(lambda: load(paths), embedder, pieces=kept)


def likely(text: str, spans: Sequence[Span]) -> list[Span]:
    """At most `LIKELY` of the pieces: those whose words are the rarest among the words of `text`."""
    wanted = set(_WORD.findall(text.lower()))
    shared = [wanted.intersection(_WORD.findall(worded(span.heading, span.text).lower())) for span in spans]
    common = Counter(word for words in shared for word in words)
    order = sorted(range(len(spans)), key=lambda place: -sum(1 / common[word] for word in shared[place]))
    return [spans[place] for place in order[:LIKELY]]


def worded(heading: str, text: str) -> str:
    """A sentence as it is embedded: behind the nearest of the headings that it stands under."""
    nearest = heading.rpartition(" > ")[2]
    return f"{nearest}: {plain(text)}" if nearest else plain(text)
