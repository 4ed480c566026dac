"""An event loop in which waiting takes no time: the clock jumps to whoever waits least.

Strategies with all their parallel and sequential calls, their timers and their limits, run as they would with models
that need seconds, and take as long as their own computing does. Work in threads is waited for, and counts nothing.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

POLL = 0.0005
"""Seconds of real time after which threads are looked after."""


class _Jumping(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Where a loop would wait, moves its clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.threads or timeout is None:
            return super().select(POLL if timeout is not None else None)
        self.now += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """See the module. `time` is in simulated seconds from 0."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Simulated seconds."""
        return self._jumping.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """As usual; meanwhile the clock stands still."""
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)

        def ended(done: object) -> None:
            self._jumping.threads -= 1

        future.add_done_callback(ended)
        return future


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """`asyncio.run` in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)
