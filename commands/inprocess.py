"""Answering without a server: the same strategies in this process, in the wire's form."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixture.api.events import progress_fields
from mixture.api.parsing import Body, parse
from mixture.api.report import report_fields, usage_fields
from mixture.api.wishes import MixtureFields, wishes_of
from mixture.types import Answered, Delta, Event

if TYPE_CHECKING:
    from mixture import Mixture
    from mixture.models import Wishes


def chat(body: dict[str, Any], file: Path | None) -> Iterator[dict[str, Any]]:
    """The chunks of a streamed chat completion. Raises ConfigError and what `Mixture.stream` raises."""
    wishes, mixture = _wishes(body), _mixture(file)

    async def chunks() -> AsyncGenerator[dict[str, Any], None]:
        try:
            async with aclosing(mixture.stream(body["messages"], body["model"], wishes)) as events:
                async for event in events:
                    if chunk := _chunk(event):
                        yield chunk
        finally:
            await mixture.close()

    return _blocking(chunks())


async def estimate(body: dict[str, Any], file: Path | None) -> dict[str, Any]:
    """What would be done for a request. Raises ConfigError and what `Mixture.estimate` raises."""
    from mixture.api.estimates import estimate_fields

    wishes, mixture = _wishes(body), _mixture(file)
    try:
        return estimate_fields(await mixture.estimate(body["messages"], body["model"], wishes))
    finally:
        await mixture.close()


def _mixture(file: Path | None) -> Mixture:
    from commands.source import read, with_found
    from mixture import Mixture

    return Mixture.from_config(with_found(read(file, os.environ), os.environ).config)


class _Asked(Body):
    mixture: MixtureFields | None = None


def _wishes(body: dict[str, Any]) -> Wishes:
    """The wishes, checked as the server checks them. Raises InvalidQuery."""
    wished = {"mixture": body["mixture"]} if "mixture" in body else {}
    return wishes_of(parse(json.dumps(wished).encode(), _Asked).mixture)


def _chunk(event: Event) -> dict[str, Any] | None:
    if isinstance(event, Delta):
        return {"choices": [{"index": event.chunk.index, "delta": {"content": event.chunk.text}}]}
    if isinstance(event, Answered):
        return {"choices": [], "usage": usage_fields(event.report.usage), "mixture": report_fields(event.report)}
    progress = progress_fields(event, expose=False)
    return {"choices": [], "mixture": progress} if progress else None


def _blocking(chunks: AsyncGenerator[dict[str, Any], None]) -> Iterator[dict[str, Any]]:
    """`chunks` for code that is not asynchronous, in an event loop of their own."""
    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    yield runner.run(anext(chunks))
                except StopAsyncIteration:
                    return
        finally:
            runner.run(chunks.aclose())
