"""Pieces of documents, found by meaning, in this process."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mixture.embedding import MODEL
from mixture.retrieval.documents import load
from mixture.retrieval.index import Index, best
from mixture.retrieval.remembering import Remembering, vectors_file
from mixture.retrieval.splitting import Document, Span, plain, sentences
from mixture.types import LOCAL, Caller, Embedder, Passage

LIKELY = 48
"""Pieces that are embedded for a question while all of them are."""
SOON = 0.5
"""Seconds that a question waits for all of them: reading vectors that were kept takes less."""
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class _Built:
    spans: list[Span]
    index: Index


@dataclass(frozen=True, slots=True)
class _Making:
    spans: asyncio.Task[list[Span]]
    built: asyncio.Task[_Built]


class LocalRetriever:
    """A `Retriever` over documents that are read, split and embedded at the first use.

    `split` decides what is found: `sentences`, or `passages`. `pieces` embeds those, all at once, where that is not
    `embedder`. A score is the cosine of the query and the piece with the heading that it stands under: on this
    project's own documents the heading tells questions about them from others better than the sentence alone or its
    whole passage.
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
        self._making: _Making | None = None

    async def ready(self) -> None:
        """Read and embed the documents now. Raises ConfigError when they can't be read."""
        if self._built is None:
            await asyncio.shield(self._begun().built)

    async def retrieve(self, text: str, k: int, caller: Caller = LOCAL) -> list[Passage]:
        """At most `k` pieces, best first; every caller may use them. While many are still being embedded only those are
        looked at that share the rarest words with `text`. Raises ConfigError when they can't be read.
        """
        built = self._built or await self._soon(text)
        if not built.spans or k < 1:
            return []
        [vector] = await self._embedder.embed([text])
        scores = built.index.similarities(vector)
        found = [(built.spans[i], float(scores[i])) for i in best(scores, k)]
        return [Passage(span.text, span.source, span.offset, score) for span, score in found]

    async def _soon(self, text: str) -> _Built:
        """All pieces, built once for all who wait for them; the likely ones where many are not there within `SOON`."""
        making = self._begun()
        spans = await asyncio.shield(making.spans)
        if len(spans) > LIKELY:
            await asyncio.wait([making.built], timeout=SOON)
            if not making.built.done():
                some = likely(text, spans)
                return _Built(some, await _indexed(some, self._embedder))
        return await asyncio.shield(making.built)

    def _begun(self) -> _Making:
        """What is under way in this loop; it goes on when one who waits for it is cancelled."""
        loop, making = asyncio.get_running_loop(), self._making
        if making is None or making.built.done() or making.built.get_loop() is not loop:
            spans = loop.create_task(asyncio.to_thread(self._pieces_of_all))
            self._making = making = _Making(spans, loop.create_task(self._build(spans)))
        return making

    def _pieces_of_all(self) -> list[Span]:
        return [span for document in self._documents() for span in self._split(document)]

    async def _build(self, reading: asyncio.Task[list[Span]]) -> _Built:
        spans = await reading
        self._built = _Built(spans, await _indexed(spans, self._pieces))
        return self._built


async def _indexed(spans: Sequence[Span], embedder: Embedder) -> Index:
    return Index(await embedder.embed([worded(span.heading, span.text) for span in spans]))


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
