"""The worker processes: started when first needed, used one task at a time, ended when they take too long.

A worker that is computing can't be stopped in any other way than by ending it, so that is what a time-out and a
cancelled caller do; the next task gets a new one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

MODULE = "mixture.providers.symbolic.worker"
START = 60.0
"""Seconds that a worker may take to start, on a machine that does much else."""
LINE = 2**20
"""Bytes of an answer at most."""


class WorkerLost(Exception):
    """The worker ended or could not be started: it took more memory or time than it may."""


@dataclass(frozen=True)
class Bounds:
    """What a task may take: seconds of wall-clock and processor time, mebibytes of memory, processes at once."""

    seconds: float = 5.0
    mebibytes: int = 1024
    processes: int = 2


class Workers:
    """The workers of one expert, a set for each event loop that uses it."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._sets: WeakKeyDictionary[asyncio.AbstractEventLoop, _Set] = WeakKeyDictionary()

    async def run(self, task: dict[str, Any]) -> dict[str, str]:
        """The outcome of `task`. Raises TimeoutError, and WorkerLost when its process ended."""
        return await self._here().run(task)

    async def warm(self) -> None:
        """Have a worker ready for the first task. Raises TimeoutError, and WorkerLost when none can be started."""
        await self._here().warm()

    def _here(self) -> _Set:
        loop = asyncio.get_running_loop()
        workers = self._sets.get(loop)
        if workers is None:
            workers = self._sets[loop] = _Set(self._bounds)
        return workers

    async def close(self) -> None:
        """End every worker; the next task starts new ones."""
        sets, self._sets = self._sets, WeakKeyDictionary()
        own = sets.pop(asyncio.get_running_loop(), None)
        for other in sets.values():
            other.kill()
        if own is not None:
            await own.close()


class _Set:
    """The workers of one event loop."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._free = asyncio.Semaphore(bounds.processes)
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def run(self, task: dict[str, Any]) -> dict[str, str]:
        async with self._free:
            if self._idle:
                with suppress(WorkerLost):  # it may have been ended while it was idle: a new one will tell
                    return await self._used(self._idle.pop(), task)
            return await self._used(await self._started(), task)

    async def warm(self) -> None:
        async with self._free:
            if not self._idle:
                self._idle.append(await self._started())

    async def _used(self, process: Process, task: dict[str, Any]) -> dict[str, str]:
        try:
            outcome = await self._asked(process, task)
        except BaseException:
            await asyncio.shield(self._end(process))
            raise
        if process in self._all:
            self._idle.append(process)
        return outcome

    async def close(self) -> None:
        for process in list(self._all):
            await self._end(process)

    def kill(self) -> None:
        """End all without waiting: their event loop may be gone."""
        for process in self._all:
            with suppress(ProcessLookupError, RuntimeError):
                process.kill()
        self._all.clear()
        self._idle.clear()

    async def _started(self) -> Process:
        limits = (str(self._bounds.mebibytes), str(int(self._bounds.seconds) + 1))
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, *limits),
                stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environment(), limit=LINE,
            )  # fmt: skip
        except OSError as error:
            raise WorkerLost(str(error.strerror)) from None
        self._all.add(process)
        try:
            async with asyncio.timeout(START):
                await _line(process)
        except BaseException:
            await asyncio.shield(self._end(process))
            raise
        return process

    async def _asked(self, process: Process, task: dict[str, Any]) -> dict[str, str]:
        async with asyncio.timeout(self._bounds.seconds):
            cast(asyncio.StreamWriter, process.stdin).write(json.dumps(task).encode() + b"\n")
            return await _line(process)

    async def _end(self, process: Process) -> None:
        self._all.discard(process)
        with suppress(ValueError):
            self._idle.remove(process)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _line(process: Process) -> dict[str, str]:
    line = await cast(asyncio.StreamReader, process.stdout).readline()
    if not line:
        raise WorkerLost("the process ended")
    found: dict[str, str] = json.loads(line)
    return found


def _environment() -> dict[str, str]:
    """What the worker needs to find its modules, and nothing that is secret."""
    package = str(Path(__file__).parents[3])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, *sys.path])), "PYTHONDONTWRITEBYTECODE": "1"}
