"""An expert in a process of its own: any provider, hosted as the deployment `expert-NAME`."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from deployments.documents import Handle, RemoteRetriever
from mixture.config import DocumentsConfig, ExpertConfig
from mixture.errors import ExpertUnavailable, MixtureError
from mixture.logs import write_log
from mixture.providers import Context, create
from mixture.streams import chunks, coalesce, joined
from mixture.types import NOBODY, Caller, Chunk, EngineLoad, Passage, Query, Retriever

logger = logging.getLogger("mixture.expert")

WINDOW = 0.02
"""Seconds between two pieces of an answer."""
BEAT = 1.0
"""Seconds of silence after which a replica says that it is still there, with an empty batch; see
`deployments.remote.RemoteExpert`. A long prompt is silence, too, and only the replica knows that it works on one."""

Batch = list[Chunk | EngineLoad] | list[Chunk] | MixtureError
"""What crosses the process boundary: some chunks, among them now and then an engine's load, none as a sign of life, or
as the last item the error that ended the stream."""


def deployment_name(expert: str) -> str:
    """The name under which serve_config.yaml can scale a hosted expert; `/` and `#` mean something to Serve."""
    return "expert-" + expert.replace("/", "-").replace("#", "-")


class Unrestricted:
    """What a retriever finds that anybody may use and every expert may read: here it is not known whose query is
    answered and what else its request asks, so that nobody could keep the rest from others.
    """

    def __init__(self, inner: Retriever) -> None:
        self._inner = inner

    async def retrieve(self, text: str, k: int, caller: Caller) -> Sequence[Passage]:
        """See `mixture.types.Retriever`."""
        found = await self._inner.retrieve(text, k, NOBODY)
        return [one for one in found if not one.private and one.readers is None]


class HostedExpert:
    """The host of one expert. It is made bare: the wrappers stay with the caller, where calls are metered."""

    def __init__(self, config: ExpertConfig, documents: DocumentsConfig, retrieval: Handle) -> None:
        write_log(f"expert {config.name}", os.environ)
        context = Context(environ=os.environ, retriever=Unrestricted(RemoteRetriever(retrieval)), documents=documents)
        self._expert = create(config, context)

    async def stream(self, query: Query) -> AsyncGenerator[Batch, None]:
        """See `batches`."""
        async with aclosing(batches(chunks(self._expert, query), self._expert.card.name)) as made:
            async for batch in made:
                yield batch


async def batches(
    stream: AsyncGenerator[Chunk, None], expert: str, interval: float = WINDOW
) -> AsyncGenerator[Batch, None]:
    """The chunks of `stream` in batches, the first at once, then one each `interval` seconds, and text joined within a
    batch; an empty one after each `BEAT` seconds of silence. An error is the last item and not raised: Ray would wrap
    it, log a traceback, and unpickle in the caller whatever the upstream's library raised. Closing it closes `stream`.
    """
    try:
        async with aclosing(coalesce(stream, interval, BEAT)) as made:
            async for batch in made:
                yield joined(batch)
    except MixtureError as error:
        error.__cause__ = error.__context__ = None
        yield error
    except Exception:
        logger.exception("the expert failed in a way that it should not")
        yield ExpertUnavailable("the expert failed", expert=expert)
