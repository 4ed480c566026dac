"""What the benchmarks of aggregation share: strategies run over recorded answers, learned by folds, in one table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.ensembles import Played, folds, interval, joined, mean_cost, play, polls
from benchmarks.reporting import table
from mixture.aggregation.calibration import calibration_error
from mixture.aggregation.learning import from_labels
from mixture.aggregation.majority import Majority
from mixture.aggregation.marginal import gate
from mixture.routing.classification import topic
from mixture.routing.outcomes import Outcomes
from mixture.types import Message, Query

Rows = npt.NDArray[np.int64]
Found = dict[str, Played]

FIVE, NINE = 5, 9
COLUMNS = ("", "accuracy", "95%", "over the best single", "over the majority", "calls", "USD per 1,000")


def strongest(recording: Outcomes) -> list[str]:
    """The experts by their accuracy, a missing answer being wrong."""
    means = dict(zip(recording.experts, np.nan_to_num(recording.scores).mean(0), strict=True))
    return sorted(means, key=lambda name: -means[name])


def run(
    strategy: str, recording: Outcomes, names: Sequence[str], aggregator: Majority | None = None, **how: Any
) -> Played:
    """`play`, from code that is not asynchronous."""
    return asyncio.run(play(strategy, how, recording, names, aggregator or Majority()))


def crossed(
    recording: Outcomes, names: Sequence[str], strategy: str = "voting", gold: bool = False, **how: Any
) -> Played:
    """`strategy` with votes weighed as the other folds taught. `gold` tells it each prompt's true domain."""
    domains = dict(zip(recording.prompts, recording.domains, strict=True))
    known = polls(recording, names, lambda prompt, domain: domain if gold else detected(prompt))
    parts = []
    for train, test in folds(len(recording)):
        learned = from_labels([known[row] for row in train])
        aggregator = Majority(None, learned, (lambda query: domains[query.text]) if gold else None)
        parts.append((test, run(strategy, recording.rows(test), names, aggregator, weights="learned", **how)))
    return joined(parts, len(recording))


def ordered(recording: Outcomes, names: Sequence[str], count: int, **how: Any) -> Played:
    """A cascade over the `count` of `names` that were most often right on the other folds, in that order."""
    parts = []
    for train, test in folds(len(recording)):
        order = strongest(recording.rows(train).among(names))[:count]
        parts.append((test, run("cascade", recording.rows(test), order, fallback_order=order, **how)))
    return joined(parts, len(recording))


def marginal(recording: Outcomes, names: Sequence[str]) -> dict[str, Any]:
    """What each member adds to the majority of `names`, and those that a gate would keep."""
    known: dict[tuple[str, ...], npt.NDArray[np.float64]] = {}

    def play(some: Sequence[str]) -> npt.NDArray[np.float64]:
        if tuple(some) not in known:
            known[tuple(some)] = run("voting", recording, some).right
        return known[tuple(some)]

    found = gate(names, play)
    rows = [
        (
            lift.expert,
            f"{lift.mean:+.2%}",
            f"{lift.low:+.2%} .. {lift.high:+.2%}",
            "kept" if lift.expert in found.kept else "dropped",
        )
        for lift in found.lifts
    ]
    table("What each member adds to all the others, and the gate", ("expert", "lift", "95%", "gate"), rows)
    shown = {
        lift.expert: {"lift": round(lift.mean, 4), "interval": (round(lift.low, 4), round(lift.high, 4))}
        for lift in found.lifts
    }
    accuracy = float(play(found.kept).mean())
    return {"lifts": shown, "kept": list(found.kept), "accuracy_kept": round(accuracy, 4)}


def show(title: str, found: Found, best: str, plain: str) -> None:
    """Print the table."""
    rows = []
    for name, played in found.items():
        low, high = interval(played.right)
        against = [interval(played.right - found[other].right) for other in (best, plain)]
        cost = mean_cost(played) * 1000
        rows.append(
            (
                name,
                f"{played.accuracy:.2%}",
                f"{low:.1%} .. {high:.1%}",
                *(f"{less:+.1%} .. {more:+.1%}" for less, more in against),
                f"{played.calls.mean():.2f}",
                f"{cost:.3f}" if np.isfinite(cost) else "",
            )
        )
    table(title, COLUMNS, rows)


def gap(played: Played) -> float:
    """The calibration error of what the answers' confidence said; NaN where none had any."""
    sure = np.isfinite(played.confidence)
    if not sure.any():
        return np.nan
    return calibration_error(played.confidence[sure], played.right[sure])


def some(recording: Outcomes, size: int | None) -> Outcomes:
    """`size` of its prompts, always the same ones; all of them where there are no more, or None is said."""
    if size is None or size >= len(recording):
        return recording
    return recording.rows(np.sort(np.random.default_rng(5).permutation(len(recording))[:size]))


def detected(prompt: str) -> str:
    """The domain that the aggregator sees by itself."""
    return topic(Query((Message("user", prompt),))).task
