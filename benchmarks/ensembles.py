"""The real strategies over recorded proposals, in this process: what they answer, whom they ask, what that costs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.aggregation import make_scorer
from mixture.aggregation.ballots import ballots
from mixture.aggregation.learning import Poll
from mixture.aggregation.majority import Majority
from mixture.config import StrategyOptions
from mixture.errors import Declined, MixtureError
from mixture.planning import RuleDecomposer
from mixture.routing.keyword import KeywordRouter
from mixture.routing.outcomes import Outcomes
from mixture.strategies import create
from mixture.types import (
    Choice,
    Chunk,
    Completion,
    Event,
    ExpertCard,
    Message,
    Panel,
    Proposed,
    Query,
)

Doubles = npt.NDArray[np.float64]
RESAMPLES = 2000


class Replayed:
    """An expert that says what was recorded."""

    def __init__(self, name: str, text: str | None) -> None:
        self.card = ExpertCard(name, "recorded", skills=("general",))
        self._text = text

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The recorded answer. Raises Declined where there is none."""
        if self._text is None:
            raise Declined("no answer was recorded", expert=self.card.name)
        yield Chunk(self._text, finish_reason="stop")


@dataclass(frozen=True, slots=True)
class Played:
    """What a strategy did, a value a prompt: the score of its answer, calls, US dollars (NaN: unknown), confidence."""

    right: Doubles
    calls: Doubles
    cost: Doubles
    confidence: Doubles

    @property
    def accuracy(self) -> float:
        """The mean score."""
        return float(self.right.mean())


def joined(parts: Iterable[tuple[npt.NDArray[np.int64], Played]], size: int) -> Played:
    """Parts over different prompts (their places, what was done) as one."""
    tables = np.full((4, size), np.nan)
    for places, part in parts:
        tables[:, places] = part.right, part.calls, part.cost, part.confidence
    return Played(*tables)


async def play(
    strategy: str, options: Mapping[str, Any], recording: Outcomes, names: Sequence[str], aggregator: Majority
) -> Played:
    """Run `strategy` on every prompt of `recording` over the experts `names`, the preferred one first."""
    run = create(strategy, StrategyOptions(**options))
    some = recording.among(names)
    tables = np.zeros((4, len(some)))
    for row, prompt in enumerate(some.prompts):
        texts = dict(zip(names, some.responses[row], strict=True))
        panel = Panel(
            {name: Replayed(name, text) for name, text in texts.items()},
            KeywordRouter(),
            RuleDecomposer(),
            aggregator,
            make_scorer(),
        )
        asked: list[str] = []

        async def emit(event: Event, asked: list[str] = asked) -> None:
            if isinstance(event, Proposed):
                asked.append(event.expert)

        try:
            completion = await run(Query((Message("user", prompt),), stream=False), panel, emit)
        except MixtureError:
            tables[:, row] = 0.0, len(asked), 0.0, np.nan
            continue
        places = [names.index(name) for name in asked] or [names.index(completion.expert)]
        sure = np.nan if completion.confidence is None else completion.confidence
        score = some.scores[row, names.index(completion.expert)]
        tables[:, row] = score, len(places), some.costs[row, places].sum(), sure
    return Played(*tables)


def mean_cost(played: Played) -> float:
    """The mean cost of a prompt in US dollars, over those whose cost is known; NaN where none is."""
    known = played.cost[np.isfinite(played.cost)]
    return float(known.mean()) if len(known) else np.nan


def single(recording: Outcomes, name: str) -> Played:
    """What one expert did; an answer that is missing is wrong."""
    column = recording.experts.index(name)
    scores = np.nan_to_num(recording.scores[:, column])
    return Played(scores, np.ones(len(scores)), recording.costs[:, column], np.full(len(scores), np.nan))


def oracle(recording: Outcomes, names: Sequence[str]) -> float:
    """The accuracy of who always finds a right answer where one of `names` gave it."""
    return float(np.nan_to_num(recording.among(names).scores).max(1).mean())


def polls(recording: Outcomes, names: Sequence[str], domain_of: Callable[[str, str], str] | None = None) -> list[Poll]:
    """What the experts answered as ballots, with their scores. `domain_of` makes a prompt and the log's own domain
    the poll's domain; none when left out.
    """
    some = recording.among(names)
    found = []
    for row, prompt in enumerate(some.prompts):
        given = [(name, text) for name, text in zip(names, some.responses[row], strict=True) if text is not None]
        votes = ballots(Query((Message("user", prompt),)), [Completion(n, (Choice(t),)) for n, t in given])
        scores = {name: float(some.scores[row, names.index(name)]) for name, _ in given}
        domain = domain_of(prompt, some.domains[row]) if domain_of else ""
        found.append(Poll({name: vote for (name, _), vote in zip(given, votes, strict=True)}, domain, scores))
    return found


def folds(size: int, count: int = 5) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Random training and test rows, every row being tested once."""
    order = np.random.default_rng(0).permutation(size)
    return [(np.sort(np.setdiff1d(order, order[n::count])), np.sort(order[n::count])) for n in range(count)]


def interval(values: Doubles) -> tuple[float, float]:
    """The 95% bootstrap interval of a mean, or of a paired difference."""
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)
