"""Whether the process that answers is still there. A machine that vanishes closes no connection: its silence is all
that there is to notice, and a replica that works says something each second (`deployments.expert.BEAT`).
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from mixture.wrappers.timed import Alarm

LATE = 1.0
"""A timer that comes so many seconds late says that this process did not run: what has come is to be read first."""


class Heartbeat(Alarm):
    """Interrupts a task that waits when nothing is heard. `TimeoutError` says so."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        super().__init__()
        self._due = math.inf

    def set(self, seconds: float | None) -> None:
        """Ring in `seconds`; None: not at all."""
        self._due = math.inf if seconds is None else asyncio.get_running_loop().time() + seconds
        super().set(seconds)

    def _ring(self) -> None:
        if asyncio.get_running_loop().time() > self._due + LATE:
            self.set(LATE)
        else:
            super()._ring()


async def heard(response: Any, heart: Heartbeat, seconds: float) -> Any:
    """The next item of an asynchronous iterator, None at its end. Raises TimeoutError when nothing comes for `seconds`;
    time in which nobody waits is no silence.
    """
    heart.set(seconds)
    try:
        with heart:
            return await anext(response, None)
    finally:
        heart.set(None)
