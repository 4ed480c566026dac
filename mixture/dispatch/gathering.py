"""What came of asking several experts, and on which terms they are asked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mixture.config import OnPartial, StrategyOptions
from mixture.dispatch.outcomes import Failure, no_answer, reason
from mixture.dispatch.validation import InvalidProposal, least_bad
from mixture.errors import Declined, MixtureError, NoAnswer
from mixture.types import Completion, Panel, Query, Quorum

LATE = "late"
"""The code of the error of a proposal that was not done in time."""


@dataclass(slots=True)
class Proposals:
    """What came of asking: the completions, those of the cheaper experts first, the failures, and the names of those
    who were stopped because their answers were not needed any more.
    """

    completions: list[Completion] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    salvaged: bool = False
    """None of the completions counts: they are the least bad of what came."""

    @property
    def asked(self) -> int:
        """How many were asked for a proposal and took it on: one who declined says that it is not for him."""
        return self.answered + len(self.missing) + len(self.cancelled)

    @property
    def answered(self) -> int:
        """How many proposals count."""
        return 0 if self.salvaged else len(self.completions)

    @property
    def missing(self) -> list[Failure]:
        """The failures, without those who declined."""
        return [(name, error) for name, error in self.failures if not isinstance(error, Declined)]

    @property
    def late(self) -> bool:
        """Whether the time was over before all had answered."""
        return any(error.code == LATE for _, error in self.failures)

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


Stop = Callable[[Proposals, Sequence[str]], Awaitable[str | None]]
"""Told what came and who is still at work: why that is enough, in words; None when it is not."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms proposals are gathered: `least` are needed, and `on_partial` says what happens when fewer come
    (`retry` asks the `spares`, and then those who failed once more). `stop` is asked after each proposal whether the
    others are still needed. At `until`, in seconds since the epoch, the answer goes on with what came, if anything did.
    `keep` US dollars are left for what comes after the proposals.
    """

    least: int = 1
    on_partial: OnPartial = "accept"
    stop: Stop | None = None
    until: float | None = None
    spares: tuple[str, ...] = ()
    keep: float = 0.0


MARGIN = 0.05
"""The share of the time that is left which is kept for putting proposals together."""
AHEAD = 0.4
"""The share that is kept where an expert is to write the answer afterwards and nothing is known of its pace."""


def soft_deadline(query: Query, on_partial: OnPartial | None, ahead: float = 0.0) -> float | None:
    """When the answer is to go on with the proposals that came, in seconds since the epoch: `ahead` seconds, and a
    margin, before the query's deadline. None when there is no deadline, or when a partial result is none.
    """
    end = query.limits.deadline
    if end is None or on_partial == "reject":
        return None
    now = time.time()
    return max(now, end - ahead - MARGIN * max(0.0, end - now))


def ahead(query: Query, stages: int) -> float:
    """Seconds to keep for so many `stages` after the proposals, each an expert's work; 0 without a deadline."""
    end = query.limits.deadline
    return 0.0 if end is None else max(0.0, end - time.time()) * (1 - (1 - AHEAD) ** stages)


def rejected(came: Proposals, least: int) -> NoAnswer:
    """The error when fewer proposals came than are needed and `on_partial` is `reject`."""
    causes = tuple((name, reason(error)) for name, error in came.failures)
    lacking = "; ".join(f"{name}: {why}" for name, why in causes) or "no more experts could be asked"
    message = f"{len(came.completions)} of {came.asked} proposals came, {least} are needed ({lacking})"
    declined = bool(causes) and not came.missing
    return NoAnswer(message, causes=causes, declined=declined, code="too_few_answers")


def complete_or_raise(failures: Iterable[Failure], parts: int, options: StrategyOptions) -> None:
    """Raises NoAnswer when some of the `parts` of a request got no answer and `on_partial` is `reject`."""
    failed = list(failures)
    if not failed or options.on_partial != "reject":
        return
    causes = tuple((name, reason(error)) for name, error in failed)
    said = "; ".join(f"{name}: {why}" for name, why in causes)
    message = f"{len(failed)} of {parts} parts of the request got no answer ({said})"
    raise NoAnswer(message, causes=causes, code="too_few_answers")
