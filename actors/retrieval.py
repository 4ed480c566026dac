"""The documents' index and the embedder: no other process of a server loads torch or LanceDB."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from mixture.config import ConfigError, DocumentsConfig
from mixture.embedding import MiniLM
from mixture.logs import write_log
from mixture.retrieval.host import Entry, Kept, Search, Submission
from mixture.retrieval.library import library
from mixture.retrieval.local import local
from mixture.retrieval.quotes import Quotes
from mixture.types import Caller, Passage

logger = logging.getLogger("mixture.retrieval")


class RetrievalActor:
    """A plain class, to be made an actor where it is started: `ray.remote(RetrievalActor).options(...)`.

    Its methods are coroutines, so one actor serves many callers at once; the vectors are computed one batch after
    another in MiniLM's own thread.
    """

    def __init__(self, documents: DocumentsConfig) -> None:
        write_log("retrieval", os.environ)
        self._embedder = MiniLM()
        self._own = local(documents.paths, self._embedder, os.environ)
        self._library = library(documents, os.environ)
        self._quotes = Quotes(self._library, self._own, self._embedder)
        self._upkeep: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None

    async def warm(self, quoted: bool) -> None:
        """Begin to get ready, and return: before it stops Serve waits for calls, and this takes long."""
        self._warming = asyncio.create_task(self._warmed(quoted))

    async def _warmed(self, quoted: bool) -> None:
        try:
            await self.ready(quoted)
        except ConfigError as error:
            logger.warning("the documents can't be read: %s", error.message)
        except Exception:
            logger.exception("the documents' index did not get ready")

    async def ready(self, quoted: bool = True) -> bool:
        """Load the model, and read the documents where some expert quotes them. Raises ConfigError when they can't be
        read.
        """
        self._keep_up()
        await self._embedder.ready()
        if quoted:
            await self._own.ready()
        return True

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """See `mixture.types.Retriever`."""
        return await self._quotes.retrieve(text, k, caller)

    async def search(self, search: Search) -> Sequence[Passage]:
        """See `mixture.retrieval.host.DocumentHost`; so with the next four."""
        return await self._library.search(search)

    async def holds(self, caller: Caller) -> bool:
        """Whether there is any document that `caller` may use."""
        return await self._library.holds(caller)

    async def add(
        self, caller: Caller, collection: str, documents: Sequence[Submission], private: bool | None = None
    ) -> Sequence[Entry]:
        """Keep documents."""
        self._keep_up()
        return await self._library.add(caller, collection, documents, private)

    async def kept(self, caller: Caller, collection: str | None = None) -> Sequence[Kept]:
        """The documents that are kept."""
        return await self._library.kept(caller, collection)

    async def delete(self, caller: Caller, collection: str, document: str) -> Entry:
        """Delete a document."""
        self._keep_up()
        return await self._library.delete(caller, collection, document)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """See `mixture.types.Embedder`."""
        return await self._embedder.embed(texts)

    def _keep_up(self) -> None:
        """Have the index kept in order, from the first call on: only then there is a loop to do it in."""
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = asyncio.create_task(self._library.follow())
