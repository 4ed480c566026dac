"""What a strategy tells while it works, each event frozen, in the order in which things happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mixture.types.answer import Adjusted, Chunk, Completion, Plan, Report, Route
from mixture.types.query import Passage


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Passages were found for the query."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`auto` chose the strategy that runs, by its name, because of `why`."""

    strategy: str
    why: str


@dataclass(frozen=True, slots=True)
class Planned:
    """The request was taken apart."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Routed:
    """Experts were chosen; `subtask` is set when the choice is for a part of the request."""

    route: Route
    subtask: str | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """An expert is being started, and the request waits for it: `waited_s` seconds up to now, about `left_s` more as
    its last starts took. Told again every few seconds.
    """

    expert: str
    left_s: float
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposed:
    """An expert of an ensemble finished, with a completion or with an error in words."""

    expert: str
    completion: Completion | None = None
    error: str | None = None
    subtask: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A proposal was scored, in 0..1."""

    expert: str
    score: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer itself. It can't be recalled."""

    expert: str
    chunk: Chunk


@dataclass(frozen=True, slots=True)
class Answered:
    """The last event: the whole answer and what was done for it."""

    completion: Completion
    report: Report


Event = Chosen | Retrieved | Planned | Routed | Awaited | Proposed | Scored | Adjusted | Delta | Answered
Emit = Callable[[Event], Awaitable[None]]
