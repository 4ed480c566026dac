"""The learned router: for each expert what quality, cost and latency this request would have with it, and the best of
that under the request's limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.config import RouterConfig
from mixture.routing import promise
from mixture.routing.calibration import Calibration
from mixture.routing.candidates import candidate, facts
from mixture.routing.classification import Topic
from mixture.routing.encoder import readable
from mixture.routing.encoders import HASHED
from mixture.routing.keyword import NOT_ITS_KIND, Fit, fit
from mixture.routing.limits import limits_of, too_small
from mixture.routing.objective import Aim, Candidate, Choice, choose, two_way
from mixture.routing.predictor import Record
from mixture.routing.priors import of_its_field
from mixture.routing.semantic import ALIKE, likeness
from mixture.routing.signals import Signals, read
from mixture.routing.storage import PredictorError
from mixture.tokens import prompt_tokens
from mixture.types import IDLE, Embedder, ExpertCard, Loads, Price, Query, Route

WELL_KNOWN = 1_000
"""Outcomes from which on an expert's card is not looked at: a twentieth of its prior would be left."""
_UNRECORDED = Record(0, nan)


@dataclass(frozen=True, slots=True)
class _Field:
    """The experts for one request: those that are weighed, and those that are not, with the reason."""

    exact: tuple[str, ...]
    """Exact and quoting experts whose kind of task the request shows: they stand first, and decline at once."""
    cards: tuple[ExpertCard, ...]
    candidates: tuple[Candidate, ...]
    left_out: dict[str, str]
    unweighed: tuple[Candidate, ...]


