"""Every attempt noted with its usage and its cost, however it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from mixture.envelope import Hold, granted
from mixture.errors import Declined, ExpertTimeout, ExpertUnavailable, MixtureError, StreamBroken
from mixture.metering import Held, Meter, adjusted, current, record
from mixture.streams import chunks
from mixture.tokenizing import tokenizer
from mixture.types import Adjusted, Call, Chunk, Expert, ExpertCard, Outcome, Query, Usage
from mixture.wrappers.beginnings import Beginnings
from mixture.wrappers.pace import Pace
from mixture.wrappers.wrapper import Wrapper

logger = logging.getLogger("mixture.experts")


class Metered(Wrapper):
    """Records one `Call` an attempt through `mixture.metering`, also for one that failed or was cancelled.

    Usage that the upstream did not report is estimated and marked; of an attempt that did not come to its end what it
    reported last counts. An attempt that failed before its first chunk is
    taken to have cost nothing; one that was cancelled or ran out of time is taken to have read its prompt. An exception
    that is none of `mixture.errors` becomes ExpertUnavailable with the code `expert_fault`. Within an envelope the
    attempt is paid for in advance; raises BudgetExceeded, and makes no call, when it can't be. `pace` is what its
    answers have shown lately, `beginnings` how long they took to begin.
    """

    __slots__ = ("beginnings", "pace")

    def __init__(self, inner: Expert) -> None:
        super().__init__(inner)
        self.pace = Pace()
        self.beginnings = Beginnings()

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`."""
        card = query.persona or self.card
        query, booking = await _booked(card, query)
        attempt = _Attempt(time.perf_counter(), self.card.tokenizer)
        try:
            async with aclosing(chunks(self.inner, query)) as stream:
                async for chunk in stream:
                    attempt.add(chunk)
                    if chunk.says:
                        yield chunk if chunk.usage is None or chunk.finish_reason else replace(chunk, usage=None)
            attempt.outcome = "ok"
        except MixtureError as error:
            attempt.failed(error)
            raise
        except Exception as error:
            fault = self._fault(error, attempt)
            attempt.failed(fault)
            raise fault from None
        finally:
            call = attempt.call(card, query)
            booking.settle(call)
            self.pace.note(call)
            self._began(call, query)
            record(call)

    def _began(self, call: Call, query: Query) -> None:
        if call.ttft_ms is not None:
            self.beginnings.note(call.ttft_ms, streamed=query.stream, began=True)
        elif call.outcome in ("cancelled", "timeout"):
            self.beginnings.note(call.latency_ms, streamed=query.stream, began=False)

    def _fault(self, error: Exception, attempt: _Attempt) -> ExpertUnavailable:
        name = self.card.name
        logger.error("expert %s failed in a way that it should not", name, exc_info=error)
        kind = ExpertUnavailable if attempt.first is None else StreamBroken
        message = f"{name} failed ({type(error).__name__}); the server's log says how"
        return kind(message, code="expert_fault", expert=name)


@dataclass(slots=True)
class _Booking:
    """What was held back and noted for one attempt."""

    meter: Meter | None
    hold: Hold | None = None
    held: Held | None = None
    entry: Any = None

    def settle(self, call: Call | None) -> None:
        """The attempt has ended as `call`; None: it was not made."""
        cost = call.cost_usd if call is not None else 0.0
        if self.hold is not None:
            self.hold.settle(cost or 0.0)
        meter = self.meter
        if meter is None:
            return
        if call is not None and meter.purse is not None:
            cost = meter.purse.cost(call.usage, cost)
        if self.held is not None:
            self.held.settle(cost or 0.0)
        if call is not None and self.entry is not None and meter.recorder is not None:
            meter.recorder.end(self.entry, call, cost)


async def _booked(card: ExpertCard, query: Query) -> tuple[Query, _Booking]:
    """The query as it may be asked, and what was held back and noted for it. Raises Declined where its key may not use
    the expert, BudgetExceeded, and Overloaded when the ledger can't note it.
    """
    meter = current()
    if meter is not None and meter.experts is not None and card.name not in meter.experts:
        raise Declined(f"{card.name} is not among the models of this key", code="out_of_scope", expert=card.name)
    purse = meter.purse if meter is not None else None
    query, hold = _paid(card, query if purse is None else purse.capped(query))
    booking = _Booking(meter, hold)
    try:
        if purse is not None:
            booking.held = await purse.pay(card, query)
        if meter is not None and meter.recorder is not None:
            held = booking.held.usd if booking.held is not None else None
            booking.entry = meter.recorder.begin(card, query, meter, held)
    except BaseException:
        booking.settle(None)
        raise
    return query, booking


def _paid(card: ExpertCard, query: Query) -> tuple[Query, Hold | None]:
    """The query with the tokens that are paid for. Raises BudgetExceeded."""
    allowed, hold = granted(card, query)
    if allowed is not query:
        most = allowed.sampling.max_tokens
        adjusted(Adjusted("capped", f"the budget pays for {most} tokens of its answer", (card.name,)))
    return allowed, hold


@dataclass(slots=True)
class _Attempt:
    """One attempt while it goes on."""

    started: float
    tokenizer: str | None = None
    first: float | None = None
    usage: Usage | None = None
    pieces: list[str] = field(default_factory=list)
    outcome: Outcome = "cancelled"
    error: str | None = None

    def add(self, chunk: Chunk) -> None:
        if self.first is None and chunk.says:
            self.first = time.perf_counter()
        if chunk.usage is not None:
            self.usage = chunk.usage
        if chunk.text:
            self.pieces.append(chunk.text)
        for call in chunk.tool_calls:
            self.pieces += (call.name, call.arguments)

    def failed(self, error: MixtureError) -> None:
        self.error = error.code or type(error).__name__
        if isinstance(error, Declined):
            self.outcome = "declined"
        else:
            self.outcome = "timeout" if error.code == ExpertTimeout.default_code else "error"

    def call(self, card: ExpertCard, query: Query) -> Call:
        usage = self._usage(query)
        cost = 0.0 if usage == _NOTHING else card.price.cost(usage) if card.price else None
        now, first = time.perf_counter(), self.first
        ttft = None if first is None else (first - self.started) * 1e3
        took, derived = (now - self.started) * 1e3, card.price is not None and card.price.derived
        return Call(card.name, query.purpose, usage, cost, took, self.outcome, self.error, ttft, derived)

    def _usage(self, query: Query) -> Usage:
        if self.usage is not None:
            return self.usage
        if self.first is None and self.outcome in ("error", "declined"):
            return _NOTHING
        counting, most = tokenizer(self.tokenizer), query.sampling.max_tokens
        written = counting.count("".join(self.pieces))
        if most is not None:
            written = min(written, most * query.sampling.n)
        return Usage(counting.prompt(query), written, estimated=True)


_NOTHING = Usage()
