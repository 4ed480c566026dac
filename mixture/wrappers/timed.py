"""Time limits of one attempt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Any

from mixture.errors import ExpertTimeout, StreamBroken
from mixture.streams import chunks
from mixture.types import Chunk, Expert, Query
from mixture.wrappers.wrapper import Wrapper


class Timed(Wrapper):
    """Ends an attempt that has no first chunk after `first_token_timeout` seconds (of a streamed answer), or that is
    not done at the query's deadline: with ExpertTimeout before the first chunk, with StreamBroken after it.
    """

    __slots__ = ("_first",)

    def __init__(self, inner: Expert, first_token_timeout: float) -> None:
        super().__init__(inner)
        self._first = first_token_timeout

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`; raises ExpertTimeout or StreamBroken."""
        end = query.limits.deadline
        left = None if end is None else end - time.time()
        alarm, begun = Alarm(), False
        alarm.set(_least(left, self._first) if query.stream else left)
        try:
            async with aclosing(chunks(self.inner, query)) as stream:
                while True:
                    with alarm:
                        chunk = await anext(stream, None)
                    if chunk is None:
                        return
                    if not begun and chunk.says:
                        begun = True
                        if query.stream:
                            alarm.set(None if end is None else end - time.time())
                    yield chunk
        except TimeoutError:
            raise self._error(query, begun) from None
        finally:
            alarm.set(None)

    def _error(self, query: Query, begun: bool) -> ExpertTimeout | StreamBroken:
        name = self.card.name
        if begun:
            what = f"{name} did not end its answer in the time allowed"
            return StreamBroken(what, code=ExpertTimeout.default_code, expert=name)
        what = "did not begin its answer" if query.stream else "did not answer"
        return ExpertTimeout(f"{name} {what} in the time allowed", expert=name)


def _least(one: float | None, other: float) -> float:
    return other if one is None else min(one, other)


class Alarm:
    """Cancels the task that is inside it when its time comes, which then leaves with TimeoutError.

    `asyncio.timeout` must not be held open across a `yield` (PEP 789), and entering one for every chunk makes a timer
    for every chunk. This is one timer for the stream; entering it only notes which task waits.
    """

    __slots__ = ("_cancelling", "_rang", "_struck", "_task", "_timer")

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._rang = False
        self._struck = False
        self._cancelling = 0

    def set(self, seconds: float | None) -> None:
        """Ring in `seconds`; None: not at all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self._ring)

    def _ring(self) -> None:
        self._rang = True
        if self._task is not None:
            self._struck = True
            self._task.cancel()

    def __enter__(self) -> None:
        if self._rang:
            raise TimeoutError
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._struck and task is not None:
            self._struck = False
            if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error
