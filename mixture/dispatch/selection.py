"""The best of several proposals: by a judge, seen in two orders, or without any call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mixture.aggregation.exhibits import order_of
from mixture.aggregation.judging import LETTERS, POINTS, Judgement, judging, read
from mixture.dispatch.casting import impartial
from mixture.dispatch.outcomes import reason
from mixture.dispatch.proposals import Proposals
from mixture.dispatch.routes import cascaded
from mixture.dispatch.spare import first_to_play
from mixture.dispatch.verdicts import support
from mixture.dispatch.writing import writers
from mixture.errors import ExpertUnavailable, MixtureError
from mixture.prompts import JUDGE_MEND
from mixture.streams import complete
from mixture.types import Aggregation, Completion, Emit, Expert, Message, Panel, Query, Scored

AGREEMENT, QUALITY = 1 / 3, 1 / 3
"""What agreement with the others and the router's prediction count in a score beside the scorer's own judgement, which
counts 1."""
JUDGES = 2
"""Judges that are asked in turn before the choice is made without one."""


@dataclass(frozen=True, slots=True)
class Score:
    """What can be seen of a proposal without a call: how good it looks by itself and together with the rest."""

    whole: float
    agreement: float | None
    why: str


async def scores(
    query: Query,
    panel: Panel,
    completions: Sequence[Completion],
    shares: Sequence[float | None],
    quality: Mapping[str, float] | None = None,
) -> list[Score]:
    """A score in 0..1 for each completion: the scorer's, its share of `shares`, the agreement with the others, and the
    `quality` that the router predicts of who proposed it, as far as there is any.
    """
    found = []
    for completion, share in zip(completions, shares, strict=True):
        own = await panel.scorer.score(query, completion)
        parts, why = [(1.0, own)], [f"by itself {own:.2f}"]
        why.append("nothing to compare it with" if share is None else f"agreement {share:.2f}")
        if share is not None:
            parts.append((AGREEMENT, share))
        if quality and completion.expert in quality:
            parts.append((QUALITY, quality[completion.expert]))
            why.append(f"predicted {quality[completion.expert]:.2f}")
        whole = sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)
        found.append(Score(whole, share, ", ".join(why)))
    return found


def judges_of(wanted: str | None, query: Query, panel: Panel) -> list[str]:
    """The judge that was named, and behind it those that can step in: working ones first, cheapest first. Without a
    name nobody judges.
    """
    if wanted is None:
        return []
    spare = [name for name in cascaded(writers(panel.experts, panel), query, panel, None) if name != wanted]
    return [wanted, *spare]


async def selected(
    came: Proposals,
    judges: Sequence[str],
    query: Query,
    panel: Panel,
    emit: Emit,
    quality: Mapping[str, float] | None = None,
    wanted: str | None = None,
) -> Completion:
    """The best of `came` (never empty), by the first of `judges` that gives a verdict and proposed nothing itself; by
    its score where there is none. `wanted` is the judge that was named; `degraded` says when it was not to be had.
    """
    completions = came.completions
    shares, gone = await support(query, completions, panel)
    found = await scores(query, panel, completions, shares, quality)
    verdict, lacking = await _judged(judges, wanted, completions, query, panel)
    if verdict is None:
        best = _best(range(len(completions)), found)
        for completion, score in zip(completions, found, strict=True):
            await emit(Scored(completion.expert, score.whole, score.why))
    else:
        best = verdict.chosen if verdict.chosen is not None else _best(verdict.tied, found)
        await verdict.tell(completions, emit)
    share = found[best].agreement
    agreed = 1 if share is None else 1 + round(share * (len(completions) - 1))
    return replace(
        completions[best],
        agreement=share,
        quorum=came.quorum(agreed),
        degraded="; ".join([*lacking, *filter(None, [gone])]) or None,
        aggregation=Aggregation("selection", verdict.by if verdict else None),
    )


def _best(places: Sequence[int], found: Sequence[Score]) -> int:
    return max(places, key=lambda place: found[place].whole)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a judge says after both orders: the `chosen` proposal, or those between which it wavered."""

    by: str
    judgements: Sequence[Judgement]
    winners: Sequence[int]

    @property
    def chosen(self) -> int | None:
        return self.winners[0] if len(set(self.winners)) == 1 else None

    @property
    def tied(self) -> list[int]:
        """The winners of both orders, the first listed first: it is the cheaper one."""
        return sorted(self.winners)

    async def tell(self, completions: Sequence[Completion], emit: Emit) -> None:
        """The mean of both orders' points for each proposal; of a judge who named only the best, how often it did."""
        tie = "" if self.chosen is not None else "; it chose another one in the other order, so the scores decide"
        for place, completion in enumerate(completions):
            given = [_points(judgement, place) for judgement in self.judgements]
            await emit(Scored(completion.expert, sum(given) / len(given), f"judged by {self.by} in two orders{tie}"))


def _points(judgement: Judgement, place: int) -> float:
    if judgement.points is None:
        return float(judgement.best == place)
    return judgement.points[place] / POINTS


async def _judged(
    judges: Sequence[str], wanted: str | None, completions: Sequence[Completion], query: Query, panel: Panel
) -> tuple[_Verdict | None, list[str]]:
    """The verdict of the first judge that gives one, and what could not be had."""
    if not judges or len(completions) < 2:
        return None, []
    wrote = {completion.expert for completion in completions if completion.expert in panel.experts}
    here = [name for name in judges if name in panel.experts]
    able = impartial(here, wrote, panel)
    lacking = [f"{wanted} can't do what the request needs"] if wanted and wanted not in here else []
    partial = next((name for name in here if name not in able and (name == wanted or not able)), None)
    if partial is not None:
        lacking.append(f"{partial} does not judge what it proposed itself")
    if len(completions) > len(LETTERS):
        return None, [*lacking, f"a judge can't compare more than {len(LETTERS)} proposals"]
    if not able:
        return None, [*lacking, "the proposals were compared without a judge"]
    try:
        played = await first_to_play(
            able[:JUDGES], "judge", lambda name: _verdict(name, completions, query, panel), panel
        )
    except MixtureError as error:
        return None, [*lacking, f"the proposals were compared without a judge ({reason(error)})"]
    return played.result, [*lacking, *filter(None, [played.lacking])]


async def _verdict(name: str, completions: Sequence[Completion], query: Query, panel: Panel) -> _Verdict:
    """What `name` says of both orders at once. Raises what asking it raises."""
    judge, lengths = panel.experts[name], [len(completion.text) for completion in completions]
    order = order_of(query, len(completions))
    asked = [_judgement(judge, completions, way, query) for way in (order, order[::-1])]
    # One that fails does not cancel the other: both are under way, and paid for.
    given: list[Judgement] = []
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        given.append(outcome)
    return _Verdict(name, given, [judgement.winner(lengths) for judgement in given])


async def _judgement(judge: Expert, completions: Sequence[Completion], order: Sequence[int], query: Query) -> Judgement:
    """The verdict on one order, mended once where that was needed."""
    asked = judging(query, completions, order, judge.card)
    answer = await complete(judge, asked)
    found = read(answer.text, order)
    if isinstance(found, str):
        said = Message("assistant", answer.text or "(nothing)"), Message("user", JUDGE_MEND.format(fault=found))
        found = read((await complete(judge, replace(asked, messages=(*asked.messages, *said)))).text, order)
    if isinstance(found, str):
        raise ExpertUnavailable(f"no verdict that can be used: {found}", expert=judge.card.name)
    return found
