"""The gate that each request passes: it gets an id, shows its key, is counted, and leaves a line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from deployments.http.access_log import AccessLog, fields_of
from deployments.http.auth import Keys
from deployments.http.connection import ClientGone, Message, Receive, Send
from deployments.http.errors import as_mixture_error, send_error
from deployments.http.exchange import EXCHANGE, Exchange, Scope, request_id
from deployments.http.metrics import counted
from mixture.api.errors import anthropic_error, openai_error
from mixture.errors import MixtureError, Overloaded, Unauthenticated

OPEN = frozenset(("/health", "/livez", "/readyz"))
"""Paths that need no key."""
FOR_PEOPLE = frozenset(("/", "/docs"))
"""Paths that ask for the key themselves, with a page."""

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Endpoint = Callable[[Exchange, Receive, Send], Awaitable[None]]


@dataclass(slots=True)
class Load:
    """Requests being answered, and how many may be."""

    limit: int
    running: int = 0

    @property
    def share(self) -> float:
        """The share of the places that are taken."""
        return self.running / self.limit

    def __enter__(self) -> None:
        if self.running >= self.limit:
            raise Overloaded(f"{self.limit} requests are being answered, the most that this server takes at once")
        self.running += 1

    def __exit__(self, *_: object) -> None:
        self.running -= 1


@dataclass(frozen=True, slots=True)
class Gate:
    """An ASGI application in front of another. `endpoints` (path -> answer to POST) skip routing and middleware."""

    app: App
    endpoints: Mapping[str, Endpoint]
    socket: Endpoint
    keys: Keys
    load: Load
    log: AccessLog | None
    writes_ids: bool
    open: frozenset[str] = OPEN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or one WebSocket."""
        exchange = self._exchange(scope)
        try:
            if exchange.path not in self.open:
                self._admit(exchange)
            if scope["type"] == "websocket":
                await self._socket(exchange, receive, send)
            elif scope["method"] == "POST" and (endpoint := self.endpoints.get(exchange.path)):
                with self.load:
                    await endpoint(exchange, receive, send)
            else:
                await self._routed(exchange, receive, send)
        except ClientGone:
            exchange.status, exchange.error = 499, "client_gone"
        except asyncio.CancelledError:
            exchange.status, exchange.error = 499, "cancelled"
            raise
        except Exception as caught:
            error = as_mixture_error(caught)
            if exchange.status:
                raise  # the response has begun: only closing the connection can tell that it failed
            await send_error(exchange, error, _refusing(send) if scope["type"] == "websocket" else send)
        finally:
            counted(exchange)
            if self.log is not None and exchange.path not in OPEN:
                self.log.add(fields_of(exchange))

    def _exchange(self, scope: Scope) -> Exchange:
        path, root = scope["path"], scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :]
        headers = dict(scope["headers"])
        anthropic = path.startswith("/v1/messages") or b"anthropic-version" in headers
        shape = anthropic_error if anthropic else _openai_error
        return Exchange(scope, path, headers, request_id(headers), shape, writes_id=self.writes_ids)

    def _admit(self, exchange: Exchange) -> None:
        if exchange.scope["type"] == "websocket" or exchange.path in FOR_PEOPLE:
            return  # they have further ways to send a key, and check it themselves
        caller = self.keys.admits(exchange.headers, reads=exchange.method in ("GET", "HEAD"))
        if caller is None:
            raise Unauthenticated(
                "send one of this server's keys as `Authorization: Bearer KEY` or `x-api-key: KEY`; "
                "`mixture serve` prints it at its start"
            )
        exchange.trace.caller = caller

    async def _routed(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        exchange.scope[EXCHANGE] = exchange

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                if exchange.writes_id:
                    message["headers"] = [*message["headers"], (b"x-request-id", exchange.id.encode())]
            await send(message)

        await self.app(exchange.scope, receive, noting)

    async def _socket(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        if exchange.path == "/ws/chat":
            await self.socket(exchange, receive, send)
        else:
            await self.app(exchange.scope, receive, send)


def _refusing(send: Send) -> Send:
    """Sends a response in the place of accepting a WebSocket (ASGI's extension `websocket.http.response`)."""

    async def refuse(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return refuse


def _openai_error(error: MixtureError, request_id: str) -> bytes:
    return openai_error(error)
