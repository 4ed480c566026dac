"""Whether two mathematical answers are equal: by their normal forms, and where those differ by SymPy.

Normal forms decide nearly all in microseconds. SymPy computes in a worker process with bounded time and memory, on
expressions that our own grammar has read: no text of a model is ever evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mixture.aggregation.answers import final_answer, stated
from mixture.aggregation.latex import in_plain_signs
from mixture.aggregation.normalisation import normalised
from mixture.evaluation.items import Item
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means
from mixture.evaluation.scorers.answers import reference_of
from mixture.providers.symbolic.parser import parse
from mixture.providers.symbolic.refusals import NotMaths, TooLarge
from mixture.providers.symbolic.syntax import Call, Node, variables
from mixture.providers.symbolic.tasks import Task
from mixture.providers.symbolic.workers import Bounds, WorkerLost, Workers

LONGEST = 300
"""Characters of an answer that is given to SymPy."""
SECONDS = 3.0

_RELATION = re.compile(r"<=|>=|<|>|\\le|\\ge|\\neq|!=")


@dataclass(frozen=True, slots=True)
class Mathematical:
    """Right or wrong."""

    workers: Workers = field(default_factory=lambda: Workers(Bounds(SECONDS, processes=1)))
    cheap: bool = True

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`."""
        reference = reference_of(item)
        right, said = normalised(reference, "free"), final_answer(answer, "free")
        if said is None:
            return Score(0.0, "no answer is marked in it")
        if said == right or await self._equal(stated(answer), reference):
            return Score(1.0)
        return Score(0.0, f"it says {said[:60]!r}")

    async def close(self) -> None:
        """End the worker."""
        await self.workers.close()

    async def _equal(self, said: str, reference: str) -> bool:
        task = equality(said, reference)
        if task is None:
            return False
        try:
            outcome = await self.workers.run(task.wire())
        except (TimeoutError, WorkerLost):
            return False  # not shown to be equal: as a person would have to say who can't work it out either
        return outcome.get("answer", "").startswith("is equal")


def equality(said: str, reference: str) -> Task | None:
    """The question for SymPy, where both are expressions, or both equations, that our grammar reads; None otherwise."""
    first, second = _sides(said), _sides(reference)
    if first is None or second is None or len(first) != len(second) or len(first) > 2:
        return None
    nodes, what = (_whole(first), _whole(second)), "=" if len(first) == 1 else "multiple"
    if not variables(nodes[0]) == variables(nodes[1]) != set():
        return None  # numbers that differ do so to nine digits already
    try:
        return Task("check", "", nodes, {"what": what, "other": ""})
    except (NotMaths, TooLarge):
        return None


def _whole(sides: list[Node]) -> Node:
    """An expression as it is; an equation as what is zero where it holds."""
    return sides[0] if len(sides) == 1 else Call("-", (sides[0], sides[1]))


def _sides(text: str) -> list[Node] | None:
    """The sides of an equation, or the one expression."""
    if not text or len(text) > LONGEST or _RELATION.search(text):
        return None
    said = in_plain_signs(text)
    if said is None:
        return None
    try:
        return [parse(side) for side in said.split("=")]
    except (NotMaths, TooLarge, RecursionError):
        return None


def mathematical(argument: str, means: Means) -> Mathematical:
    """`math`."""
    return Mathematical()
