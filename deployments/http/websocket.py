"""`/ws/chat`: several runs on one WebSocket, each with its events as they happen.

In: `{"type": "ask", "id", "model", "messages", ...}` (every field of a chat request) and `{"type": "cancel", "id"}`.
Out: `{"id", "type": "routed" | "awaited" | "planned" | "retrieved" | "proposed" | "scored" | "delta" | "answered" |
"error" | "cancelled", ...}`; `answered` has the `request_id` by which the answer can be judged. A message that can't be
understood is answered with an error and never closes the socket.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any
from urllib.parse import parse_qs

import orjson

from deployments.http.access_log import AccessLog, fields_of
from deployments.http.auth import Keys
from deployments.http.connection import ClientGone, Message, Receive, Send
from deployments.http.errors import as_mixture_error
from deployments.http.exchange import Exchange
from deployments.http.feedback import Feedback
from deployments.http.gate import Load
from deployments.http.metrics import counted
from mixture import Mixture
from mixture.api.errors import error_fields
from mixture.api.events import event_fields
from mixture.api.openai_chat import Asked, parse_chat
from mixture.api.parsing import check_size, shown
from mixture.config import ServerConfig
from mixture.errors import InvalidQuery, MixtureError, Overloaded, Unauthenticated
from mixture.types import Answered, Caller, Event

MOST_RUNS = 32
"""Runs at once on one socket."""
SUBPROTOCOL = "mixture"
KEY_PREFIX = "mixture-key."
"""A browser can't send headers with a WebSocket: it may offer the subprotocols `mixture` and `mixture-key.KEY`."""


