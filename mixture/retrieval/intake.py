"""Documents taken into a collection: read, split, embedded and kept; what has not changed is left as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence

from mixture.retrieval.access import Place
from mixture.retrieval.host import Entry, Submission
from mixture.retrieval.reading import Unreadable, read
from mixture.retrieval.rows import Prepared, digest_of, worded
from mixture.retrieval.splitting import Document, passages
from mixture.retrieval.store import Store
from mixture.types import Embedder

TOGETHER = 1_000
"""Passages that are kept in one commit, about."""


class Intake:
    """Takes documents into the collection `place`, whose vectors `embedder`, named `encoder`, makes. Files with more
    than `most` bytes to read are refused.
    """

    def __init__(self, store: Store, place: Place, encoder: str, embedder: Embedder, most: int) -> None:
        self.store = store
        self.place = place
        self.encoder = encoder
        self._embedder = embedder
        self.most = most

    async def add(self, documents: Sequence[Submission]) -> list[Entry]:
        """What became of each of `documents`, in order; of two with one id the last counts. Raises IndexUnavailable."""
        wanted = {document.id: document for document in documents}
        before = await self.store.digests(self.place, wanted)
        made = {name: await asyncio.to_thread(self.prepared, one, before.get(name)) for name, one in wanted.items()}
        await self.keep([one for one in made.values() if isinstance(one, Prepared)])
        gone = [name for name, one in made.items() if isinstance(one, Entry) and one.outcome == "empty"]
        if before.keys() & gone:
            await self.store.delete(self.place, gone)
        entries = {name: one if isinstance(one, Entry) else entry_of(one, before) for name, one in made.items()}
        return [entries[document.id] for document in documents]

    def prepared(self, document: Submission, known: str | None) -> Prepared | Entry:
        """`document` read and split, or why there is nothing to keep of it; `known` is the digest of what is kept under
        its id. Blocks.
        """
        return prepared(document, known, self.encoder, self.most)

    async def keep(self, documents: Sequence[Prepared]) -> None:
        """Embed `documents` and keep them in the place of those with the same ids."""
        group: list[Prepared] = []
        for document in documents:
            group.append(document)
            if sum(len(one.spans) for one in group) >= TOGETHER:
                await self._commit(group)
                group = []
        if group:
            await self._commit(group)

    async def _commit(self, group: Sequence[Prepared]) -> None:
        await self.store.put(self.place, group, await self.embedded(group))

    async def embedded(self, documents: Sequence[Prepared]) -> Sequence[Sequence[float]]:
        """The vectors of all their passages, in order."""
        return await self._embedder.embed([worded(span) for document in documents for span in document.spans])


def prepared(document: Submission, known: str | None, encoder: str, most: int) -> Prepared | Entry:
    """See `Intake.prepared`."""
    digest = digest_of(document.data, document.name, document.metadata, encoder)
    if digest == known:
        return Entry(document.id, "unchanged")
    try:
        text = read(document.data, document.name, most)
    except Unreadable as error:
        return Entry(document.id, "failed", error=str(error))
    spans = tuple(passages(Document(document.id, text)))
    if not spans:
        return Entry(document.id, "empty", error="there is no text in it")
    return Prepared(document.id, digest, spans, document.metadata)


def entry_of(document: Prepared, before: Container[str]) -> Entry:
    """What became of a document that was kept; `before` holds the ids of those that were there."""
    return Entry(document.id, "updated" if document.id in before else "added", len(document.spans))
