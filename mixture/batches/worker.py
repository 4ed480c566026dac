"""Answers the requests of batches beside live traffic, and takes up what was left when a process ended.

One process works on a batch at a time: it holds a lock that the system takes back when the process dies, and another
one goes on. An answer is written down before it counts, so that only what was under way at that moment is asked again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson

from mixture.batches.files import UnknownFile
from mixture.batches.register import Batch, Batches
from mixture.batches.requests import Request, check, requests
from mixture.config import BatchesConfig
from mixture.types import Caller

logger = logging.getLogger("mixture.batches")

Ask = Callable[[str, dict[str, Any], Caller], Awaitable[tuple[int, str, Any]]]
"""Answers one request: its endpoint, its body and whose it is; the status, the request's id, and the body."""
SWEEP = 3_600.0
"""Seconds between two looks for what is too old."""
PAUSE = 0.2
"""Seconds between two looks at whether there is room."""
TOLD = 1.0
"""Seconds after which it is written down how far a batch is."""
OK = 200
LATER = (429, 503)
"""Statuses that say: come back later (a key's pace, an expert's, too much to do)."""
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before a request that is to come back later is asked again."""


class Worker:
    """Works on batches one after another, the oldest first. `busy` is the share of the places for live requests that
    are taken.
    """

    def __init__(self, batches: Batches, config: BatchesConfig, ask: Ask, busy: Callable[[], float]) -> None:
        self._batches = batches
        self._config = config
        self._ask = ask
        self._busy = busy

    async def run(self) -> None:
        """Until cancelled."""
        swept = 0.0
        while True:
            if time.time() - swept > SWEEP:
                swept = time.time()
                await asyncio.to_thread(self._sweep)
            for batch in await asyncio.to_thread(self._open):
                await self._taken(batch)
            await asyncio.sleep(PAUSE)

    async def _taken(self, batch: Batch) -> None:
        """Work on a batch, unless another process does."""
        with _locked(self._batches.place(batch) / "lock") as mine:
            if not mine:
                return
            with suppress(FileNotFoundError):  # it was removed meanwhile
                await self._work(batch)

    async def _work(self, batch: Batch) -> None:
        try:
            path = self._batches.files.path(self._batches.files.find(batch.input_file_id, batch.owner))
        except UnknownFile as error:
            gone = {"code": "file_not_found", "message": error.message, "line": None, "param": "input_file_id"}
            self._batches.keep(batch.became("failed", errors=(gone,)))
            return
        if batch.status == "validating":
            batch = await asyncio.to_thread(self._checked, batch, path)
            if batch.over:
                return
        run = _Run(self, batch, path)
        await run.go()
        batch = run.batch.became("finalizing")
        self._batches.keep(batch)
        await asyncio.to_thread(self._finish, batch, run)

    def _checked(self, batch: Batch, path: Path) -> Batch:
        total, faults = check(path, batch.endpoint, self._config.max_requests)
        if faults:
            batch = batch.became("failed", errors=tuple(asdict(fault) for fault in faults))
        else:
            batch = batch.became("in_progress", total=total)
        self._batches.keep(batch)
        return batch

    def _finish(self, batch: Batch, run: _Run) -> None:
        """Hand out the two files."""
        made = {}
        for field, path in (("output_file_id", run.answers), ("error_file_id", run.failures)):
            if path.exists() and path.stat().st_size:
                incoming = self._batches.files.incoming()
                os.link(path, incoming)
                name = f"{batch.id}_{path.name}"
                made[field] = self._batches.files.add(incoming, batch.owner, name, "batch_output").id
        self._batches.keep(batch.became(run.ended, **made))

    def _open(self) -> list[Batch]:
        waiting = [batch for batch in self._batches.each() if not batch.over]
        return sorted(waiting, key=lambda batch: batch.times["validating"])

    def _sweep(self) -> None:
        before = time.time() - self._config.keep_days * 86_400
        self._batches.expire(before)
        self._batches.files.expire(before)

    def room(self, running: int) -> bool:
        """Whether one more request may be answered beside live traffic."""
        taken = self._busy()
        free = 1.0 if taken == 0 else max(0.0, 1.0 - taken / self._config.busy) if self._config.busy else 0.0
        places: int = math.ceil(self._config.concurrency * free)
        return running < places

    async def answer(self, batch: Batch, request: Request) -> tuple[bool, bytes]:
        """Whether a request was answered, and the line for the file."""
        try:
            status, request_id, body = await self._asked(batch, request)
            response = {"status_code": status, "request_id": request_id, "body": body}
        except Exception:
            logger.exception("a request of %s failed in a way that it should not", batch.id)
            return False, line(batch, request.custom_id, error=("internal_error", "see the server's log"))
        return status == OK, line(batch, request.custom_id, response=response)

    async def _asked(self, batch: Batch, request: Request) -> tuple[int, str, Any]:
        """What is said to a request; one that is told to come back later does, as long as there is patience."""
        for wait in WAITS:
            found = await self._ask(batch.endpoint, request.body, batch.asks())
            if found[0] not in LATER or self.cancelled(batch):
                return found
            await asyncio.sleep(wait)
        return await self._ask(batch.endpoint, request.body, batch.asks())

    def cancelled(self, batch: Batch) -> bool:
        """Whether somebody wants it to be stopped."""
        return self._batches.cancelled(batch)

    def place(self, batch: Batch) -> Path:
        """The batch's folder."""
        return self._batches.place(batch)

    def keep(self, batch: Batch) -> None:
        """Write down where it stands."""
        self._batches.keep(batch)


