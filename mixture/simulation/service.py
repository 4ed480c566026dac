"""The stand-in's paths, and the counts of what it has seen and sent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from mixture.errors import InvalidQuery, MixtureError, Unauthenticated, UnknownModel
from mixture.providers.scripted import Failure, Script
from mixture.simulation.answers import DONE, Reply, events, reply, whole
from mixture.simulation.connection import Connection, Request


@dataclass(slots=True)
class Stats:
    """What was seen and sent. Tests check a gateway's own counts against these."""

    connections: int = 0
    open_connections: int = 0
    requests: int = 0
    active: int = 0
    """Requests that are being answered now."""
    answered: int = 0
    streamed: int = 0
    failed: int = 0
    cancelled: int = 0
    """Requests whose client left before the end."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Tokens that were sent, also of answers that broke off. A prompt counts when its request comes, if that is not
    refused."""


class Service:
    """Answers requests as `script` says; `api_key`, when there is one, has to come with them."""

    def __init__(self, script: Script, models: tuple[str, ...] = ("stand-in",), api_key: str | None = None) -> None:
        self.stats = Stats()
        self._connections: set[Connection] = set()
        self._script = script
        self._key = None if api_key is None else api_key.encode()
        self._chance = random.Random(script.seed)
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "stand-in"} for name in models]
        self._models = orjson.dumps({"object": "list", "data": data})

    def opened(self, connection: Connection, is_open: bool) -> None:
        """A connection was opened or closed."""
        if is_open:
            self._connections.add(connection)
            self.stats.connections += 1
        else:
            self._connections.discard(connection)
        self.stats.open_connections = len(self._connections)

    def drop(self) -> None:
        """Break every connection off."""
        for connection in tuple(self._connections):
            connection.abort()

    def serve(self, request: Request, connection: Connection) -> Awaitable[None] | None:
        """Answer at once, or give back what answers in time."""
        try:
            return self._routed(request, connection)
        except MixtureError as error:
            _refuse(connection, error)
            return None

    def _routed(self, request: Request, connection: Connection) -> Awaitable[None] | None:
        if request.path == b"/stats":
            connection.send_json(200, orjson.dumps(asdict(self.stats)))
        elif request.path == b"/health":
            connection.send_json(200, b"{}")
        elif self._key is not None and request.key != self._key:
            raise Unauthenticated("wrong api key")
        elif request.path == b"/v1/models":
            connection.send_json(200, self._models)
        elif request.path == b"/v1/chat/completions" and request.method == b"POST":
            return self._chat(request, connection)
        else:
            raise UnknownModel("no such path", code="not_found")
        return None

    def _chat(self, request: Request, connection: Connection) -> Awaitable[None] | None:
        self.stats.requests += 1
        try:
            body = orjson.loads(request.body)
            answer = reply(body, self._script, self.stats.requests - 1)
        except (InvalidQuery, ValueError, KeyError, TypeError, AttributeError) as error:
            self.stats.failed += 1
            raise InvalidQuery(f"bad request: {error}") from None
        failure = self._script.failing(self.stats.requests, self._chance)
        if failure is None and not (body.get("stream") or self._script.delay or self._script.rate):
            self.stats.prompt_tokens += answer.prompt_tokens
            self._finish(answer, connection)  # nothing to wait for, so no task: the path of most load tests
            return None
        return self._answer(body, answer, failure, connection)

    async def _answer(self, body: Any, answer: Reply, failure: Failure | None, connection: Connection) -> None:
        self.stats.active += 1
        refused = failure is not None and not (failure.after and body.get("stream"))
        self.stats.prompt_tokens += 0 if refused else answer.prompt_tokens
        try:
            await asyncio.sleep(self._script.delay)
            if failure is not None and refused:
                self.stats.failed += 1
                _refuse(connection, failure.raised("stand-in"))
            elif body.get("stream"):
                await self._stream(body, answer, failure, connection)
            else:
                await asyncio.sleep(answer.tokens / self._script.rate if self._script.rate else 0.0)
                self._finish(answer, connection)
        except asyncio.CancelledError:
            self.stats.cancelled += 1
            raise
        finally:
            self.stats.active -= 1

    async def _stream(self, body: Any, answer: Reply, failure: Failure | None, connection: Connection) -> None:
        self.stats.streamed += 1
        connection.start_events()
        sent = 0
        options = body.get("stream_options") or {}
        wanted, counting = bool(options.get("include_usage")), bool(options.get("continuous_usage_stats"))
        async for tokens, event in self._paced(events(answer, self._script.chunk_tokens, wanted, counting)):
            connection.send_event(event)
            sent += tokens
            self.stats.completion_tokens += tokens
            if failure is not None and sent >= failure.after:
                self.stats.failed += 1
                connection.close()  # after the first token there is no other way to fail
                return
        connection.send_event(DONE)
        connection.end_events()
        self.stats.answered += 1

    async def _paced(self, written: Iterator[tuple[int, bytes]]) -> AsyncIterator[tuple[int, bytes]]:
        """The events at the script's rate, by the clock, so that lateness does not add up."""
        loop, rate = asyncio.get_running_loop(), self._script.rate
        due = loop.time()
        for tokens, event in written:
            if rate and tokens:
                due += tokens / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
            yield tokens, event

    def _finish(self, answer: Reply, connection: Connection) -> None:
        self.stats.answered += 1
        self.stats.completion_tokens += answer.tokens
        connection.send_json(200, whole(answer))


def _refuse(connection: Connection, error: MixtureError) -> None:
    wait = f"retry-after: {error.retry_after:g}\r\n" if error.retry_after is not None else ""
    body = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    connection.send_json(error.status, orjson.dumps({"error": body}), wait.encode())
