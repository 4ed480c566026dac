"""What happened to one request while it was answered: the makings of its `Report` and of its log line."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mixture.experiments import Exposure
from mixture.metering import Meter, covered
from mixture.types import (
    Adjusted,
    Budget,
    Chosen,
    Completion,
    Event,
    Experiment,
    Passage,
    Plan,
    Planned,
    Proposed,
    Report,
    Retrieved,
    Route,
    Routed,
    Usage,
)


@dataclass(slots=True)
class Trace(Meter):
    """Filled while a request is answered, also when it fails."""

    requested: str = "auto"
    cache: str = "bypass"
    """What the cache had for it: `hit`, `miss`, `shared`, `semantic`; `bypass` where it was not asked."""
    route: Route | None = None
    plan: Plan | None = None
    proposals: list[Proposed] = field(default_factory=list)
    passages: tuple[Passage, ...] = ()
    started: float = field(default_factory=time.perf_counter)
    exposure: Exposure | None = None
    """What an experiment does with the request, where its model is one."""

    def note(self, event: Event) -> None:
        """Remember what the report needs of an event; the first route is the request's own."""
        if isinstance(event, Routed):
            if self.route is None:
                self.route = event.route
        elif isinstance(event, Chosen):
            self.executed = event.strategy
        elif isinstance(event, Retrieved):
            self.passages = event.passages
        elif isinstance(event, Planned):
            self.plan = event.plan
        elif isinstance(event, Proposed):
            self.proposals.append(event)
        elif isinstance(event, Adjusted) and event not in self.adjustments:
            self.adjustments.append(event)

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the request came."""
        return (time.perf_counter() - self.started) * 1e3

    @property
    def overhead_ms(self) -> float:
        """Milliseconds so far in which no call was under way: what was added to the experts' own time."""
        return (time.perf_counter() - self.started - covered(self.spans)) * 1e3

    def report(self, completion: Completion | None = None) -> Report:
        """The report as of now; `completion` is None when the request failed."""
        known = [call.cost_usd for call in self.calls if call.cost_usd is not None]
        return Report(
            strategy_requested=self.requested,
            strategy_executed=self.executed,
            calls=tuple(self.calls),
            route=self.route,
            plan=self.plan,
            agreement=completion.agreement if completion else None,
            quorum=completion.quorum if completion else None,
            degraded=completion.degraded if completion else None,
            confidence=completion.confidence if completion else None,
            aggregation=completion.aggregation if completion else None,
            fields=completion.fields if completion else None,
            passages=self.passages,
            adjustments=tuple(self.adjustments),
            budget=self._budget(),
            experiment=self._experiment(),
            usage=sum((call.usage for call in self.calls), Usage()),
            cost_usd=sum(known),
            cost_complete=len(known) == len(self.calls),
            latency_ms=self.elapsed_ms,
        )

    def _experiment(self) -> Experiment | None:
        """The arm of a split; what is done in the background is nobody's business."""
        found = self.exposure
        return None if found is None else Experiment(found.experiment, found.arm, found.model)

    def _budget(self) -> Budget | None:
        held = self.envelope
        return None if held is None else Budget(held.most, held.reserved, held.spent)
