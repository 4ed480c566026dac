"""A model that judges: the answer against the reference, seen in both orders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mixture.aggregation.judging import Judgement, judging, read
from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Ask, Means
from mixture.evaluation.scorers.answers import reference_of
from mixture.types import Choice, Completion, ExpertCard, Query

ORDERS = ((0, 1), (1, 0))
ANSWER, REFERENCE = 0, 1


class NoVerdict(RuntimeError):
    """The judge said nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Judge:
    """1 where the answer wins in both orders, 0 where the reference does, a half where the judge is of two minds or
    sees no difference. Length costs what `mixture.aggregation.judging` says; win rates in which length counts nothing
    at all are computed over all items, in the report.
    """

    ask: Ask
    model: str
    cheap: bool = False

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`. Raises NoVerdict."""
        reference = reference_of(item)
        if not answer.strip():
            return Score(0.0, "the answer is empty")
        verdicts = await asyncio.gather(*(self._verdict(item, answer, reference, order) for order in ORDERS))
        lengths = len(answer), len(reference)
        points = [_points(verdict, lengths) for verdict in verdicts]
        words = {1.0: "better than the reference", 0.5: "no difference that both orders show", 0.0: "worse"}
        value = sum(points) / 2 if points[0] == points[1] else 0.5
        return Score(value, words[value])

    async def _verdict(self, item: Item, answer: str, reference: str, order: tuple[int, ...]) -> Judgement:
        proposals = [Completion(name, (Choice(text),)) for name, text in (("answer", answer), ("reference", reference))]
        query = judging(Query(item.messages), proposals, order, ExpertCard(self.model, "judge"))
        attempt = await self.ask(query.messages, self.model)
        if attempt.text is None:
            raise NoVerdict(f"the judge {self.model} did not answer: {attempt.error}")
        found = read(attempt.text, order)
        if isinstance(found, str):
            raise NoVerdict(f"the verdict of {self.model} can't be read: {found}")
        return found


def _points(verdict: Judgement, lengths: tuple[int, int]) -> float:
    """1 for the answer, 0 for the reference, a half for a tie."""
    given = verdict.points
    if given is not None and given.get(ANSWER) == given.get(REFERENCE):
        return 0.5
    return 1.0 if verdict.winner(lengths) == ANSWER else 0.0


def judge(argument: str, means: Means) -> Judge:
    """`judge:MODEL`. Raises InvalidQuery."""
    if not argument or means.ask is None:
        raise InvalidQuery("`judge:MODEL` is expected: who is to judge", param="scorer")
    return Judge(means.ask, argument)
