"""Would a second opinion change the answer, and is it worth its price? Pure functions of expected qualities and prices.

Experts fail together more often than by chance. With probability `TOGETHER` one draw decides for all of them (who is
better is right wherever who is worse is), else each is right or wrong by itself; two wrong answers are the same with
probability `ALIKE`. Both figures are those of recorded answers: `python -m benchmarks.opinions` prints them, and how
far what is expected here lies from what the strategy then did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product

TOGETHER = 0.5
"""The share of requests on which experts are right or wrong together."""
ALIKE = 0.33
"""How often two wrong answers say the same."""
AT_FIRST = 2
"""Experts that are asked at once; further ones only while no answer is ahead."""
POOL = 4
"""Experts that are thought of: those whose answers are worth most."""

Heard = list[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an expert's answer is expected to be: right with `quality` (0..1), for `cost_usd` US dollars."""

    name: str
    quality: float
    cost_usd: float


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Who is asked in which order, the probability that the answer is then right, the expected cost in US dollars, the
    cost when all are asked, the calls to be expected, and how often the answer is another than the expert's who would
    have been asked alone.
    """

    names: tuple[str, ...]
    right: float
    cost_usd: float
    most_usd: float
    calls: float
    changed: float = 0.0

    def worth(self, usd_per_answer: float) -> float:
        """What it is worth in US dollars, when a right answer is worth `usd_per_answer`."""
        return self.right * usd_per_answer - self.cost_usd


def alone(opinion: Opinion) -> Arrangement:
    """One expert and no other."""
    return Arrangement((opinion.name,), opinion.quality, opinion.cost_usd, opinion.cost_usd, 1.0)


def agreed(opinions: Sequence[Opinion], instead: int = 0) -> Arrangement:
    """The first two at once, then one after another until an answer is one vote ahead: the strategy `cascade` with
    `lead: 1`. Of equal answers the first counts. `instead` is the place of the expert who would be asked alone.
    """
    right = cost = calls = changed = 0.0
    for chance, outcome in _outcomes([opinion.quality for opinion in opinions]):
        for alike in (True, False):
            share = chance * (ALIKE if alike else 1 - ALIKE)
            asked, answer = _until_ahead(outcome, alike)
            right += share * (answer == _RIGHT)
            changed += share * (answer != _said(outcome, instead, alike))
            calls += share * asked
            cost += share * sum(opinion.cost_usd for opinion in opinions[:asked])
    most = sum(opinion.cost_usd for opinion in opinions)
    return Arrangement(tuple(opinion.name for opinion in opinions), right, cost, most, calls, changed)


def all_asked(opinions: Sequence[Opinion], writer: Opinion | None = None, instead: int = 0) -> Arrangement:
    """Everyone at once, and the answer that most give; `writer` is one more call, which puts them together."""
    right = changed = 0.0
    for chance, outcome in _outcomes([opinion.quality for opinion in opinions]):
        for alike in (True, False):
            share = chance * (ALIKE if alike else 1 - ALIKE)
            answer, _ = _leading([_said(outcome, place, alike) for place in range(len(outcome))])
            right += share * (answer == _RIGHT)
            changed += share * (answer != _said(outcome, instead, alike))
    cost = sum(opinion.cost_usd for opinion in opinions) + (0.0 if writer is None else writer.cost_usd)
    names = tuple(opinion.name for opinion in opinions)
    return Arrangement(names, right, cost, cost, len(opinions) + (writer is not None), changed)


def best(
    single: Opinion,
    opinions: Sequence[Opinion],
    usd_per_answer: float,
    most_usd: float | None = None,
    *,
    open_: bool,
    guessed: bool = False,
) -> Arrangement:
    """The arrangement that is worth most: `single` alone, another one alone, or several of `opinions`, within
    `most_usd` and never less often right than `single`. `open_` says that the answers can't be counted, so that all are
    asked at once and one more call makes one of them; `guessed` that the qualities are: then `single` is the first of
    any several, and its answer stands unless others agree on another.
    """
    found, pool = alone(single), _pool(single, opinions, usd_per_answer)
    several = _several(single, pool, usd_per_answer, open_=open_, guessed=guessed)
    for arrangement in (*map(alone, pool), *several):
        fits = arrangement.right >= single.quality and (most_usd is None or arrangement.most_usd <= most_usd)
        if fits and arrangement.worth(usd_per_answer) > found.worth(usd_per_answer):
            found = arrangement
    return found


def _several(
    single: Opinion, pool: Sequence[Opinion], usd_per_answer: float, *, open_: bool, guessed: bool
) -> Iterator[Arrangement]:
    """The arrangements of several, unless nothing can be gained: who is always right is not worth two calls more."""
    cheapest = sum(sorted(opinion.cost_usd for opinion in pool)[:AT_FIRST])
    if len(pool) < 3 or (1 - single.quality) * usd_per_answer <= cheapest - single.cost_usd:
        return
    for members in _orders(pool, single if guessed else None):
        instead = members.index(single) if single in members else 0
        yield all_asked(members, max(members, key=_quality), instead) if open_ else agreed(members, instead)


_RIGHT = "right"


def _quality(opinion: Opinion) -> tuple[float, float]:
    return opinion.quality, -opinion.cost_usd


def _pool(single: Opinion, opinions: Sequence[Opinion], usd_per_answer: float) -> list[Opinion]:
    """Those worth most, cheapest first; `single` is among them."""
    ranked = sorted(
        (opinion for opinion in opinions if opinion.name != single.name),
        key=lambda opinion: (opinion.cost_usd - opinion.quality * usd_per_answer, opinion.name),
    )
    return sorted([single, *ranked[: POOL - 1]], key=lambda opinion: (opinion.cost_usd, opinion.name))


def _orders(pool: Sequence[Opinion], first: Opinion | None) -> Iterator[list[Opinion]]:
    """Three of the pool, cheapest first, and the whole of it; behind `first`, where there is one."""
    if first is None:
        yield from (list(members) for members in combinations(pool, 3))
    else:
        others = [opinion for opinion in pool if opinion is not first]
        yield from ([first, *members] for members in combinations(others, 2))
        pool = [first, *others]
    if len(pool) > 3:
        yield list(pool)


def _outcomes(qualities: Sequence[float]) -> Iterator[tuple[float, tuple[bool, ...]]]:
    """Who is right, with its probability: all together by one draw, or each by itself."""
    for low, high in pairwise(sorted({0.0, *qualities, 1.0})):
        yield TOGETHER * (high - low), tuple(quality >= high for quality in qualities)
    for outcome in product((True, False), repeat=len(qualities)):
        chance = 1 - TOGETHER
        for is_right, quality in zip(outcome, qualities, strict=True):
            chance *= quality if is_right else 1 - quality
        yield chance, outcome


def _said(outcome: Sequence[bool], place: int, alike: bool) -> str:
    """What the expert at `place` says."""
    return _RIGHT if outcome[place] else "wrong" if alike else f"wrong {place}"


def _until_ahead(outcome: Sequence[bool], alike: bool) -> tuple[int, str]:
    """How many are asked until an answer is ahead, and the answer."""
    said = [_said(outcome, place, alike) for place in range(min(AT_FIRST, len(outcome)))]
    answer, ahead = _leading(said)
    for place in range(len(said), len(outcome)):
        if ahead:
            break
        said.append(_said(outcome, place, alike))
        answer, ahead = _leading(said)
    return len(said), answer


def _leading(said: Sequence[str]) -> tuple[str, bool]:
    """The answer that most give, the first of equal ones, and whether it is ahead of all others."""
    counts = {answer: said.count(answer) for answer in said}
    most = max(counts.values())
    leading = [answer for answer, count in counts.items() if count == most]
    return leading[0], len(leading) == 1
