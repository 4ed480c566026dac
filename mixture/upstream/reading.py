"""Reading an upstream's answer, whole or in pieces, whatever the API: the flow, the failures and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import orjson

from mixture.errors import MixtureError
from mixture.types import Chunk
from mixture.upstream.connection import BROKEN, Connection
from mixture.upstream.failures import Reported, failure, garbled, unreachable
from mixture.upstream.sse import Decoder

_MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError)
"""What reading an answer raises that is not in the API's form."""
_PATIENCE = 0.1
"""Seconds that a stream which has said its end may take to close, so that its connection can be used again."""


class Failed(Exception):
    """An error that the upstream reports inside an answer that began with status 200."""

    def __init__(self, reported: Reported) -> None:
        super().__init__(reported.kind or reported.code)
        self.reported = reported


class Cut(Exception):
    """The stream is over and the answer is not."""


class Reader(Protocol):
    """Turns the events of one stream into chunks."""

    done: bool
    """Nothing follows any more."""

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        ...

    def read(self, data: bytes) -> Iterable[Chunk]:
        """The chunks in one event. Raises Failed."""
        ...

    def end(self) -> Iterable[Chunk]:
        """The closing chunks, when the stream is over."""
        ...


async def answer(
    connection: Connection,
    body: Callable[[], Mapping[str, Any]],
    whole: Callable[[Any], Iterable[Chunk]],
    reader: Reader,
) -> AsyncGenerator[Chunk, None]:
    """The chunks of the upstream's answer to `body()`: through `reader` where it streams, through `whole` where not.

    Closing the generator cuts the connection. Raises what `mixture.upstream.failures` says, StreamBroken once a chunk
    is out.
    """
    response: aiohttp.ClientResponse | None = None
    try:
        with _Translation(connection) as progress:
            response = await connection.post(body())
            if response.content_type != "text/event-stream":
                for chunk in whole(orjson.loads(await response.read())):
                    progress.started = True
                    yield chunk
                return
            decoder, received = Decoder(), b"."
            while received and not reader.done:
                received = await response.content.readany()
                for data in decoder.feed(received) if received else decoder.end():
                    for chunk in reader.read(data):
                        progress.started = True
                        yield chunk
            if not reader.complete:
                raise Cut
            for chunk in reader.end():
                progress.started = True
                yield chunk
        await _drain(response.content)
    finally:
        if response is not None:
            response.close()


class _Translation:
    """Puts what is raised inside into our errors; `started` says whether a part of the answer is out."""

    def __init__(self, connection: Connection) -> None:
        self.started = False
        self._connection = connection

    def __enter__(self) -> _Translation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        expert = self._connection.expert
        if isinstance(error, MixtureError):
            error.expert = error.expert or expert
        if isinstance(error, Failed):
            secret = self._connection.secret
            raise failure(error.reported, expert, started=self.started, secret=secret) from None
        if isinstance(error, BROKEN):
            raise unreachable(error, expert, started=self.started) from None
        if isinstance(error, Cut):
            raise garbled("an answer without an end", expert, started=self.started) from None
        if isinstance(error, _MISSHAPEN):
            raise garbled("an answer that can't be read", expert, started=self.started) from None


async def _drain(content: aiohttp.StreamReader) -> None:
    with suppress(*BROKEN):
        async with asyncio.timeout(_PATIENCE):
            while await content.readany():
                continue
