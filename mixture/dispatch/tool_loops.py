"""Loops of tool calls: the results go back to the expert that made the calls, whatever a strategy would choose."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from mixture.aggregation.calls import canonical_calls
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.order import suited
from mixture.dispatch.routes import cascaded
from mixture.metering import caller
from mixture.types import Completion, Emit, Message, Panel, Query, Route, Routed, Strategy, ToolCall

MOST = 10_000
"""Calls of which it is remembered who made them; the oldest are forgotten first."""
KEPT = 3600.0
"""Seconds for which a call is remembered."""


class ToolLoops:
    """Who made which call. A call is known by its id together with what it calls and for whom: servers exist that
    number their calls from zero in every answer.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._made: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def note(self, completion: Completion) -> None:
        """Remember who made the calls of `completion`."""
        for call in completion.tool_calls:
            key = _key(call)
            self._made[key] = (completion.expert, self._clock() + KEPT)
            self._made.move_to_end(key)
        while len(self._made) > self._most:
            self._made.popitem(last=False)

    def expert(self, query: Query) -> str | None:
        """Who made the calls whose results `query` brings; None when it brings none, or that is not known here."""
        for call in pending_calls(query.messages):
            made = self._made.get(_key(call))
            if made is not None and made[1] > self._clock():
                return made[0]
        return None


def pending_calls(messages: Sequence[Message]) -> tuple[ToolCall, ...]:
    """The calls that the messages behind the last one of the assistant answer; empty outside of a loop."""
    answered: set[str | None] = set()
    for message in reversed(messages):
        if message.role == "assistant":
            return tuple(call for call in message.tool_calls if call.id in answered)
        if message.role == "tool":
            answered.add(message.tool_call_id)
    return ()


def staying(name: str) -> Strategy:
    """Asks `name`, which made the calls, and others only when it fails before its first token."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        names = (name, *_others(name, cascaded(suited(panel, query), query, panel, None)))
        await emit(Routed(Route(names, f"the tool loop stays with {name}, which made the call")))
        return await first_answer(names, query, panel, emit)

    return run


def _others(name: str, names: Iterable[str]) -> Iterable[str]:
    return (other for other in names if other != name)


def _key(call: ToolCall) -> str:
    return json.dumps([caller().id, call.id, canonical_calls([call])])