class ChatSocket:
    """Answers WebSockets."""

    def __init__(
        self,
        mixture: Mixture,
        server: ServerConfig,
        keys: Keys,
        load: Load,
        log: AccessLog | None,
        feedback: Feedback,
    ) -> None:
        self._mixture = mixture
        self._server = server
        self._keys = keys
        self._load = load
        self._log = log
        self._feedback = feedback

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Serve one socket until its client leaves."""
        await receive()  # "websocket.connect"
        offered = exchange.scope.get("subprotocols") or []
        caller = self._caller(exchange, offered)
        if caller is None:
            raise Unauthenticated(
                "send one of this server's keys as `Authorization: Bearer KEY`, as `?key=KEY`, or as the subprotocol "
                f"{KEY_PREFIX}KEY"
            )
        exchange.trace.caller = caller
        exchange.status = 101
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
        conversation = _Conversation(self._mixture, self._server, self._load, self._log, self._feedback, exchange, send)
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await conversation.take(message)
        finally:
            await conversation.close()

    def _caller(self, exchange: Exchange, offered: list[str]) -> Caller | None:
        query = parse_qs(exchange.scope.get("query_string", b"").decode("latin-1"))
        sent = [*query.get("key", []), *(p.removeprefix(KEY_PREFIX) for p in offered if p.startswith(KEY_PREFIX))]
        if sent:
            return self._keys.opens(sent[0].encode("utf-8", "replace"))
        return self._keys.admits(exchange.headers, reads=False)


class _Conversation:
    """The runs on one socket."""

    def __init__(
        self,
        mixture: Mixture,
        server: ServerConfig,
        load: Load,
        log: AccessLog | None,
        feedback: Feedback,
        exchange: Exchange,
        send: Send,
    ) -> None:
        self._mixture = mixture
        self._server = server
        self._load = load
        self._log = log
        self._feedback = feedback
        self._exchange = exchange
        self._send = send
        self._runs: dict[str, asyncio.Task[None]] = {}

    async def take(self, message: Message) -> None:
        """Do what one message asks for; say so when that can't be done."""
        run_id: str | None = None
        try:
            fields = self._read(message)
            run_id = _id(fields.pop("id", None))
            kind = fields.pop("type", None)
            if kind == "ask":
                self._ask(run_id, fields)
            elif kind == "cancel":
                self._cancel(run_id)
            else:
                raise InvalidQuery(f"type: unknown type {shown(str(kind), 64)!r}; use 'ask' or 'cancel'", param="type")
        except MixtureError as error:
            await self._say(run_id, {"type": "error", "error": error_fields(error)})

    async def close(self) -> None:
        """Stop every run, and wait until each has let go."""
        runs = list(self._runs.values())
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    def _read(self, message: Message) -> dict[str, Any]:
        data = message.get("text") or message.get("bytes") or b""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        check_size(len(raw), self._server.max_body_bytes)
        try:
            fields = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise InvalidQuery(f"the message is not valid JSON: {error.msg}", code="invalid_json") from None
        if not isinstance(fields, dict):
            raise InvalidQuery("the message should be a JSON object", code="invalid_type")
        return fields

    def _ask(self, run_id: str, fields: dict[str, Any]) -> None:
        if run_id in self._runs:
            raise InvalidQuery(f"id: a run with the id {run_id!r} is still going on", param="id", code="duplicate_id")
        if len(self._runs) >= MOST_RUNS:
            raise Overloaded(f"{MOST_RUNS} runs are going on, the most that one socket may have")
        whole, most = self._exchange, self._server.max_messages
        name = f"{whole.id}/{run_id}"
        asked = parse_chat(orjson.dumps(fields), most, request_id=name, session=whole.session)
        run = asyncio.create_task(self._run(run_id, asked))
        self._runs[run_id] = run
        run.add_done_callback(lambda _: self._runs.pop(run_id, None))

    def _cancel(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        if run is None:
            raise InvalidQuery(f"id: no run with the id {run_id!r} is going on", param="id", code="unknown_id")
        run.cancel()

    async def _run(self, run_id: str, asked: Asked) -> None:
        exchange = self._part(asked)
        try:
            with self._load:
                await self._answer(run_id, asked, exchange)
            exchange.status = 200
            self._feedback.answered(exchange, asked)
        except asyncio.CancelledError:
            exchange.status, exchange.error = 499, "cancelled"
            with suppress(ClientGone):
                await self._say(run_id, {"type": "cancelled"})
            raise
        except ClientGone:
            exchange.status, exchange.error = 499, "client_gone"
        except Exception as caught:
            error = as_mixture_error(caught)
            exchange.status, exchange.error = error.status, error.code or error.type
            self._feedback.failed(exchange, asked, exchange.error)
            await self._say(run_id, {"type": "error", "error": error_fields(error)})
        finally:
            counted(exchange)
            if self._log is not None:
                self._log.add(fields_of(exchange))

    async def _answer(self, run_id: str, asked: Asked, exchange: Exchange) -> None:
        query, ticket = await self._mixture.admit(asked.query, asked.model, asked.wishes, exchange.trace)
        try:
            events = self._mixture.stream(query, asked.model, asked.wishes, trace=exchange.trace)
            async with aclosing(events):
                async for event in events:
                    exchange.told(event)
                    await self._say(run_id, _fields(event, asked, exchange))
        finally:
            ticket.close()

    def _part(self, asked: Asked) -> Exchange:
        """The run as a request of its own, for the log and for those who judge it."""
        whole = self._exchange
        part = Exchange(whole.scope, whole.path, whole.headers, asked.query.request_id or whole.id, whole.encode_error)
        part.model, part.stream, part.trace.caller = asked.model, True, whole.trace.caller
        if self._server.log_prompts:
            part.prompt = asked.query.text
        return part

    async def _say(self, run_id: str | None, fields: dict[str, Any]) -> None:
        try:
            await self._send({"type": "websocket.send", "text": orjson.dumps({"id": run_id, **fields}).decode()})
        except (OSError, RuntimeError):  # what servers raise when the socket is closed already
            raise ClientGone from None


def _fields(event: Event, asked: Asked, exchange: Exchange) -> dict[str, Any]:
    """An event as a message; the answer says under which name it can be judged."""
    fields = event_fields(event, expose=asked.wishes.expose_proposals)
    return {**fields, "request_id": exchange.id} if isinstance(event, Answered) else fields


def _id(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128 or not value.isprintable():
        raise InvalidQuery("id: should be a text of 1 to 128 printable characters", param="id")
    return value
