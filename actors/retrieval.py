"""The documents' index and the embedder, once for a whole cluster: no other process loads torch."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.config import DocumentsConfig
from mixture.embedding import MiniLM
from mixture.retrieval.documents import load
from mixture.retrieval.local import LocalRetriever
from mixture.types import Passage


class RetrievalActor:
    """A plain class, to be made an actor where it is started: `ray.remote(RetrievalActor).options(...)`.

    Its methods are coroutines, so one actor serves many callers at once; the vectors are computed one batch after
    another in MiniLM's own thread.
    """

    def __init__(self, documents: DocumentsConfig) -> None:
        self._embedder = MiniLM()
        self._retriever = LocalRetriever(lambda: load(documents.paths), self._embedder)

    async def ready(self) -> bool:
        """Load the model and build the index. Raises ConfigError when the documents can't be read."""
        await self._embedder.ready()
        await self._retriever.ready()
        return True

    async def retrieve(self, text: str, k: int) -> list[Passage]:
        """See `mixture.types.Retriever`."""
        return await self._retriever.retrieve(text, k)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `mixture.types.Embedder`."""
        return await self._embedder.embed(texts)
