"""How often what an engine writes is sent on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from deployments.expert import WINDOW
from mixture.types import EngineLoad

PIECES_PER_S = 250
LONGEST_WINDOW = 0.1
"""A piece of an answer costs the same on its way to the client whether it holds one token or ten, so a replica sends at
most so many a second, of all its answers together; each still gets one every so many seconds."""


def window(load: EngineLoad) -> float:
    """Seconds between two pieces of an answer, by the number of answers at work."""
    return min(max(WINDOW, load.running / PIECES_PER_S), LONGEST_WINDOW)


async def gathered(outputs: AsyncIterator[Any], between: Callable[[], float]) -> AsyncGenerator[Any, None]:
    """A request's outputs (vLLM's, of new tokens each), put together where they come faster than `between` seconds: the
    first text as it comes, the last without waiting. Nothing behind it looks at single tokens. What came before an
    error is given before it is raised.
    """
    held, due = None, 0.0
    try:
        async for output in outputs:
            if held is None:
                held = output
            else:
                held.add(output, aggregate=True)
            now = time.monotonic()
            if held.finished or now >= due:
                if any(piece.text for piece in held.outputs):  # a token alone may be no text yet
                    due = now + between()
                ready, held = held, None
                yield ready
    except Exception:
        if held is not None:
            yield held
        raise
