"""The arms of an evaluation: what is compared on the same questions."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mixture.errors import InvalidQuery, MixtureError
from mixture.evaluation.attempts import Answerer, Attempt, Clock, attempted
from mixture.mixture import Mixture
from mixture.models import NO_WISHES
from mixture.trace import Trace
from mixture.types import Message, Query

if TYPE_CHECKING:
    from mixture.config import Config

_SPEC = re.compile(r"^(?:(?P<name>[^=]+)=)?(?:(?P<file>.+\.ya?ml):)?(?P<model>[^=]+)$")


@dataclass(frozen=True, slots=True)
class Arm:
    """A model under the `name` that results have; `file` is a configuration of its own, None the one of all."""

    name: str
    model: str
    file: str | None = None


def arm_of(spec: str) -> Arm:
    """An arm from `MODEL`, `FILE:MODEL`, or either behind `NAME=`. Raises InvalidQuery."""
    match = _SPEC.match(spec.strip())
    if match is None:
        raise InvalidQuery(f"{spec!r} is no arm: MODEL, FILE.yaml:MODEL or NAME=... is expected", param="arm")
    file, model = match["file"], match["model"].strip()
    name = match["name"] or (model if file is None else f"{Path(file).stem}:{model}")
    return Arm(name.strip(), model, file)


def arms_of(specs: Iterable[str]) -> tuple[Arm, ...]:
    """Several arms. Raises InvalidQuery when there is none, or two have one name."""
    arms = tuple(arm_of(spec) for spec in specs)
    names = [arm.name for arm in arms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not arms or twice is not None:
        fault = "name at least one arm" if not arms else f"two arms are called {twice!r}: give one a NAME="
        raise InvalidQuery(fault, param="arm")
    return arms


class LocalAnswerer:
    """Answers in this process, without Ray. `clock` measures latencies."""

    def __init__(self, mixture: Mixture, clock: Clock = time.perf_counter) -> None:
        self.mixture = mixture
        self._clock = clock

    @classmethod
    def of(cls, config: Config | Path | str | None) -> LocalAnswerer:
        """From a configuration or its file. Raises ConfigError."""
        return cls(Mixture.from_config(config))

    async def ask(self, messages: Sequence[Message], model: str) -> Attempt:
        """See `Answerer`."""
        trace, began = Trace(), self._clock()
        try:
            answer = await self.mixture.answer(Query(tuple(messages)), model, NO_WISHES, trace=trace)
        except MixtureError as error:
            return attempted(trace, self._clock() - began, error=error)
        return attempted(trace, self._clock() - began, answer.completion)

    async def close(self) -> None:
        """Close the experts' clients."""
        await self.mixture.close()


@dataclass(frozen=True, slots=True)
class Contest:
    """The arms and who answers for each of them, by the arm's name."""

    arms: tuple[Arm, ...]
    answerers: Mapping[str, Answerer]

    @classmethod
    def alike(cls, arms: tuple[Arm, ...], answerer: Answerer) -> Contest:
        """One answerer for all arms."""
        return cls(arms, {arm.name: answerer for arm in arms})

    async def close(self) -> None:
        """Let go of every answerer's connections."""
        for answerer in {id(one): one for one in self.answerers.values()}.values():
            await answerer.close()


def local_contest(arms: tuple[Arm, ...], config: Config | None) -> Contest:
    """Arms answered in this process: those with a file by that configuration. Raises ConfigError, InvalidQuery."""
    made: dict[str | None, LocalAnswerer] = {}
    for arm in arms:
        if arm.file not in made:
            made[arm.file] = LocalAnswerer.of(config if arm.file is None else Path(arm.file))
        made[arm.file].mixture.models.resolve(arm.model)
    return Contest(arms, {arm.name: made[arm.file] for arm in arms})
