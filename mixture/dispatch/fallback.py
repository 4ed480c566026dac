"""One expert after another, until one answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mixture.dispatch.outcomes import Failure, healable, no_answer, reason
from mixture.errors import MixtureError, StreamBroken
from mixture.streams import relay
from mixture.types import Completion, Delta, Emit, Event, Panel, Query


async def first_answer(
    names: Iterable[str], query: Query, panel: Panel, emit: Emit, recall: Callable[[], bool] | None = None
) -> Completion:
    """The answer of the first expert that gives one, live. The next one is asked only while nothing has been sent;
    `recall` takes back what was emitted and tells whether that was possible (without it, it never is).

    Raises NoAnswer when all failed, StreamBroken when one failed after its first token, InvalidQuery when the request
    is at fault.
    """
    failures: list[Failure] = []
    for name in names:
        live = _Live(emit)
        try:
            return await relay(panel.experts[name], query, live)
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


def _broken(error: MixtureError, name: str) -> StreamBroken:
    return error if isinstance(error, StreamBroken) else StreamBroken(reason(error), expert=name)
