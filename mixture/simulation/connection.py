"""HTTP/1.1 on a raw asyncio protocol, for the stand-in: a web framework would be the bottleneck of a load test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httptools

_JSON = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n%b"
_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


@dataclass(slots=True)
class Request:
    """A request that was read whole."""

    method: bytes
    path: bytes
    body: bytes
    key: bytes | None


Serve = Callable[[Request, "Connection"], Awaitable[None] | None]
"""Answers a request at once, or gives back what does."""


class Connection(asyncio.Protocol):
    """Reads requests and has them answered one after the other. A client that leaves cancels the answer."""

    def __init__(self, serve: Serve, opened: Callable[[Connection, bool], None]) -> None:
        self._serve = serve
        self._opened = opened
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: Any = None

    def send_json(self, status: int, body: bytes, headers: bytes = b"") -> None:
        """Write a whole answer; `headers` are complete lines."""
        self._transport.write(_JSON % (status, b"OK" if status == 200 else b"Error", len(body), headers, body))

    def start_events(self) -> None:
        """Write the head of a stream of server-sent events."""
        self._transport.write(_EVENTS)

    def send_event(self, event: bytes) -> None:
        """Write one event."""
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))

    def end_events(self) -> None:
        """End the stream; the connection stays open."""
        self._transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        """Close the connection once everything is written; a stream that was not ended breaks off."""
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once, as when the server dies."""
        self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self._transport = transport
        self._opened(self, True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop what is being answered."""
        self._opened(self, False)
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    # What httptools calls

    def on_message_begin(self) -> None:
        """A new request starts."""
        self._path = b""
        self._key: bytes | None = None
        self._body: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        """The path; it may come in pieces."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; only the key is of interest."""
        if name.lower() == b"authorization":
            self._key = value.removeprefix(b"Bearer ")

    def on_body(self, body: bytes) -> None:
        """The body; it may come in pieces."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """The request is whole: answer it, after those that came before."""
        path = self._path.partition(b"?")[0]
        self._waiting.append(Request(self._parser.get_method(), path, b"".join(self._body), self._key))
        self._next()

    def _next(self) -> None:
        while self._waiting and self._task is None:
            waiting = self._serve(self._waiting.popleft(), self)
            if waiting is not None:
                self._task = asyncio.get_running_loop().create_task(self._wait(waiting))

    async def _wait(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        finally:
            self._task = None
        self._next()
