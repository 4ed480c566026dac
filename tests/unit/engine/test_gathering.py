"""How often what an engine writes is sent on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from deployments.engine.gathering import LONGEST_WINDOW, gathered, window
from deployments.expert import WINDOW
from mixture.types import EngineLoad


class Output:
    """As vLLM's: new text of one choice."""

    def __init__(self, text: str, *, finished: bool = False) -> None:
        self.outputs = [SimpleNamespace(text=text)]
        self.finished = finished

    def add(self, other: Output, aggregate: bool) -> None:
        assert aggregate
        self.finished |= other.finished
        self.outputs[0].text += other.outputs[0].text


async def outputs(*given: Any) -> AsyncGenerator[Any, None]:
    for one in given:
        if isinstance(one, Exception):
            raise one
        if isinstance(one, float):
            await asyncio.sleep(one)
        else:
            yield one


async def texts(*given: Any, between: float) -> list[str]:
    found = []
    async for output in gathered(outputs(*given), lambda: between):
        found.append(output.outputs[0].text)
    return found


async def test_the_first_text_comes_at_once_and_the_last_without_waiting() -> None:
    given = [Output(text) for text in ("", "a", "b", "c")]
    assert await texts(*given, Output("d", finished=True), between=100) == ["", "a", "bcd"]


async def test_what_comes_more_slowly_is_not_held_back() -> None:
    assert await texts(Output("a"), 0.03, Output("b"), Output("c", finished=True), between=0.01) == ["a", "b", "c"]


async def test_what_came_before_an_error_is_not_lost() -> None:
    found = []
    with pytest.raises(RuntimeError, match="broken"):
        async for output in gathered(outputs(Output("a"), Output("b"), RuntimeError("broken")), lambda: 100):
            found.append(output.outputs[0].text)
    assert found == ["a", "b"]


def test_many_answers_get_fewer_pieces_each() -> None:
    assert window(EngineLoad("r", places=16)) == WINDOW
    assert WINDOW < window(EngineLoad("r", places=16, running=16)) < LONGEST_WINDOW
    assert window(EngineLoad("r", places=999, running=999)) == LONGEST_WINDOW
