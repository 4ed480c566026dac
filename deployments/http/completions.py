"""`POST /v1/chat/completions` and `POST /v1/messages`: one endpoint in two protocols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from deployments.http.connection import Receive, Send, Watch, read_body
from deployments.http.errors import send_bytes
from deployments.http.exchange import Exchange, report_headers
from deployments.http.feedback import Feedback
from deployments.http.limits import limit_headers
from deployments.http.replays import Replay, Replays, digest_of
from deployments.http.sse import Writer, send_stream
from mixture import Mixture
from mixture.api.anthropic_answers import MessageStream, encode_message
from mixture.api.anthropic_messages import parse_messages
from mixture.api.openai_answers import ChatStream, encode_chat
from mixture.api.openai_chat import Asked, parse_chat
from mixture.config import ServerConfig
from mixture.errors import MixtureError
from mixture.trace import Trace
from mixture.types import Answered, Completion, Report


class Parse(Protocol):
    """How a protocol reads a request."""

    def __call__(self, body: bytes, max_messages: int, *, request_id: str | None, session: str | None) -> Asked:
        """The request in `body`."""
        ...


class Encode(Protocol):
    """How a protocol writes a whole answer."""

    def __call__(self, model: str, completion: Completion, report: Report, trace: Trace, *, expose: bool) -> bytes:
        """The answer's JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Wire:
    """A protocol's name and its three parts."""

    name: bytes
    parse: Parse
    encode: Encode
    writer: Callable[[Asked, Trace], Writer]


def _chat_stream(asked: Asked, trace: Trace) -> Writer:
    return ChatStream(
        asked.model,
        trace,
        n=asked.query.sampling.n,
        include_usage=asked.include_usage,
        expose=asked.wishes.expose_proposals,
    )


def _message_stream(asked: Asked, trace: Trace) -> Writer:
    return MessageStream(asked.model, trace, expose=asked.wishes.expose_proposals)


OPENAI = Wire(b"openai", parse_chat, encode_chat, _chat_stream)
ANTHROPIC = Wire(b"anthropic", parse_messages, encode_message, _message_stream)


class Completions:
    """Answers requests in one protocol."""

    def __init__(self, mixture: Mixture, server: ServerConfig, wire: Wire, feedback: Feedback | None = None) -> None:
        self._mixture = mixture
        self._server = server
        self._wire = wire
        self._feedback = feedback
        judged = feedback is not None and feedback.takes_notes
        self._replays = None if server.log_prompts else Replays(mixture.cache, remembers=judged)

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Answer one request. Raises MixtureError while nothing has been sent, ClientGone when nobody listens."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        replays, digest = self._replays, b""
        if replays is not None and self._mixture.unlimited(exchange.trace.caller):
            caller = exchange.trace.caller
            digest = digest_of(caller.id, self._wire.name, self._mixture.moment(caller), body)
            replay = replays.find(digest)
            if replay is not None:
                await self._replay(exchange, replay, send)
                return
        most = self._server.max_messages
        asked = self._wire.parse(body, most, request_id=exchange.id, session=exchange.session)
        exchange.model = asked.model
        if self._server.log_prompts:
            exchange.prompt = asked.query.text
        try:
            with Watch(receive):
                await self._answered(exchange, asked, digest, send)
        except MixtureError as error:
            self._told(exchange, asked, error.code or error.type)
            raise
        self._told(exchange, asked, exchange.error)

    async def _answered(self, exchange: Exchange, asked: Asked, digest: bytes, send: Send) -> None:
        """Answer within what the key's limits let it take."""
        try:
            query, ticket = await self._mixture.admit(asked.query, asked.model, asked.wishes, exchange.trace)
        finally:
            exchange.limits = limit_headers(exchange, self._mixture)
        try:
            asked = asked if query is asked.query else replace(asked, query=query)
            if query.stream:
                await self._stream(exchange, asked, send)
            else:
                await self._whole(exchange, asked, digest, send)
        finally:
            ticket.close()

    def _told(self, exchange: Exchange, asked: Asked, error: str | None) -> None:
        """Tell the desk what became of the request; a stream may fail in the middle and end like any other."""
        if self._feedback is None:
            return
        if error is None:
            self._feedback.answered(exchange, asked)
        else:
            self._feedback.failed(exchange, asked, error)

    async def _whole(self, exchange: Exchange, asked: Asked, digest: bytes, send: Send) -> None:
        trace = exchange.trace
        request = self._mixture.request(asked.query, asked.model, asked.wishes, trace=trace)
        answer = await request.answer()
        expose = asked.wishes.expose_proposals
        body = self._wire.encode(asked.model, answer.completion, answer.report, trace, expose=expose)
        exchange.told(Answered(answer.completion, answer.report))
        recalled = answer.report.recalled
        if (
            self._replays is not None
            and digest
            and request.ask is not None
            and recalled is not None
            and recalled.kind == "exact"
        ):
            self._replays.learn(digest, body, request.ask, asked, answer.report)
        exchange.status = 200
        headers = exchange.response_headers(b"application/json")
        headers += report_headers(answer.report, trace)
        await send_bytes(headers, 200, body, send)

    async def _replay(self, exchange: Exchange, replay: Replay, send: Send) -> None:
        """Send an answer that was given before, without a look into the request."""
        trace, report = exchange.trace, replay.report
        exchange.model, exchange.report, exchange.status = replay.model, report, 200
        trace.requested, trace.executed, trace.route, trace.cache = replay.model, report.strategy_executed, None, "hit"
        self._mixture.cache.counts.add(replay.ask.owner, "exact", "hit")
        headers = exchange.response_headers(b"application/json") + report_headers(report, trace)
        await send_bytes(headers, 200, replay.template.render(replay.age_s, trace.elapsed_ms), send)
        if self._feedback is not None and replay.asked is not None:
            self._feedback.answered(exchange, replay.asked)

    async def _stream(self, exchange: Exchange, asked: Asked, send: Send) -> None:
        exchange.stream = True
        # What is wrong with the request is raised here, while it can still be an HTTP error.
        request = self._mixture.request(asked.query, asked.model, asked.wishes, trace=exchange.trace, stream=True)
        await request.look_up()
        writer = self._wire.writer(asked, exchange.trace)
        await send_stream(exchange, request.events(), writer, send, self._server.keepalive)
