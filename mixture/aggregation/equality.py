"""Answers that values at a few points can't tell apart, or can't compare at all: SymPy decides whether they are equal.

In doubt are: expressions whose values agree but whose functions differ from branch to branch (roots, logarithms and
absolute values of variables: the root of x^2 is not x); constants that agree to the digits that are shown, but not to
those of a double (355/113 is not pi); and constants too large to be held exactly. An answer with a decimal point is an
approximation, and values decide. SymPy runs in a process of its own, within bounds of time and memory; what it does not
decide in them stays as the values say. What it found is remembered, for all requests.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, islice

from mixture.aggregation.expressions import EXACT, parts, values_of
from mixture.providers.symbolic.refusals import TooLarge
from mixture.providers.symbolic.syntax import Call, Node, Num, show, variables
from mixture.providers.symbolic.tasks import Task
from mixture.providers.symbolic.workers import Bounds, WorkerLost, Workers

SECONDS = 1.0
"""What one decision over all doubts of a request may take."""
MOST = 8
"""Pairs that are decided for one request."""
REMEMBERED = 4096
CLOSE = 1e-12
"""A relative difference of two constants below which they are equal as far as doubles can tell."""
_BRANCHED = frozenset({"sqrt", "cbrt", "abs", "ln", "log", "asin", "acos", "atan"})

Pair = tuple[str, str]
_facts: OrderedDict[Pair, bool | None] = OrderedDict()
"""Whether the expressions of a pair, as they are shown, are equal; None where that was not to be found out."""


@dataclass(frozen=True, slots=True)
class Form:
    """A written answer as the normal forms of its parts and the expressions that they are; parts that are words have
    none. A plain answer is one part.
    """

    parts: tuple[tuple[str, Node | None], ...]

    def equal(self, other: Form) -> bool | None:
        """Whether both are known to be equal, part by part; None when nothing is known beyond their values."""
        if not self._like(other):
            return None
        found = [_known(one, two) for (_, one), (_, two) in zip(self.parts, other.parts, strict=True)]
        return False if False in found else True if True in found else None

    def doubts(self, other: Form) -> Iterator[tuple[Node, Node]]:
        """The parts that SymPy should compare."""
        for (normal, one), (same, two) in zip(self.parts, other.parts, strict=True) if self._like(other) else ():
            if one is not None and two is not None and _doubtful(one, two, alike=normal == same):
                yield one, two

    def _like(self, other: Form) -> bool:
        """Whether they have as many parts, and where there are several the same ones by their values."""
        normals = [[normal for normal, _ in form.parts] for form in (self, other)]
        return len(self.parts) == len(other.parts) == 1 or normals[0] == normals[1]


class Arbiter:
    """Has SymPy decide what is in doubt. Its process starts with the first doubt, and takes the next ones too."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._workers = Workers(bounds or Bounds(seconds=SECONDS, mebibytes=1024, processes=1))
        self._warming: asyncio.Task[None] | None = None

    async def settle(self, forms: Sequence[Form | None]) -> None:
        """Find out, within SECONDS, what is not known yet of each two of `forms`."""
        given = list(dict.fromkeys(form for form in forms if form is not None))
        doubts = (doubt for one, two in combinations(given, 2) for doubt in one.doubts(two))
        unknown = list(islice((doubt for doubt in doubts if _pair(*doubt) not in _facts), MOST))
        if unknown:
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    await asyncio.shield(self._warm())
                    for one, two in unknown:
                        await self._decide(one, two)

    def _warm(self) -> asyncio.Task[None]:
        """The process on its way: waiting for it may end, its start goes on for the next request."""
        warming, loop = self._warming, asyncio.get_running_loop()
        if warming is None or warming.get_loop() is not loop:
            warming = self._warming = loop.create_task(self._started())
        return warming

    async def _started(self) -> None:
        with suppress(WorkerLost, TimeoutError):  # each comparison tries again
            await self._workers.warm()

    async def _decide(self, one: Node, two: Node) -> None:
        pair = _pair(one, two)
        _remember(pair, None)
        try:
            outcome = await self._workers.run(Task("same", "", (one, two)).wire())
        except TooLarge:
            return
        except WorkerLost:
            self._warming = None
            return
        except BaseException:  # out of time: the process was ended, and the next one starts while nobody waits
            self._warming = None
            raise
        if "answer" in outcome:
            _remember(pair, outcome["answer"] == "same")

    async def close(self) -> None:
        """End the process; the next doubt starts another one."""
        warming, self._warming = self._warming, None
        if warming is not None and not warming.done() and warming.get_loop() is asyncio.get_running_loop():
            warming.cancel()
            with suppress(asyncio.CancelledError):
                await warming
        await self._workers.close()


def parted(votes: Sequence[str | None], forms: Sequence[Form | None]) -> list[str | None]:
    """`votes` as what is known of `forms` says: equal ones are the same vote, different ones are not."""
    found = list(votes)
    for i, j in combinations(range(len(found)), 2):
        if found[i] != found[j] and None not in (found[i], found[j]) and _equal(forms, i, j):
            found = [found[i] if vote == found[j] else vote for vote in found]
    heads: dict[str, list[int]] = {}
    for place, vote in enumerate(list(found)):
        if vote is None:
            continue
        others = heads.setdefault(vote, [])
        head = next((other for other in others if _equal(forms, other, place) is not False), None)
        if head is None:
            others.append(place)
            found[place] = vote if len(others) == 1 else f"{vote} ({len(others)})"
        else:
            found[place] = found[head]
    return found


def _equal(forms: Sequence[Form | None], i: int, j: int) -> bool | None:
    one, two = forms[i], forms[j]
    return None if one is None or two is None else one.equal(two)


def _doubtful(one: Node, two: Node, *, alike: bool) -> bool:
    """Whether values can't tell if both are equal; `alike` says that theirs agree to the digits that are shown."""
    if one == two or _approximate(one) or _approximate(two):
        return False
    if not alike:
        return _large(one) and _large(two)
    if variables(one) or variables(two):
        return _branched(one) or _branched(two)
    values = values_of(one), values_of(two)
    if values[0] is None or values[1] is None:
        return False
    return abs(values[0][0] - values[1][0]) > CLOSE * abs(values[0][0])


def _approximate(node: Node) -> bool:
    return any(isinstance(part, Num) and "." in part.text for part in parts(node))


def _branched(node: Node) -> bool:
    """Whether it is another function of its variables from branch to branch."""
    return any(
        isinstance(part, Call) and bool(variables(part)) and (part.name in _BRANCHED or _rooted(part))
        for part in parts(node)
    )


def _rooted(part: Call) -> bool:
    return part.name == "^" and not isinstance(part.args[1], Num) and bool(variables(part.args[0]))


def _large(node: Node) -> bool:
    """Whether it is a constant that is too large for its value to be compared."""
    if variables(node):
        return False
    values = values_of(node)
    return values is None or abs(values[0]) >= EXACT


def _known(one: Node | None, two: Node | None) -> bool | None:
    return None if one is None or two is None or one == two else _facts.get(_pair(one, two))


def _pair(one: Node, two: Node) -> Pair:
    first, second = sorted((show(one), show(two)))
    return first, second


def _remember(pair: Pair, equal: bool | None) -> None:
    _facts[pair] = equal
    while len(_facts) > REMEMBERED:
        _facts.popitem(last=False)
