"""One request while it is answered: what the answer's headers and the log line are made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from mixture.api.ids import new_id
from mixture.errors import MixtureError
from mixture.trace import Trace
from mixture.types import Answered, Completion, Event, Report

Scope = MutableMapping[str, Any]
HeaderList = list[tuple[bytes, bytes]]
_SANE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/")
_LONGEST_ID = 128
EXCHANGE = "mixture.exchange"
"""Where the exchange is in the ASGI scope."""


@dataclass(slots=True)
class Exchange:
    """What is known of a request. `body` is kept only when the log shows prompts."""

    scope: Scope
    path: str
    headers: Mapping[bytes, bytes]
    id: str
    encode_error: Callable[[MixtureError, str], bytes]
    trace: Trace = field(default_factory=Trace)
    started: float = field(default_factory=time.perf_counter)
    model: str | None = None
    status: int = 0
    error: str | None = None
    stream: bool = False
    prompt: str | None = None
    answer: str | None = None
    report: Report | None = None
    completion: Completion | None = None
    writer: str | None = None
    """The expert whose answer it is, or several joined by "+"."""
    writes_id: bool = True
    limits: HeaderList = field(default_factory=list)
    """Headers that tell what is left of its key's limits."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        method: str = self.scope.get("method", "GET")
        return method

    @property
    def session(self) -> str | None:
        """What keeps a conversation with its expert, when the client says it: each key has its own conversations."""
        found = self.headers.get(b"x-session-id") or self.headers.get(b"x-conversation-id")
        return None if found is None else f"{self.trace.caller.id}/{found[:256].decode('latin-1')}"

    def told(self, event: Event) -> None:
        """Keep the report, and the answer if the prompt was kept."""
        if isinstance(event, Answered):
            self.report, self.completion = event.report, event.completion
            self.writer = event.completion.expert
            if self.prompt is not None:
                self.answer = event.completion.text

    def response_headers(self, content_type: bytes) -> HeaderList:
        """The headers that every answer has."""
        headers: HeaderList = [(b"content-type", content_type), *self.limits]
        if self.writes_id:
            headers.append((b"x-request-id", self.id.encode()))
        return headers


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The client's `x-request-id` when it is short and harmless, else a new one."""
    sent = headers.get(b"x-request-id")
    if sent and len(sent) <= _LONGEST_ID and _SANE.issuperset(sent):
        return sent.decode()
    return new_id("req_")


def report_headers(report: Report, trace: Trace) -> HeaderList:
    """What was done, in headers; the cost only when all of it is known."""
    recalled = () if report.recalled is None else report.recalled.experts
    experts = ",".join(dict.fromkeys((*recalled, *(call.expert for call in report.calls))))
    headers = [
        (b"x-mixture-strategy", report.strategy_executed.encode()),
        (b"x-mixture-experts", experts.encode("latin-1", "replace")),
        (b"x-mixture-cache", trace.cache.encode()),
        (b"x-mixture-overhead-ms", b"%.3f" % trace.overhead_ms),
    ]
    if report.cost_complete:
        headers.append((b"x-mixture-cost-usd", b"%.10g" % report.cost_usd))
    return headers
