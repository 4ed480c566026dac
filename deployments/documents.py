"""Documents and vectors behind a handle to `actors.retrieval.RetrievalActor`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from deployments.calls import HANGING, called
from mixture.errors import ExpertUnavailable
from mixture.retrieval.host import Entry, IndexUnavailable, Kept, Search, Submission
from mixture.types import Caller, Passage

Handle = Any
"""A `ray.serve.handle.DeploymentHandle`."""
INDEX = "documents' index"
SOON = 5.0
"""Seconds for what every request may ask."""
LEFT_ALONE = 5.0
"""Seconds for which an index that did not answer is not asked again."""


class RemoteRetriever:
    """A retriever behind a handle to `actors.retrieval.RetrievalActor`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="retrieve")

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """See `mixture.types.Retriever`."""
        call = self._call.remote(text, k, caller)
        passages: Sequence[Passage] = await called("retriever", call, ExpertUnavailable, HANGING)
        return passages


class RemoteDocuments:
    """The documents' index behind a handle to `actors.retrieval.RetrievalActor`: see
    `mixture.retrieval.host.DocumentHost`.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._left_alone = 0.0

    async def search(self, search: Search) -> Sequence[Passage]:
        """Passages for a text."""
        found: Sequence[Passage] = await self._read("search", search, within=HANGING)
        return found

    async def holds(self, caller: Caller) -> bool:
        """Whether there is any document that `caller` may use."""
        return bool(await self._read("holds", caller, within=SOON))

    async def add(
        self, caller: Caller, collection: str, documents: Sequence[Submission], private: bool | None = None
    ) -> Sequence[Entry]:
        """Keep documents."""
        made: Sequence[Entry] = await self._asked(self._handle.add.remote(caller, collection, documents, private))
        return made

    async def kept(self, caller: Caller, collection: str | None = None) -> Sequence[Kept]:
        """The documents that are kept."""
        found: Sequence[Kept] = await self._read("kept", caller, collection, within=HANGING)
        return found

    async def delete(self, caller: Caller, collection: str, document: str) -> Entry:
        """Delete a document."""
        gone: Entry = await self._asked(self._handle.delete.remote(caller, collection, document))
        return gone

    async def follow(self) -> None:
        """The process with the index keeps it in order."""

    async def _asked(self, call: Any) -> Any:
        return await called(INDEX, call, IndexUnavailable)

    async def _read(self, method: str, *arguments: Any, within: float) -> Any:
        """What takes no time unless the process is gone: then it is left alone for a moment, and nobody waits."""
        if time.monotonic() < self._left_alone:
            raise IndexUnavailable(f"the {INDEX} does not answer", retry_after=1.0)
        call = getattr(self._handle, method).remote(*arguments)
        try:
            async with asyncio.timeout(within):
                return await called(INDEX, call, IndexUnavailable)
        except TimeoutError:
            self._left_alone = time.monotonic() + LEFT_ALONE
            raise IndexUnavailable(f"the {INDEX} does not answer", retry_after=1.0) from None


class RemoteEmbedder:
    """An embedder behind a handle to `actors.retrieval.RetrievalActor`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="embed")

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `mixture.types.Embedder`."""
        vectors: Sequence[Sequence[float]] = await called("embedder", self._call.remote(list(texts)), within=HANGING)
        return vectors