class LearnedRouter:
    """Routes by a fitted predictor. What the request says of models, prices or routing has no influence: the predictor
    reads it without such clauses (`mixture.routing.encoder.readable`).

    A `calibration` may be put in the place of the old one at any time. PredictorError is raised for one that was made
    with another encoder than `config` names, whose `embedder` is that encoder where it is a heavier one.
    """

    def __init__(self, calibration: Calibration, config: RouterConfig, embedder: Embedder | None = None) -> None:
        self._config = config
        self._embedder = embedder
        self.calibration = calibration

    @property
    def calibration(self) -> Calibration:
        """What it decides by."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration: Calibration) -> None:
        named = self._config.encoder or HASHED
        if calibration.encoder != named:
            raise PredictorError(f"calibrated with encoder {calibration.encoder!r}, but router.encoder is {named!r}")
        self._calibration = calibration
        self._promises = promise.Promises(calibration)
        self._records = dict(zip(calibration.predictor.experts, calibration.predictor.records, strict=True))
        self._priors: dict[Price | None, float] = {}

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The experts to ask, best first. Raises PredictorError when the predictor can't decide about these experts or
        this request.
        """
        if not self._records.keys() & {card.name for card in cards}:
            raise PredictorError("the calibration knows none of these experts; calibrate with a log of theirs")
        seen = read(query)
        found = seen.topic
        qualities = await self._qualities(query)
        field = self._field(query, cards, loads or {}, seen, qualities)
        choice, promised = self._chosen(query, field, qualities)
        behind = tuple(one.name for one in field.candidates if not one.available and one.name not in choice.order)
        signals = _signals(seen, field, choice) | {
            "encoder": self._calibration.encoder,
            "calibration": self._calibration.version,
            "promise": promised,
        }
        return Route((*field.exact, *choice.order, *behind), _why(found, field, choice), signals, ordered=True)

    async def _qualities(self, query: Query) -> npt.NDArray[np.float64]:
        """By what feedback has taught, but where a quality is asked for: its promise rests on what was calibrated."""
        known, embedding = self._calibration, None
        if self._embedder is not None:
            embedding = np.array((await self._embedder.embed((readable(query.text),)))[0], dtype=np.float32)
        promised = self._config.quality is not None or query.limits.quality is not None
        predictor = known.predictor if promised or known.learned is None else known.learned
        try:
            return predictor.qualities(query.text, embedding)
        except ValueError as error:
            raise PredictorError(str(error)) from None

    def _field(
        self,
        query: Query,
        cards: Sequence[ExpertCard],
        loads: Loads,
        seen: Signals,
        qualities: npt.NDArray[np.float64],
    ) -> _Field:
        prompt = prompt_tokens(query)
        priors = [self._prior(card) + self._of_its_field(card, seen) for card in cards]
        predicted = self._calibration.predictor.blended(qualities, cards, priors)
        made = {card.name: self._candidate(card, query, prompt, loads, predicted[card.name]) for card in cards}
        fits = {card.name: fit(card, seen.topic) for card in cards}
        exact = [card.name for card in cards if fits[card.name].narrow and not fits[card.name].useless]
        reasons = {card.name: reason for card in cards if (reason := _unfit(card, fits[card.name], prompt))}
        weighed = [card for card in cards if card.name not in reasons and card.name not in exact]
        if not weighed:  # whoever is too small or of another kind is better than nobody
            weighed, reasons = [card for card in cards if card.name not in exact] or list(cards), {}
        names = {card.name for card in weighed}
        return _Field(
            tuple(name for name in exact if name not in names),
            tuple(weighed),
            tuple(made[card.name] for card in weighed),
            reasons,
            tuple(one for name, one in made.items() if name not in names),
        )

    def _candidate(self, card: ExpertCard, query: Query, prompt: int, loads: Loads, quality: float) -> Candidate:
        record = self._records.get(card.name, _UNRECORDED)
        recorded = record.completion_tokens, record.cost_usd, record.latency_s
        return candidate(card, query, prompt, loads.get(card.name, IDLE), quality, recorded)

    def _prior(self, card: ExpertCard) -> float:
        if card.price not in self._priors:
            self._priors[card.price] = self._calibration.predictor.prior(card)
        return self._priors[card.price]

    def _of_its_field(self, card: ExpertCard, seen: Signals) -> float:
        """What the request's likeness to a card adds to the prior that its price gives, while that prior counts."""
        if self._records.get(card.name, _UNRECORDED).rows >= WELL_KNOWN:
            return 0.0
        own = fit(card, seen.topic, seen.reading.domain)
        return of_its_field(own.score > 0, own.general, likeness(seen.reading.vector, card), ALIKE)

    def _chosen(
        self, query: Query, field: _Field, qualities: npt.NDArray[np.float64]
    ) -> tuple[Choice, dict[str, Any] | None]:
        aim = self._aim(query)
        choice = choose(field.candidates, aim)
        if aim.quality is not None:
            return self._kept(field, choice, aim.quality, qualities)
        threshold, weak, strong = self._config.routing_threshold, self._config.weak, self._config.strong
        if threshold is None or weak is None or strong is None or not {weak, strong} <= set(choice.order):
            return choice, None
        known = {one.name: one.quality for one in field.candidates}
        pair = two_way(known[strong] - known[weak], weak, strong, threshold)
        others = tuple(name for name in choice.order if name not in pair.order)
        return replace(choice, order=(*pair.order, *others), why=pair.why), None

    def _aim(self, query: Query) -> Aim:
        wished, config = query.limits.quality, self._config
        return replace(
            limits_of(query),
            quality=config.quality if wished is None else wished,
            usd_per_answer=config.usd_per_answer,
            usd_per_second=config.usd_per_second,
        )

    def _kept(
        self, field: _Field, choice: Choice, quality: float, qualities: npt.NDArray[np.float64]
    ) -> tuple[Choice, dict[str, Any]]:
        """The choice under a floor: by its certified rule where there is one, else by the predictions alone."""
        standing = [card for card, one in zip(field.cards, field.candidates, strict=True) if one.available]
        rule = self._promises.rule(standing, quality)
        if rule is None or not rule.floor.rows:
            return choice, promise.predicted(quality, "nothing was held back to calibrate these experts with")
        name = rule.pick(qualities)
        if name not in choice.order:
            why = next((reason for other, reason in choice.left_out if other == name), "it is not to be had")
            return choice, promise.told(rule, f"{name} would be asked, but {why}")
        others = tuple(other for other in choice.order if other != name)
        return replace(choice, order=(name, *others), why=promise.words(rule)), promise.told(rule, None)


def _unfit(card: ExpertCard, known: Fit, prompt: int) -> str:
    """Why an expert is not weighed at all; empty when it is."""
    if known.useless:
        return NOT_ITS_KIND
    return too_small(card, prompt)


def _signals(seen: Signals, field: _Field, choice: Choice) -> dict[str, Any]:
    reasons = field.left_out | dict(choice.left_out)
    listed = [facts(one, reasons.get(one.name)) for one in (*field.candidates, *field.unweighed)]
    return seen.report() | {"candidates": listed, "within_limits": choice.within}


def _why(found: Topic, field: _Field, choice: Choice) -> str:
    first = choice.order[0]
    quality = next(one.quality for one in field.candidates if one.name == first)
    exact = f"{', '.join(field.exact)} first, made for it; then " if field.exact else ""
    return f"{found.task}; {exact}{choice.why}: {first} (expected quality {quality:.2f})"
