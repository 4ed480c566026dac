"""Scorers: what an answer is worth. One file each, by name, with what stands behind a colon: `regex:PATTERN`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from mixture.errors import InvalidQuery
from mixture.evaluation.attempts import Attempt
from mixture.evaluation.items import Item
from mixture.evaluation.records import Score
from mixture.types import Message

Ask = Callable[[tuple[Message, ...], str], Awaitable[Attempt]]
"""Puts messages to a model, for scorers that ask one."""


class Scorer(Protocol):
    """Grades answers."""

    cheap: bool
    """Whether it takes so little that the proposals of ensembles are graded too."""

    async def score(self, item: Item, answer: str) -> Score:
        """What `answer` is worth as an answer to `item`. May raise anything: that is counted, and the item has no
        score.
        """
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What scorers may need of whoever runs them."""

    ask: Ask | None = None


SCORERS: Mapping[str, str] = {
    "exact": "mixture.evaluation.scorers.answers:exact",
    "numeric": "mixture.evaluation.scorers.answers:numeric",
    "math": "mixture.evaluation.scorers.mathematics:mathematical",
    "choice": "mixture.evaluation.scorers.answers:choice",
    "regex": "mixture.evaluation.scorers.patterns:regex",
    "schema": "mixture.evaluation.scorers.patterns:schema",
    "code": "mixture.evaluation.scorers.programs:code",
    "similarity": "mixture.evaluation.scorers.meaning:similarity",
    "judge": "mixture.evaluation.scorers.judge:judge",
    "python": "mixture.evaluation.scorers.own:python",
}
"""Name -> `module:factory` of `(argument, means) -> Scorer`, loaded when it is used."""


def scorer_of(spec: str, means: Means | None = None) -> Scorer:
    """The scorer of `NAME` or `NAME:ARGUMENT`; anything else with a colon is a function `MODULE:FUNCTION` of the
    user's own. Raises InvalidQuery.
    """
    name, _, argument = spec.partition(":")
    if name not in SCORERS:
        if not argument:
            known = ", ".join(SCORERS)
            raise InvalidQuery(f"unknown scorer {name!r}; known: {known}, or MODULE:FUNCTION", param="scorer")
        name, argument = "python", spec
    module, _, factory = SCORERS[name].partition(":")
    made: Scorer = getattr(import_module(module), factory)(argument, means or Means())
    return made
