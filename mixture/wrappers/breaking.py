"""The circuit breaker: an expert that keeps failing is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Literal

from mixture.errors import ExpertUnavailable
from mixture.streams import chunks
from mixture.types import Chunk, Expert, Query
from mixture.wrappers.wrapper import Wrapper

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Counts failures in a row. After `allowed_fails` it is open for `cooldown_time` seconds; then it is half open: one
    call may try, and its end decides.
    """

    __slots__ = ("_allowed", "_clock", "_cooldown", "_fails", "_opened", "_probing")

    def __init__(self, allowed_fails: int, cooldown_time: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed = allowed_fails
        self._cooldown = cooldown_time
        self._clock = clock
        self._fails = 0
        self._opened: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Closed: calls pass. Open: none does. Half open: a single one does."""
        if self._opened is None:
            return "closed"
        return "open" if self.retry_after > 0 else "half_open"

    @property
    def retry_after(self) -> float:
        """Seconds until it is half open; 0 when it is not open."""
        return 0.0 if self._opened is None else max(0.0, self._opened + self._cooldown - self._clock())

    def enter(self) -> bool:
        """Whether a call may pass. One that may tells the breaker how it went, or leaves."""
        if self._opened is None:
            return True
        if self._probing or self.retry_after > 0:
            return False
        self._probing = True
        return True

    def begun(self) -> None:
        """An answer has begun: enough for others to pass again, not enough to forget the failures before."""
        if self._opened is not None:
            self._opened = None
            self._probing = False
            self._fails = self._allowed - 1

    def succeeded(self) -> None:
        """A call went well."""
        self._fails = 0
        self._opened = None
        self._probing = False

    def failed(self) -> None:
        """A call failed in a way that says something of the expert."""
        self._fails += 1
        self._probing = False
        if self._fails >= self._allowed:
            self._opened = self._clock()

    def left(self) -> None:
        """A call ended without telling anything: cancelled, declined, or refused for what it asked."""
        self._probing = False


class Breaking(Wrapper):
    """Refuses calls at once while its breaker is open: ExpertUnavailable, code `cooling_down`, with `retry_after`."""

    __slots__ = ("breaker",)

    def __init__(self, inner: Expert, breaker: Breaker) -> None:
        super().__init__(inner)
        self.breaker = breaker

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`."""
        breaker = self.breaker
        if not breaker.enter():
            raise self._refusal()
        ended = breaker.left
        try:
            async with aclosing(chunks(self.inner, query)) as stream:
                async for chunk in stream:
                    breaker.begun()
                    yield chunk
            ended = breaker.succeeded
        except ExpertUnavailable as error:
            if _tells(error):
                ended = breaker.failed
            raise
        finally:
            ended()

    def _refusal(self) -> ExpertUnavailable:
        name, seconds = self.card.name, self.breaker.retry_after
        message = f"{name} failed too often and is left alone for a while"
        return ExpertUnavailable(message, code="cooling_down", retry_after=seconds, expert=name)


def _tells(error: ExpertUnavailable) -> bool:
    """Whether the error says that the expert is in a bad state; having no place free here does not."""
    return error.telling and error.code != "expert_busy"
