"""One writer at a time for a collection in a folder, whichever process it is in."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def locked(file: Path | None) -> AsyncGenerator[None, None]:
    """Inside it nobody else holds the lock `file`, which the system frees when its holder dies. None (a bucket, which
    has no locks): nothing is held. Raises OSError when the file can't be made.
    """
    if file is None:
        yield
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


async def _hold(descriptor: int) -> None:
    """Wait for the lock by asking again: a thread that waits in the system could not be called off."""
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.02)