class _Run:
    """One batch while it is worked on."""

    def __init__(self, worker: Worker, batch: Batch, path: Path) -> None:
        self.batch, self._worker, self._path = batch, worker, path
        place = worker.place(batch)
        self.answers, self.failures = place / "output.jsonl", place / "error.jsonl"
        self.ended: Any = "completed"
        self._done = {**_read(self.answers, ok=True), **_read(self.failures, ok=False)}
        self._told = 0.0

    async def go(self) -> None:
        """Answer what is left; `ended` says how it ended."""
        self._stopped()
        waiting = (r for r in requests(self._path, self.batch.endpoint) if r.custom_id not in self._done)
        running: set[asyncio.Task[None]] = set()
        try:
            for request in waiting:
                await self._place(running)
                if self._stopped():
                    self._expire([request, *waiting] if self.ended == "expired" else [])
                    break
                running.add(task := asyncio.create_task(self._one(request)))
                task.add_done_callback(running.discard)
            while running:
                await asyncio.wait(running)
        finally:
            for task in running:
                task.cancel()
        self._tell(always=True)

    async def _place(self, running: set[asyncio.Task[None]]) -> None:
        """Wait until one more may run."""
        while not self._worker.room(len(running)) and not self._stopped():
            if running:
                await asyncio.wait(running, timeout=PAUSE, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(PAUSE)

    def _stopped(self) -> bool:
        if self._worker.cancelled(self.batch):
            self.ended = "cancelled"
        elif time.time() > self.batch.expires_at:
            self.ended = "expired"
        return bool(self.ended != "completed")

    def _expire(self, left: list[Request]) -> None:
        for request in left:
            words = "the time for the batch was over before it was asked"
            self._write(request.custom_id, False, line(self.batch, request.custom_id, error=("batch_expired", words)))

    async def _one(self, request: Request) -> None:
        ok, data = await self._worker.answer(self.batch, request)
        self._write(request.custom_id, ok, data)
        self._tell()

    def _write(self, custom_id: str, ok: bool, data: bytes) -> None:
        with (self.answers if ok else self.failures).open("ab") as file:
            file.write(data)
        self._done[custom_id] = ok

    def _tell(self, *, always: bool = False) -> None:
        if always or time.monotonic() - self._told > TOLD:
            self._told = time.monotonic()
            right = sum(self._done.values())
            self.batch = replace(self.batch, completed=right, failed=len(self._done) - right)
            self._worker.keep(self.batch)


def line(
    batch: Batch, custom_id: str, *, response: dict[str, Any] | None = None, error: tuple[str, str] | None = None
) -> bytes:
    """A line of an output or error file, in OpenAI's form."""
    told = None if error is None else {"code": error[0], "message": error[1]}
    row = {"id": f"{batch.id}_req_{custom_id}", "custom_id": custom_id, "response": response, "error": told}
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _read(path: Path, *, ok: bool) -> dict[str, bool]:
    """What a file has already; a last line that was cut off is removed from it."""
    if not path.exists():
        return {}
    found, whole = {}, 0
    with path.open("rb") as file:
        for row in file:
            if row.endswith(b"\n"):
                found[str(orjson.loads(row)["custom_id"])] = ok
                whole += len(row)
    os.truncate(path, whole)
    return found


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the lock is ours while inside."""
    try:
        file = path.open("w")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
