"""Documents and vectors behind a handle to `actors.retrieval.RetrievalActor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deployments.calls import called
from mixture.errors import ExpertUnavailable
from mixture.retrieval.host import Entry, IndexUnavailable, Kept, Search, Submission
from mixture.types import Caller, Passage

Handle = Any
"""A `ray.serve.handle.DeploymentHandle`."""


class RemoteRetriever:
    """A retriever behind a handle to `actors.retrieval.RetrievalActor`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="retrieve")

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """See `mixture.types.Retriever`."""
        passages: Sequence[Passage] = await called("retriever", self._call.remote(text, k, caller), ExpertUnavailable)
        return passages


class RemoteDocuments:
    """The documents' index behind a handle to `actors.retrieval.RetrievalActor`: see
    `mixture.retrieval.host.DocumentHost`.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def search(self, search: Search) -> Sequence[Passage]:
        """Passages for a text."""
        found: Sequence[Passage] = await self._asked(self._handle.search.remote(search))
        return found

    async def holds(self, caller: Caller) -> bool:
        """Whether there is any document that `caller` may use."""
        return bool(await self._asked(self._handle.holds.remote(caller)))

    async def add(
        self, caller: Caller, collection: str, documents: Sequence[Submission], private: bool | None = None
    ) -> Sequence[Entry]:
        """Keep documents."""
        made: Sequence[Entry] = await self._asked(self._handle.add.remote(caller, collection, documents, private))
        return made

    async def kept(self, caller: Caller, collection: str | None = None) -> Sequence[Kept]:
        """The documents that are kept."""
        found: Sequence[Kept] = await self._asked(self._handle.kept.remote(caller, collection))
        return found

    async def delete(self, caller: Caller, collection: str, document: str) -> Entry:
        """Delete a document."""
        gone: Entry = await self._asked(self._handle.delete.remote(caller, collection, document))
        return gone

    async def follow(self) -> None:
        """The process with the index keeps it in order."""

    async def _asked(self, call: Any) -> Any:
        return await called("documents' index", call, IndexUnavailable)


class RemoteEmbedder:
    """An embedder behind a handle to `actors.retrieval.RetrievalActor`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="embed")

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See `mixture.types.Embedder`."""
        vectors: Sequence[Sequence[float]] = await called("embedder", self._call.remote(list(texts)))
        return vectors
