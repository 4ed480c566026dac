"""One call of another process, and what becomes of its errors."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mixture.errors import MixtureError, Overloaded

logger = logging.getLogger("mixture.remote")


HANGING = 15.0
"""Seconds after which a process that gives no answer to what takes milliseconds is taken to be gone: a machine that
vanished closes no connection."""


async def called(what: str, call: Any, kind: type[MixtureError] = Overloaded, within: float | None = None) -> Any:
    """The result of a unary call. Raises `kind` when its process is not there, or does not answer `within` seconds."""
    try:
        async with asyncio.timeout(within):
            return await _result(what, call, kind)
    except TimeoutError:
        logger.warning("nothing was heard of the %s for %g s", what, within)
        raise kind(f"the {what} does not answer", retry_after=1.0) from None


async def _result(what: str, call: Any, kind: type[MixtureError]) -> Any:
    try:
        return await call
    except (Exception, asyncio.CancelledError) as error:
        if is_ours(error):
            call.cancel()  # nobody waits for it any more
            raise
        # What was raised there comes as it is over gRPC; elsewhere Ray puts an exception with a traceback around it.
        raised = getattr(error, "cause", None) or error
        if isinstance(raised, MixtureError):
            raise raised from None
        logger.warning("the %s failed: %s", what, type(error).__name__)
        raise kind(f"the {what} is not available at the moment", retry_after=1.0) from None


def is_ours(error: BaseException) -> bool:
    """Whether it is this task that is being cancelled. Ray raises CancelledError also when the replica's task was
    cancelled (it is shutting down, say), which must not look like our own.
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
