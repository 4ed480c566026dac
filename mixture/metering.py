"""Who was called for a request, and what it cost: noted where the call is made, read where the answer is given.

The calls of one request are found through a context variable and not through an argument, because the wrapper that
sees each attempt sits below the strategy that made it, and tasks that a strategy starts inherit the variable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from mixture.counters import count
from mixture.envelope import Envelope
from mixture.types import LOCAL, Adjusted, Call, Caller, Emit, Event, ExpertCard, Passage, Query, Usage

Span = tuple[float, float]
"""When a call began and ended, in seconds of `time.perf_counter`."""


class Recording(Protocol):
    """Who enters calls into the ledger; see `mixture.ledger.recorder`."""

    def begin(self, card: ExpertCard, query: Query, meter: Meter, held: float | None, /) -> Any:
        """Note a call that is about to be made, for which `held` US dollars were set aside."""
        ...

    def end(self, begun: Any, call: Call, cost_usd: float | None, /) -> None:
        """Note how it ended."""
        ...


class Held(Protocol):
    """Money held back for one call; see `mixture.ledger.purse`."""

    usd: float

    def settle(self, spent: float, /) -> None:
        """The call has ended."""
        ...


class Paying(Protocol):
    """Who pays for the calls of a request out of its key's budget; see `mixture.ledger.purse`."""

    def capped(self, query: Query, /) -> Query:
        """`query` with a maximum of tokens."""
        ...

    async def pay(self, card: ExpertCard, query: Query, /) -> Held:
        """Hold back the most that the call may cost. Raises BudgetExceeded."""
        ...

    def cost(self, usage: Usage, known: float | None, /) -> float | None:
        """What a call cost the key."""
        ...


@dataclass(slots=True)
class Meter:
    """What one request took: its calls in the order in which they ended, when each was under way, what was changed of
    how it was to be answered, its envelope, where it has one, whose it is, and who is told of what happens meanwhile.
    `experts` are the only ones that may be asked for it, None meaning all; `executed` is the strategy that runs;
    `material` are the passages that it draws on.
    """

    calls: list[Call] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    adjustments: list[Adjusted] = field(default_factory=list)
    envelope: Envelope | None = None
    caller: Caller = LOCAL
    emit: Emit | None = None
    experts: frozenset[str] | None = None
    recorder: Recording | None = None
    purse: Paying | None = None
    attempts: int = 0
    executed: str = ""
    material: tuple[Passage, ...] = ()


_meter: ContextVar[Meter | None] = ContextVar("mixture_meter", default=None)


@contextmanager
def metered(into: Meter | list[Call]) -> Iterator[None]:
    """Note what is done inside in `into`: a meter, or a list of calls."""
    token = _meter.set(into if isinstance(into, Meter) else Meter(into))
    try:
        yield
    finally:
        _meter.reset(token)


def current() -> Meter | None:
    """The meter of the request that is being answered."""
    return _meter.get()


def caller() -> Caller:
    """Whose request is being answered; outside of one it is whoever runs this process."""
    meter = _meter.get()
    return LOCAL if meter is None else meter.caller


def material() -> tuple[Passage, ...]:
    """The passages that the request which is being answered draws on; outside of one there are none."""
    meter = _meter.get()
    return () if meter is None else meter.material


def draws_on(passages: tuple[Passage, ...]) -> None:
    """From now on no expert may be asked for the request that may not read each of `passages`, too."""
    meter = _meter.get()
    if meter is not None:
        meter.material += passages


def record(call: Call) -> None:
    """Count a call that has just ended, and note it for the request that is being answered, where there is one."""
    _counted(call)
    meter = _meter.get()
    if meter is not None:
        ended = time.perf_counter()
        meter.calls.append(call)
        meter.spans.append((ended - call.latency_ms / 1e3, ended))


def _counted(call: Call) -> None:
    expert, usage = call.expert, call.usage
    count("mixture_upstream_requests_total", expert=expert, outcome=call.outcome)
    for kind, tokens in (
        ("prompt", usage.prompt_tokens),
        ("completion", usage.completion_tokens),
        ("cached", usage.cached_tokens),
        ("reasoning", usage.reasoning_tokens),
    ):
        if tokens:
            count("mixture_tokens_total", tokens, expert=expert, kind=kind)
    if call.cost_usd is None:
        count("mixture_unpriced_total", expert=expert)
    elif call.cost_usd:
        count("mixture_cost_usd_total", call.cost_usd, expert=expert)


def adjusted(what: Adjusted) -> None:
    """Note what was changed below the strategy, where there is nobody to tell it to; once if it is the same again."""
    meter = _meter.get()
    if meter is not None and what not in meter.adjustments:
        meter.adjustments.append(what)


async def tell(event: Event) -> None:
    """Tell the client of the request what happens below its strategy; outside of a request nobody listens."""
    meter = _meter.get()
    if meter is not None and meter.emit is not None:
        await meter.emit(event)


def attach(envelope: Envelope | None) -> None:
    """Let the request's report show `envelope`; the outermost one counts."""
    meter = _meter.get()
    if meter is not None and meter.envelope is None:
        meter.envelope = envelope


def covered(spans: list[Span]) -> float:
    """Seconds in which at least one of the calls was under way."""
    total, until = 0.0, float("-inf")
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
