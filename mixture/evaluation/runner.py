"""Asks every item of every arm, grades, and keeps what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mixture.evaluation.arms import Arm, Contest
from mixture.evaluation.attempts import Attempt, Proposal
from mixture.evaluation.items import Broken, Item
from mixture.evaluation.patience import Patience
from mixture.evaluation.purse import Purse, Spending
from mixture.evaluation.records import Record, Score, record
from mixture.evaluation.scorers import Scorer
from mixture.evaluation.store import Done, Writer
from mixture.evaluation.tally import Tally

UNGRADED = Score(None)


@dataclass(frozen=True, slots=True)
class Terms:
    """How an evaluation is run: questions at once, seconds that an upstream may be away, and whether the proposals of
    ensembles are graded too.
    """

    concurrency: int = 16
    patience: float = 300.0
    grade_proposals: bool = True


@dataclass(slots=True)
class Runner:
    """One process's part of an evaluation. `stop` may be set from outside: what is under way is finished."""

    contest: Contest
    scorer: Scorer
    writer: Writer
    terms: Terms = field(default_factory=Terms)
    purse: Spending = field(default_factory=Purse)
    tally: Tally = field(default_factory=Tally)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _patience: dict[int, Patience] = field(default_factory=dict)

    async def run(self, items: Iterator[Item | Broken], done: Done) -> Tally:
        """Ask what is not `done`, at most `terms.concurrency` at once. An item's arms are asked one after the other, so
        that a run that ends early has asked the same of all.
        """
        waiting = self._questions(items, done)
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, self.terms.concurrency)):
                group.create_task(self._work(waiting))
        return self.tally

    def _questions(self, items: Iterator[Item | Broken], done: Done) -> Iterator[tuple[Item, Arm]]:
        for item in items:
            if isinstance(item, Broken):
                self.tally.fault(item.why)
                continue
            for arm in self.contest.arms:
                if not done.has(item.position, arm.name):
                    yield item, arm

    async def _work(self, waiting: Iterator[tuple[Item, Arm]]) -> None:
        while not self.stop.is_set() and await self._affordable():
            question = next(waiting, None)
            if question is None:
                await self.purse.give_back()
                return
            await self._one(*question)

    async def _affordable(self) -> bool:
        """Wait until the purse has money for one more; False when it never will."""
        while not (enough := await self.purse.take()):
            if enough is None:
                self.tally.stopped = "the cost cap is reached"
                return False
            await asyncio.sleep(0.01)
            if self.stop.is_set():
                return False
        return True

    async def _one(self, item: Item, arm: Arm) -> None:
        cost: float | None = 0.0
        try:
            attempt = await self._asked(item, arm)
            cost = attempt.cost_usd
            kept = await self._graded(item, arm, attempt)
        finally:
            await self.purse.settle(cost)
        self.writer.add(kept)
        self.tally.note(kept)

    async def _asked(self, item: Item, arm: Arm) -> Attempt:
        answerer = self.contest.answerers[arm.name]
        patience = self._patience.setdefault(id(answerer), Patience(self.terms.patience, self.tally))
        try:
            return await patience.through(lambda: answerer.ask(item.messages, arm.model))
        except Exception as error:  # a defect of one expert must not end a night's work
            return Attempt(error=f"{type(error).__name__}: {error}")

    async def _graded(self, item: Item, arm: Arm, attempt: Attempt) -> Record:
        score = UNGRADED if attempt.text is None else await self._score(item, attempt.text)
        proposals = attempt.proposals
        if self.terms.grade_proposals and self.scorer.cheap and attempt.alone is None:
            proposals = tuple([await self._scored(item, proposal) for proposal in proposals])
        return record(item, arm.name, attempt, score, proposals, time.time())

    async def _scored(self, item: Item, proposal: Proposal) -> Proposal:
        if proposal.response is None or proposal.subtask is not None:
            return proposal
        return replace(proposal, score=(await self._score(item, proposal.response)).value)

    async def _score(self, item: Item, text: str) -> Score:
        try:
            return await self.scorer.score(item, text)
        except Exception as error:  # a scorer may be the user's own, and what it gets is a model's
            return Score(None, error=f"{type(error).__name__}: {error}")
