"""Which expert to ask: expected quality against cost and latency, under the limits of the request. Pure functions.

Without wishes the best expert per money is taken at a stated exchange rate; with `quality` the cheapest expert that
keeps the promise; `max_cost_usd` and `max_latency_ms` come first in either case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from mixture.types import EngineLoad


@dataclass(frozen=True, slots=True)
class Candidate:
    """An expert as it stands at this moment, for one request.

    `quality` is the probability of a good answer. `cost_usd` and `latency_ms` are expectations for this request on an
    idle expert; None means unknown, which is never read as nothing. `waiting` is the number of calls at work or
    queued for each place it has, `available` is false while it cools down. `warmup_ms` is what is left of its start,
    when it does not run: that lowers its worth, and no limit bars it, because only what is asked for is ever started.
    `engine` is what it last reported, for people; `waiting` counts it already.
    """

    name: str
    quality: float
    cost_usd: float | None = None
    latency_ms: float | None = None
    waiting: float = 0.0
    available: bool = True
    warmup_ms: float = 0.0
    engine: EngineLoad | None = None

    @property
    def expected_ms(self) -> float | None:
        """The latency under today's load: full places make a call wait for its turn."""
        if self.latency_ms is None:
            return None
        return self.latency_ms * (1 + max(0.0, self.waiting - 1))


@dataclass(frozen=True, slots=True)
class Aim:
    """What is wanted. `quality` (0..1) is a share of the best expert's expected quality to be kept at the least cost;
    `margin` is how far below the best a prediction may lie for that, as calibrated (`mixture.routing.floor`), the plain
    share when None. `usd_per_answer` is what one good answer more is worth, `usd_per_second` a second less.
    """

    quality: float | None = None
    margin: float | None = None
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    usd_per_answer: float = 0.01
    usd_per_second: float = 0.0
    session: str | None = None
    """Equal experts are shared out by it, the same way in every process (rendezvous hashing, Thaler and Ravishankar
    1998); without it the less busy one comes first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Experts in the order of preference, why the first is first, and why others are left out.

    `within` is false when no expert keeps the limits: then the order is by how little they are broken.
    """

    order: tuple[str, ...]
    why: str
    left_out: tuple[tuple[str, str], ...] = ()
    within: bool = True


def choose(candidates: Sequence[Candidate], aim: Aim | None = None) -> Choice:
    """The order in which to ask `candidates` for `aim`. The same input gives the same order, whatever its order.

    Raises ValueError when there is no candidate.
    """
    aim = aim or Aim()
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    reasons = {candidate.name: objection(candidate, aim) for candidate in candidates}
    left_out = tuple((name, reason) for name, reason in sorted(reasons.items()) if reason)
    fitting = [candidate for candidate in candidates if not reasons[candidate.name]]
    if not fitting:
        return _least_harm(candidates, aim, left_out)
    if aim.quality is not None or aim.margin is not None:
        return _cheapest_good_enough(fitting, aim, left_out)
    dearest = max((c.cost_usd for c in candidates if c.cost_usd is not None), default=0.0)
    slowest = max((c.expected_ms for c in candidates if c.expected_ms is not None), default=0.0)
    ordered = sorted(fitting, key=lambda c: (-worth(c, aim, dearest, slowest), _cheapness(c, aim)))
    return Choice(_names(ordered), "most expected quality for its cost and latency", left_out)


def worth(candidate: Candidate, aim: Aim, dearest: float = 0.0, slowest: float = 0.0) -> float:
    """What asking `candidate` is worth, in US dollars. An unknown cost is taken for `dearest` (US dollars), an unknown
    latency for `slowest` (milliseconds).
    """
    cost = dearest if candidate.cost_usd is None else candidate.cost_usd
    expected = slowest if candidate.expected_ms is None else candidate.expected_ms
    seconds = (expected + candidate.warmup_ms) / 1_000
    return candidate.quality * aim.usd_per_answer - cost - seconds * aim.usd_per_second


def two_way(gain: float, weak: str, strong: str, routing_threshold: float) -> Choice:
    """RouteLLM's rule for two experts: the strong one when its expected gain reaches the threshold."""
    if gain >= routing_threshold:
        return Choice((strong, weak), f"expected gain {gain:.3f} reaches the threshold {routing_threshold:.3f}")
    return Choice((weak, strong), f"expected gain {gain:.3f} is below the threshold {routing_threshold:.3f}")


def objection(candidate: Candidate, aim: Aim) -> str:
    """What speaks against asking `candidate` under the limits of `aim`; empty when nothing does."""
    if not candidate.available:
        return "cooling down"
    if aim.max_cost_usd is not None:
        if candidate.cost_usd is None:
            return "price unknown"
        if candidate.cost_usd > aim.max_cost_usd:
            return f"costs {candidate.cost_usd:.6f} of {aim.max_cost_usd:.6f} USD"
    expected = candidate.expected_ms
    if aim.max_latency_ms is not None and expected is not None and expected > aim.max_latency_ms:
        return f"takes {expected:.0f} of {aim.max_latency_ms:.0f} ms"
    return ""


def _least_harm(candidates: Sequence[Candidate], aim: Aim, left_out: tuple[tuple[str, str], ...]) -> Choice:
    ordered = sorted(candidates, key=lambda candidate: (*harm(candidate, aim), *_cheapness(candidate, aim)))
    why = "no expert keeps the limits; the one that breaks them least first"
    return Choice(_names(ordered), why, left_out, within=False)


def harm(candidate: Candidate, aim: Aim) -> tuple[bool, float]:
    """How badly asking `candidate` breaks the limits of `aim`, smaller is better: whether it cools down, and how many
    times the most that is allowed it takes, 1 where it keeps the limits. An unknown cost breaks a limit by any measure.
    """
    cost, expected = candidate.cost_usd, candidate.expected_ms
    times = [1.0]
    if aim.max_cost_usd is not None:
        times.append(math.inf if cost is None else _times(cost, aim.max_cost_usd))
    if aim.max_latency_ms is not None and expected is not None:
        times.append(_times(expected, aim.max_latency_ms))
    return not candidate.available, max(times)


def _times(taken: float, most: float) -> float:
    if taken <= most:
        return 1.0
    return taken / most if most > 0 else math.inf


def _cheapest_good_enough(fitting: Sequence[Candidate], aim: Aim, left_out: tuple[tuple[str, str], ...]) -> Choice:
    best = max(candidate.quality for candidate in fitting)
    needed = best - aim.margin if aim.margin is not None else best * (aim.quality or 0.0)
    enough = [candidate for candidate in fitting if candidate.quality >= needed]
    rest = [candidate for candidate in fitting if candidate.quality < needed]
    ordered = sorted(enough, key=lambda c: _cheapness(c, aim))
    ordered += sorted(rest, key=lambda c: (-c.quality, *_cheapness(c, aim)))
    return Choice(_names(ordered), f"the cheapest whose expected quality reaches {needed:.3f}", left_out)


def _cheapness(candidate: Candidate, aim: Aim) -> tuple[float, float, float, str]:
    """Cheap before dear before unknown; then the better; then shared out, and by name."""
    cost = math.inf if candidate.cost_usd is None else candidate.cost_usd
    turn = candidate.waiting if aim.session is None else crc32(f"{aim.session}/{candidate.name}".encode())
    return cost, -candidate.quality, turn, candidate.name


def _names(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(candidate.name for candidate in candidates)
