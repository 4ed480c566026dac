"""A quality that was asked for, as a rule for the experts at hand and a promise that says what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.routing import floor
from mixture.routing.calibration import Calibration
from mixture.routing.predictor import TYPICAL_TOKENS
from mixture.types import ExpertCard

Doubles = npt.NDArray[np.float64]

ERROR = 0.05
"""The share of calibration logs for which a promise may fail to hold."""
ENOUGH = 2_000
"""Held-out requests from which a promise covers the next as many requests themselves, and not only the long run: their
own chance has to be allowed for, which with fewer leaves nothing to promise."""
STEPS = 200
"""Qualities that are told apart."""
RULES = 256
"""Rules that are remembered; each took some milliseconds to find."""
FEWEST = 20
"""Outcomes below which an expert has no place on a ladder: too little is known of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A ladder of experts, cheapest first and the strong one last, and how far below the strong one's prediction a
    cheaper one's may lie. `guaranteed` is false where no margin could be certified: then the strong one gets all.
    """

    ladder: tuple[str, ...]
    columns: tuple[int, ...]
    floor: floor.Floor
    horizon: int | None = None
    """The next requests that the promise covers; None: the long run."""

    @property
    def strong(self) -> str:
        """The expert whose quality is the measure."""
        return self.ladder[-1]

    def pick(self, qualities: Doubles) -> str:
        """The expert for a request with these predicted `qualities` (of all experts that the predictor knows)."""
        return self.ladder[int(self.picks(qualities[list(self.columns)][None, :])[0])]

    def picks(self, predicted: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        """The places on the ladder for many requests, whose qualities are predicted for the ladder's experts."""
        return floor.climbed(predicted, self.floor.threshold)


class Promises:
    """The rules that a calibration supports, for any part of its experts and any quality, found when first asked for.

    A rule depends on what is known before a request is seen, the experts and their usual costs, and never on the
    request itself: that is what its promise needs.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._held = calibration.held
        self._predictor = calibration.predictor
        self._places = {name: place for place, name in enumerate(calibration.predictor.experts)}
        self._rules: dict[tuple[tuple[str, ...], float], Rule] = {}

    def rule(self, cards: Sequence[ExpertCard], quality: float) -> Rule | None:
        """The rule for the experts of `cards`; None when no expert among them is known well enough. `quality` is
        rounded up, so that there are fewer rules to find than are remembered.
        """
        steps = self._ladder(cards)
        if not steps:
            return None
        quality = ceil(round(quality * STEPS, 6)) / STEPS
        key = steps, quality
        if key not in self._rules:
            if len(self._rules) >= RULES:
                self._rules.pop(next(iter(self._rules)))
            columns = tuple(self._places[name] for name in steps)
            predicted, scores = self._held.of(columns)
            horizon = len(scores) if len(scores) >= ENOUGH else None
            self._rules[key] = Rule(steps, columns, floor.ladder(predicted, scores, quality, ERROR, horizon), horizon)
        return self._rules[key]

    def _ladder(self, cards: Sequence[ExpertCard]) -> tuple[str, ...]:
        """The experts from the cheapest to the best. One that another beats in both price and quality has no step."""
        known = [(self._base(card), cost, card.name) for card in cards if (cost := self._usual_cost(card)) is not None]
        climbing: list[str] = []
        best = -1.0
        for base, _, name in sorted(known, key=lambda found: (found[1], -found[0], found[2])):
            if base > best:
                climbing.append(name)
                best = base
        return tuple(climbing)

    def _base(self, card: ExpertCard) -> float:
        return float(self._predictor.base[self._places[card.name]])

    def _usual_cost(self, card: ExpertCard) -> float | None:
        """US dollars of a usual request; None where it or the expert is unknown."""
        place = self._places.get(card.name)
        if place is None or self._predictor.records[place].rows < FEWEST:
            return None
        record = self._predictor.records[place]
        if card.price is None:
            return record.cost_usd if isfinite(record.cost_usd) else None
        written = record.completion_tokens if isfinite(record.completion_tokens) else TYPICAL_TOKENS[1]
        return (card.price.input * TYPICAL_TOKENS[0] + card.price.output * written) / 1e6


def told(rule: Rule, obstacle: str | None) -> dict[str, Any]:
    """What is promised, as plain data. `obstacle` is why the rule could not be followed this time, or None."""
    found = rule.floor
    return {
        "quality": found.quality,
        "of": rule.strong,
        "among": list(rule.ladder),
        "guaranteed": obstacle is None,
        "error": ERROR,
        "rows": found.rows,
        "horizon": rule.horizon,
        "margin": round(found.threshold, 4) if isfinite(found.threshold) else None,
        "cheaper_share": round(found.share, 4),
        "obstacle": obstacle,
    }


def words(rule: Rule) -> str:
    """What is promised, in a sentence's part."""
    found = rule.floor
    when = "in the long run" if rule.horizon is None else f"over the next {rule.horizon} requests"
    kept = f"at least {100 * found.quality:g}% of {rule.strong}'s quality {when}"
    return f"{kept} (certified on {found.rows} requests, error {ERROR:.0%})"


def predicted(quality: float, obstacle: str) -> dict[str, Any]:
    """What is told where there is no rule: the choice follows the predictions, and nothing vouches for them."""
    return {"quality": quality, "guaranteed": False, "obstacle": obstacle}
