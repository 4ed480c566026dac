"""What is remembered of an answer, what is said of it, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mixture.config import ExperimentConfig
from mixture.experiments import Exposed, Mirrored, Status
from mixture.routing.calibration import Calibration


@dataclass(frozen=True, slots=True)
class Answering:
    """What one expert did for a request, all its calls together."""

    expert: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """A request that was answered. `owner` is a digest of the key that it came with; `writer` the expert whose answer
    it is, None where several wrote it; `exposed` what an experiment did with it.
    """

    owner: str
    request_id: str
    prompt: str
    answered: tuple[Answering, ...]
    writer: str | None
    strategy: str
    exposed: Exposed | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of a request's answer, or of one expert's part in it: `score` in 0..1, or a `correction`, which says
    that the answer was wrong.
    """

    owner: str
    request_id: str
    score: float
    expert: str | None = None
    correction: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a note: for which expert it counts, whether it is learned from (and why not), and by which version
    requests are routed now.
    """

    request_id: str
    expert: str | None
    score: float
    logged: bool
    learned: bool
    why: str
    version: str | None


class FeedbackHost(Protocol):
    """Whoever keeps the one memory, log and learner: here, or in a process of its own."""

    async def remember(self, requests: Sequence[Remembered]) -> None:
        """Keep what is needed to understand later notes."""
        ...

    async def mirrored(self, what: Mirrored) -> None:
        """Keep what came of asking an experiment's candidate in the background."""
        ...

    async def experiments(self, configs: Mapping[str, ExperimentConfig]) -> Sequence[Status]:
        """Where these experiments stand, in their order."""
        ...

    async def give(self, note: Note) -> Receipt:
        """Take a note. Raises UnknownRequest, FeedbackError and RateLimited."""
        ...

    async def newer(self, version: str | None) -> Calibration | None:
        """The calibration to route by, when it is another than `version`."""
        ...

    async def facts(self) -> dict[str, Any]:
        """The state and the versions, as plain data."""
        ...
