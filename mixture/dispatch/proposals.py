"""Several experts at once, each with a proposal of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from mixture.dispatch.order import suited, working_first
from mixture.dispatch.outcomes import Failure, no_answer, reason
from mixture.dispatch.samples import Sample, sampled
from mixture.dispatch.validation import InvalidProposal, least_bad
from mixture.errors import Declined, MixtureError
from mixture.estimates import cost_of, expected_usage
from mixture.types import Completion, Emit, Panel, Proposed, Query, Quorum


@dataclass(slots=True)
class Proposals:
    """What came of asking: the completions, those of the cheaper experts first, and the failures."""

    completions: list[Completion] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    salvaged: bool = False
    """None of the completions counts: they are the least bad of what came."""

    @property
    def asked(self) -> int:
        """How many were asked for a proposal and took it on: one who declined says that it is not for him."""
        return self.answered + len(self.missing)

    @property
    def answered(self) -> int:
        """How many proposals count."""
        return 0 if self.salvaged else len(self.completions)

    @property
    def missing(self) -> list[Failure]:
        """The failures, without those who declined."""
        return [(name, error) for name, error in self.failures if not isinstance(error, Declined)]

    def quorum(self, agreed: int) -> Quorum:
        """How many were asked, answered, and agree."""
        return Quorum(self.asked, self.answered, min(agreed, self.answered))

    def degraded(self, least: int) -> list[str]:
        """What could not be had, in words."""
        said = list(dict.fromkeys(_lacking(name, error) for name, error in self.missing))
        if self.answered < least:
            said.append(f"{self.answered} of {self.asked} proposals came, {least} are needed")
        if self.salvaged:
            said.append("no proposal counts: the least bad one is given")
        return said

    def require(self, panel: Panel) -> None:
        """See to it that there is a completion: when no proposal counts, the least bad of what came. Raises NoAnswer
        when nothing came.
        """
        if self.completions:
            return
        self.completions = least_bad(self.failures)
        self.salvaged = bool(self.completions)
        if not self.salvaged:
            raise no_answer(self.failures, panel)


def _lacking(name: str, error: MixtureError) -> str:
    if isinstance(error, InvalidProposal):
        return f"{name} does not count: {reason(error)}"
    return f"{name} did not answer ({reason(error)})"


def members(panel: Panel, query: Query, listed: Sequence[str] | None) -> list[str]:
    """The experts of an ensemble, working ones first: those that are `listed`, else all that suit the query.

    A persona and the expert that it is would say the same twice, so personas stay away unless they are listed or there
    are not two experts without them.
    """
    if listed:
        return working_first([name for name in listed if name in panel.experts], panel, query)
    names = suited(panel, query)
    distinct = [name for name in names if _base(panel, name) not in names]
    return working_first(distinct if len(distinct) > 1 else names, panel, query)


def _base(panel: Panel, name: str) -> str | None:
    base = getattr(panel.experts[name], "base", None)
    return None if base is None else base.card.name


def spread(names: Sequence[str], n: int | None) -> list[str]:
    """Who writes each of `n` proposals: everyone once, then everyone again; everyone once when `n` is None."""
    return [names[i % len(names)] for i in range(n or len(names))] if names else []


async def propose(
    names: Sequence[str], query: Query, panel: Panel, emit: Emit, asks: Sequence[Query] | None = None
) -> Proposals:
    """A proposal from each of `names` (one who stands there twice writes two), told as they finish. `asks` holds the
    query for each where they differ.

    An answer that is empty or does not count (see `mixture.dispatch.validation`) is a failure. Who declines is not told
    of: it was no proposal.
    """
    done: dict[int, Completion] = {}
    result = Proposals()

    async def one(sample: Sample) -> None:
        try:
            completions = await sample.drawn(panel)
        except MixtureError as error:
            completions = [error] * len(sample.places)
        for place, came in zip(sample.places, completions, strict=True):
            if isinstance(came, Completion):
                done[place] = came
                await emit(Proposed(sample.expert, came))
                continue
            result.failures.append((sample.expert, came))
            if not isinstance(came, Declined):
                await emit(Proposed(sample.expert, error=reason(came)))

    async with asyncio.TaskGroup() as group:
        for sample in sampled(names, asks or [query] * len(names), panel):
            group.create_task(one(sample))
    usage = expected_usage(query)
    cheap = sorted(done, key=lambda index: (cost_of(panel.experts[names[index]].card, usage), index))
    result.completions = [done[index] for index in cheap]
    return result
