"""What is expected of experts and of requests where nothing was learned: rough, and cautious about spending."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mixture.types import ExpertCard

EASY, STEP = 2.8, 1.9
"""Log-odds of a right answer to the easiest request at `REFERENCE`'s price, and what the hardest takes off them."""
SLOPE = 0.5
"""Log-odds that ten times the price add. `python -m benchmarks.opinions` prints the slopes of recorded answers, which
differ; this is the cautious middle."""
REFERENCE = 1.0
"""US dollars per million tokens, prompt and answer together in equal parts; also what an unknown price counts as."""
CHEAPEST, DEAREST = 0.01, 100.0
"""Prices beyond which no more is concluded from a price."""
USUAL, LIGHT = 0.45, 0.2
"""The difficulty of a request of which nothing is known, and of one that shows no kind of task or is conversation."""
HARD = 0.5
"""The difficulty from which on a request counts as hard."""
UNSURE = 0.65
"""The predicted quality below which it does too."""
HIGH_STAKES = ("medical", "legal", "health", "law")
"""Kinds of task in which a wrong answer does harm."""
FIELD = 0.06
"""What an expert of a field is expected to be better at in it than others of its price, by judgement; and, half as
much, worse at what is not its field. Small beside what a price says, for cards are written by their owners."""
STAKES = 20.0
"""How many times more a good answer is worth there."""


def difficulty(signals: Mapping[str, Any]) -> float:
    """How hard a router's signals say that a request is, in 0..1; a guess from its kind where they don't."""
    said = signals.get("difficulty")
    if isinstance(said, Mapping):
        said = said.get("score")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return min(1.0, max(0.0, float(said)))
    return LIGHT if signals.get("task") in ("chat", "general", None) else USUAL


def prior_quality(card: ExpertCard, hard: float) -> float:
    """The probability that the expert answers a request of difficulty `hard` (0..1) well: dearer experts do better."""
    price = REFERENCE if card.price is None else (card.price.input + card.price.output) / 2
    priced = math.log10(min(DEAREST, max(CHEAPEST, price)) / REFERENCE)
    return 1 / (1 + math.exp(-(EASY - STEP * hard + SLOPE * priced)))


def of_its_field(suited: bool, general: bool, alike: float, least: float) -> float:
    """What a card says of an expert's quality on a request beyond its price: whether it is `suited` by its skills, how
    much `alike` the request is to a text of the card (a cosine, which counts from `least` on), or that the card names a
    field and the request is of another one.
    """
    if suited or alike >= least:
        return FIELD * min(1.0, max(0.5, alike) + least)
    return 0.0 if general else -FIELD / 2


def stakes(signals: Mapping[str, Any], domains: tuple[str, ...] | None = None) -> float:
    """How many times more than usual a good answer to the request is worth. Only the kind of task counts: that a text
    calls itself important must not make it dearer.
    """
    shown = {str(signals.get(kind, "")).lower() for kind in ("task", "domain")}
    return STAKES if shown & set(HIGH_STAKES if domains is None else domains) else 1.0
