"""A stream of server-sent events: the first bytes at once, something into every silence, and a proper end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from deployments.http.connection import Send
from deployments.http.errors import as_mixture_error
from deployments.http.exchange import Exchange
from mixture.errors import MixtureError
from mixture.types import Event

logger = logging.getLogger("mixture.gateway")


class Writer(Protocol):
    """How a protocol writes its stream."""

    def opening(self) -> bytes:
        """What is sent before anything has happened."""
        ...

    def keepalive(self) -> bytes:
        """What is sent into a silence."""
        ...

    def event(self, event: Event) -> bytes:
        """What an event becomes; may be empty."""
        ...

    def failure(self, error: MixtureError, request_id: str) -> bytes:
        """How a stream that has begun fails."""
        ...


async def send_stream(
    exchange: Exchange, events: AsyncGenerator[Event, None], writer: Writer, send: Send, keepalive: float
) -> None:
    """Send `events` as they happen; a comment after each `keepalive` seconds of silence."""
    headers = exchange.response_headers(b"text/event-stream; charset=utf-8")
    headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
    headers.append((b"x-mixture-strategy", exchange.trace.executed.encode()))
    headers.append((b"x-mixture-cache", exchange.trace.cache.encode()))
    exchange.status = 200
    async with aclosing(events):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        line = _Line(send, writer.keepalive(), keepalive)
        await line.write(writer.opening())
        try:
            async for event in events:
                exchange.told(event)
                data = writer.event(event)
                if data:
                    await line.write(data)
        except Exception as caught:
            error = as_mixture_error(caught)
            exchange.error = error.code or error.type
            await line.write(writer.failure(error, exchange.id))
        finally:
            line.close()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Line:
    """Sends bytes, and says `keepalive` whenever nothing was sent for `interval` seconds.

    A timer that looks at the time of the last write costs nothing a token, unlike one that each token sets anew.
    """

    def __init__(self, send: Send, keepalive: bytes, interval: float) -> None:
        self._send = send
        self._keepalive = keepalive
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._speaking: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(interval, self._look)

    async def write(self, data: bytes) -> None:
        self._last = self._loop.time()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def close(self) -> None:
        self._timer.cancel()
        if self._speaking is not None:
            self._speaking.cancel()

    def _look(self) -> None:
        silence = self._loop.time() - self._last
        if silence >= self._interval:
            silence = 0.0
            self._speaking = asyncio.ensure_future(self.write(self._keepalive))
        self._timer = self._loop.call_later(self._interval - silence, self._look)
