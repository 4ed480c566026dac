"""One expert after another, until one answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from mixture.config import Hedge
from mixture.dispatch.hedging import Contest, patience
from mixture.dispatch.outcomes import Failure, healable, no_answer, reason
from mixture.errors import Declined, MixtureError, StreamBroken
from mixture.metering import adjusted
from mixture.streams import relay
from mixture.types import Adjusted, Completion, Delta, Emit, Event, Panel, Query

Recall = Callable[[], bool]
"""Takes back what was emitted, and tells whether that was possible."""


async def first_answer(
    names: Iterable[str],
    query: Query,
    panel: Panel,
    emit: Emit,
    recall: Recall | None = None,
    hedge: Hedge | None = None,
) -> Completion:
    """The answer of the first expert that gives one, live. The next one is asked only while nothing has been sent, or
    when `recall` takes back what was emitted; with `hedge` also beside one that is slow to begin.

    Raises NoAnswer when all failed, BudgetExceeded when all were too dear, StreamBroken when one failed after its first
    token, InvalidQuery when the request is at fault.
    """
    failures: list[Failure] = []
    waiting = deque(names)
    while waiting:
        name = waiting.popleft()
        _told(name, failures)
        seconds = patience(name, query, panel, hedge) if waiting else None
        live = _Live(emit)
        try:
            if seconds is None:
                return await relay(panel.experts[name], query, live)
            contest = Contest(query, panel, live)
            completion = await contest.answer(name, seconds, waiting)
            if completion is not None:
                return completion
            failures += contest.failures
        except MixtureError as error:
            if live.sent and not (recall is not None and recall()):
                raise _broken(error, name) from None
            if not healable(error):
                raise
            failures.append((name, error))
    raise no_answer(failures, panel)


class _Live:
    """An `Emit` that remembers whether a part of the answer has passed."""

    __slots__ = ("_emit", "sent")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.sent = False

    async def __call__(self, event: Event) -> None:
        self.sent = self.sent or isinstance(event, Delta)
        await self._emit(event)


def _told(name: str, failures: list[Failure]) -> None:
    """Note who takes over from whom; one who declined had nothing to hand over."""
    if failures and not isinstance(failures[-1][1], Declined):
        before, error = failures[-1]
        adjusted(Adjusted("replaced", f"it takes over from {before} ({reason(error)})", (name,)))


def _broken(error: MixtureError, name: str) -> StreamBroken:
    return error if isinstance(error, StreamBroken) else StreamBroken(reason(error), expert=name)
