"""Pieces of documents, found by meaning, in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mixture.embedding import MODEL
from mixture.retrieval.documents import load
from mixture.retrieval.index import Index, best
from mixture.retrieval.remembering import Remembering, vectors_file
from mixture.retrieval.splitting import Document, Span, plain, sentences
from mixture.types import LOCAL, Caller, Embedder, Passage


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

    async def ready(self) -> None:
        """Read and embed the documents now. Raises ConfigError when they can't be read."""
        await self._index()

    async def retrieve(self, text: str, k: int, caller: Caller = LOCAL) -> list[Passage]:
        """At most `k` pieces, best first; every caller may use them. Raises ConfigError when they can't be read."""
        built = await self._index()
        if not built.spans or k < 1:
            return []
        [vector] = await self._embedder.embed([text])
        scores = built.index.similarities(vector)
        found = [(built.spans[i], float(scores[i])) for i in best(scores, k)]
        return [Passage(span.text, span.source, span.offset, score) for span, score in found]

    async def _index(self) -> _Built:
        """The index, built once for all who wait for it; the building goes on when one of them is cancelled."""
        if self._built is None:
            loop = asyncio.get_running_loop()
            if self._building is None or self._building.done() or self._building.get_loop() is not loop:
                self._building = loop.create_task(self._build())
            self._built = await asyncio.shield(self._building)
        return self._built

    async def _build(self) -> _Built:
        spans = await asyncio.to_thread(lambda: [span for d in self._documents() for span in self._split(d)])
        return _Built(spans, Index(await self._pieces.embed([worded(span.heading, span.text) for span in spans])))


def local(paths: Sequence[str] | None, embedder: Embedder, environ: Mapping[str, str]) -> LocalRetriever:
    """The sentences of the documents at `paths`, or of this project's own; the vectors are kept for the next start."""
    kept = Remembering(embedder, vectors_file(environ, MODEL, paths))
    return LocalRetriever(lambda: load(paths), embedder, pieces=kept)


def worded(heading: str, text: str) -> str:
    """A sentence as it is embedded: behind the nearest of the headings that it stands under."""
    nearest = heading.rpartition(" > ")[2]
    return f"{nearest}: {plain(text)}" if nearest else plain(text)
