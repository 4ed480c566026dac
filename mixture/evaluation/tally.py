"""How far an evaluation is: counted while it runs, shown as it goes and summed up at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mixture.evaluation.records import Record


@dataclass(slots=True)
class ArmTally:
    """One arm's counts. `right` is the sum of the scores."""

    answered: int = 0
    failed: int = 0
    scored: int = 0
    right: float = 0.0
    cost_usd: float = 0.0
    unpriced: int = 0

    def note(self, record: Record) -> None:
        """Count a record."""
        self.answered += record.error is None
        self.failed += record.error is not None
        self.cost_usd += record.cost_usd or 0.0
        self.unpriced += record.cost_usd is None
        if record.score is not None:
            self.scored += 1
            self.right += record.score


@dataclass(slots=True)
class Tally:
    """Everything that is counted. `before` were finished when this run began."""

    total: int = 0
    before: int = 0
    asked: int = 0
    broken: int = 0
    waiting: bool = False
    """Whether the run waits for an upstream that does not answer."""
    outages: int = 0
    arms: dict[str, ArmTally] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    scorer_errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """What was wrong with rows."""
    stopped: str | None = None
    """Why the run ended before it had asked everything."""

    def note(self, record: Record) -> None:
        """Count a record of this run."""
        self.asked += 1
        self.arms.setdefault(record.arm, ArmTally()).note(record)
        if record.error is not None:
            self.errors[record.error[:200]] += 1
        if record.scorer_error is not None:
            self.scorer_errors[record.scorer_error[:200]] += 1

    def fault(self, why: str) -> None:
        """Count a row that can't be asked."""
        self.broken += 1
        self.faults[why[:200]] += 1

    @property
    def cost_usd(self) -> float:
        """What this run has cost so far, as far as prices are known."""
        return sum(arm.cost_usd for arm in self.arms.values())

    def add(self, other: Tally) -> None:
        """Add what another process counted."""
        self.asked += other.asked
        self.broken += other.broken
        self.outages += other.outages
        self.errors += other.errors
        self.scorer_errors += other.scorer_errors
        self.faults += other.faults
        self.stopped = self.stopped or other.stopped
        for name, theirs in other.arms.items():
            mine = self.arms.setdefault(name, ArmTally())
            for count in ArmTally.__dataclass_fields__:
                setattr(mine, count, getattr(mine, count) + getattr(theirs, count))
