"""The requests of `benchmarks.scale`: generated ones of several kinds, with a router that has learned from a made-up
log which expert is good at which.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from mixture.config import RouterConfig
from mixture.routing.calibrating import calibrate
from mixture.routing.learned import LearnedRouter
from mixture.routing.outcomes import make
from mixture.types import ExpertCard, Message, Price, Query

EXPERTS = ("small", "large", "api")
GOOD = {"easy": (0.92, 0.95, 0.97), "hard": (0.40, 0.82, 0.90)}
"""The probability of a good answer of each expert, by how hard the request is: assumed, not measured."""
API_PRICE = Price(0.25, 2.0)
"""US dollars per million tokens of the expert that is somebody else's."""

SUBJECTS = ("a bakery", "a railway", "a library", "two trains", "a garden", "a hospital", "a market", "a school")
EASY = (
    "Write a friendly greeting for the visitors of {}.",
    "Translate this sentence about {} into French: the doors open at nine.",
    "Give {} a short name that people remember.",
    "Summarise in one sentence what {} is for.",
)
HARD = (
    "Prove that the scheduling problem of {} is NP-hard by a reduction, step by step.",
    "Derive the differential equation for the queue in front of {} and solve it.",
    "Implement a lock-free priority queue in C++ for {} and argue why it is linearizable.",
    "Find the error in this proof about {}: every bounded sequence converges.",
)


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests, the cards of the experts, and a router that knows them."""

    queries: tuple[Query, ...]
    cards: tuple[ExpertCard, ...]
    router: LearnedRouter


def workload(rows: int) -> Workload:
    """One request in four is hard. The router is fitted on `rows` generated prompts."""
    draw, chance = random.Random(0), np.random.default_rng(0)
    prompts, scores = [], []
    for number in range(rows):
        kind = "hard" if number % 4 == 3 else "easy"
        made = draw.choice(HARD if kind == "hard" else EASY).format(draw.choice(SUBJECTS))
        prompts.append(f"{made} ({number})")
        scores.append(chance.random(3) < GOOD[kind])
    costs = np.full((rows, 3), 0.0001)
    calibration = calibrate(make(prompts, EXPERTS, np.array(scores, dtype=np.float64), costs))
    asked = [EASY[0], EASY[1], EASY[2], HARD[0], EASY[3], EASY[0], EASY[1], HARD[1], EASY[2], EASY[3], EASY[0], HARD[2]]
    queries = tuple(
        Query((Message("user", text.format(SUBJECTS[at % len(SUBJECTS)])),)) for at, text in enumerate(asked)
    )
    cards = tuple(ExpertCard(name, "vllm", price=API_PRICE) for name in EXPERTS)
    return Workload(queries, cards, LearnedRouter(calibration, RouterConfig(usd_per_answer=0.001)))
