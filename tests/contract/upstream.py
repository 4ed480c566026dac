"""A real HTTP server on loopback: it answers with exactly the bytes that a test gives, and sees its client leave.

Below any web framework, because the tests are about what real upstreams do on the wire: frames cut anywhere,
connections that break off, headers and bodies that do not match.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson


@dataclass
class Request:
    """What was asked."""

    path: str
    headers: dict[str, str]
    body: dict


@dataclass
class Wire:
    """One request's connection, as the answering side has it."""

    request: Request
    transport: asyncio.Transport
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client has closed the connection."""

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.transport.write(piece)
            await asyncio.sleep(0)  # so that the pieces can be read one by one

    def cut(self) -> None:
        self.transport.abort()


Answer = Callable[[Wire], Awaitable[None]]


class Upstream:
    """Answers each request with the next of `answers`, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.wires: list[Wire] = []
        self.connections: list[Connection] = []
        self.arrived = asyncio.Event()
        """Set when a request is here."""
        self.port = 0
        self.url = ""
        self._answers: deque[Answer] = deque()

    def answers(self, *answers: Answer | bytes) -> None:
        self._answers = deque(item if callable(item) else sending(item) for item in answers)

    @property
    def asked(self) -> dict:
        """The body of the latest request."""
        return self.requests[-1].body

    def take(self, request: Request, transport: asyncio.Transport) -> tuple[Wire, Answer]:
        wire = Wire(request, transport)
        self.requests.append(request)
        self.wires.append(wire)
        self.arrived.set()
        return wire, self._answers.popleft() if len(self._answers) > 1 else self._answers[0]


class Connection(asyncio.Protocol):
    """A client's connection: requests come one after the other."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.received = b""
        self.wire: Wire | None = None
        self.answering: asyncio.Future[None] | None = None
        upstream.connections.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, rest = self.received.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.received = rest[length:]
        request = Request(first.split()[1], headers, orjson.loads(rest[:length]) if length else {})
        self.wire, answer = self.upstream.take(request, self.transport)
        self.answering = asyncio.ensure_future(answer(self.wire))

    def connection_lost(self, error: Exception | None) -> None:
        if self.wire is not None:
            self.wire.gone.set()


@asynccontextmanager
async def upstream(port: int = 0) -> AsyncIterator[Upstream]:
    """A running server; at the end nothing of it is left."""
    made = Upstream()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(made), "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}"
    try:
        yield made
    finally:
        server.close()
        for connection in made.connections:
            connection.transport.abort()
        answering = [connection.answering for connection in made.connections if connection.answering]
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)


def sending(*pieces: bytes) -> Answer:
    """An answer of these bytes."""

    async def answer(wire: Wire) -> None:
        await wire.send(*pieces)

    return answer


def sending_then_cut(*pieces: bytes) -> Answer:
    """An answer of these bytes, after which the connection breaks off."""

    async def answer(wire: Wire) -> None:
        await wire.send(*pieces)
        wire.cut()

    return answer


def sending_then_silent(*pieces: bytes) -> Answer:
    """An answer of these bytes and then nothing, until the client leaves."""

    async def answer(wire: Wire) -> None:
        await wire.send(*pieces)
        await wire.gone.wait()

    return answer


def response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> bytes:
    """A whole HTTP response; `body` is bytes, or becomes JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    fields = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def chunked(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(events: Iterable[bytes]) -> list[bytes]:
    """The pieces of a whole event stream, an event each."""
    return [STREAM_HEAD, *map(chunked, events), STREAM_END]
