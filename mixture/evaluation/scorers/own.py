"""The user's own scorer: a Python function."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means

PATIENCE = 60.0
"""Seconds that the function may take for one answer."""


@dataclass(frozen=True, slots=True)
class Own:
    """Calls `function(answer, item)`, in a thread when it is not asynchronous."""

    function: Callable[[str, Item], Any]
    cheap: bool = False

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`. Raises what the function raises, TimeoutError, and TypeError for what is no score."""
        async with asyncio.timeout(PATIENCE):
            if inspect.iscoroutinefunction(self.function):
                said = await self.function(answer, item)
            else:
                said = await asyncio.to_thread(self.function, answer, item)
        return read(said)


def read(said: object) -> Score:
    """What a function returned: a number in 0..1, true or false, a `Score`, or None for no score. Raises TypeError and
    ValueError for anything else.
    """
    if said is None or isinstance(said, Score):
        return said or Score(None)
    if not isinstance(said, bool | int | float):
        raise TypeError(f"a scorer returns a number from 0 to 1, not {type(said).__name__}")
    if not 0 <= said <= 1:
        raise ValueError(f"a scorer returns a number from 0 to 1, not {said}")
    return Score(float(said))


def python(argument: str, means: Means) -> Own:
    """`MODULE:FUNCTION`; modules in the current folder are found too. Raises InvalidQuery."""
    module, _, name = argument.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidQuery(f"the scorer {argument!r} can't be imported: {error}", param="scorer") from None
    if not callable(function):
        raise InvalidQuery(f"the scorer {argument!r} is no function", param="scorer")
    return Own(function)
