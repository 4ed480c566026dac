"""Exact arithmetic, algebra, calculus and units, from a question in words.

A question is read here, by a grammar of our own (`reading.py`): what is not ours is declined at once. What is read is
computed with SymPy in another process (`worker.py`), bounded in time and memory. No text is ever evaluated as code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mixture.config import ConfigError, ExpertConfig
from mixture.errors import Declined, ExpertUnavailable
from mixture.providers import Context
from mixture.providers.symbolic.reading import read
from mixture.providers.symbolic.refusals import TooLarge
from mixture.providers.symbolic.tasks import Task
from mixture.providers.symbolic.workers import Bounds, WorkerLost, Workers
from mixture.types import Chunk, ExpertCard, Price, Query, Usage

SKILLS = ("calculation", "arithmetic", "algebra", "calculus", "units")
"""Not mathematics as a whole: a proof or a word problem is for a model."""


class Options(BaseModel):
    """The `options` of a symbolic expert."""

    model_config = ConfigDict(extra="forbid")

    timeout: Annotated[float, Field(gt=0, le=60)] = Bounds.seconds
    """Seconds for one computation."""
    memory_mib: Annotated[int, Field(ge=512, le=16_384)] = Bounds.mebibytes
    """Address space of one worker process."""
    processes: Annotated[int, Field(ge=1, le=64)] = Bounds.processes
    """Computations at once."""


def make(config: ExpertConfig, context: Context) -> Symbolic:
    """Compute exactly: arithmetic, equations, derivatives, integrals, limits, sums, units. Raises ConfigError."""
    try:
        options = Options.model_validate(config.options)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(("experts", config.name, "options", *map(str, fault["loc"])))
        raise ConfigError(f"{where}: {fault['msg']}", param=where) from None
    card = ExpertCard(
        name=config.name,
        provider="symbolic",
        model=config.model or "sympy",
        description=config.description or "computes exactly: arithmetic, algebra, calculus and units",
        skills=config.skills if config.skills is not None else SKILLS,
        price=Price(0, 0),
        abilities=frozenset({"seed", "stop"}),
        location="embedded",
    )
    return Symbolic(card, Workers(Bounds(options.timeout, options.memory_mib, options.processes)))


class Symbolic:
    """An expert that computes. The same question always has the same answer, so a seed is honoured by nature."""

    def __init__(self, card: ExpertCard, workers: Workers) -> None:
        self._card = card
        self._workers = workers

    @property
    def card(self) -> ExpertCard:
        """What is known of this expert."""
        return self._card

    async def stream(self, query: Query) -> AsyncIterator[Chunk]:
        """One chunk: how the question was read, and its value. Raises Declined when it is not a question for us, or
        one that would take too much; ExpertUnavailable when no process can be started.
        """
        task = self._read(query)
        outcome = await self._computed(task)
        if "answer" not in outcome:
            raise self._declined(outcome)
        text = _joined(task.reading, outcome["answer"])
        for stop in query.sampling.stop:
            text = text.partition(stop)[0]
        prompt = sum(len(message.text) for message in query.messages)
        usage = Usage(_tokens(prompt), _tokens(len(text)), estimated=True)
        yield Chunk(text, usage=usage, finish_reason="stop")

    async def warm(self) -> None:
        """Start a worker process now: loading SymPy takes a second or two."""
        with suppress(WorkerLost, TimeoutError):  # whoever asks first will be told
            await self._workers.warm()

    async def close(self) -> None:
        """End the worker processes; the expert can be used again."""
        await self._workers.close()

    def _read(self, query: Query) -> Task:
        try:
            # an answer from a tool, or of an assistant, is a conversation and no question
            task = read(query.text) if query.messages and query.messages[-1].role == "user" else None
        except TooLarge as refused:
            raise self._declined({"large": str(refused)}) from None
        if task is None:
            raise Declined("this is no calculation that can be read with certainty", expert=self._card.name)
        return task

    async def _computed(self, task: Task) -> dict[str, str]:
        try:
            return await self._workers.run(task.wire())
        except TimeoutError:
            return {"large": "the computation takes longer than is allowed"}
        except WorkerLost as lost:
            if str(lost) == "the process ended":
                return {"large": "the computation needs more time or memory than is allowed"}
            raise ExpertUnavailable("the process that computes can't be started", expert=self._card.name) from None

    def _declined(self, outcome: dict[str, str]) -> Declined:
        if "large" in outcome:
            return Declined(f"not computed: {outcome['large']}", code="too_large", expert=self._card.name)
        return Declined(f"not computed: {outcome['declined']}", expert=self._card.name)


def _joined(reading: str, answer: str) -> str:
    return f"{reading}{answer}" if answer.startswith(":") else f"{reading} {answer}"


def _tokens(characters: int) -> int:
    """An estimate: a token of English is about four characters."""
    return (characters + 3) // 4
