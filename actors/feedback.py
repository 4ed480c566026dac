"""The one desk where all gateways hand in what users say: one writer of the log, one learner."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mixture.config import ExperimentConfig, FeedbackConfig, RouterConfig
from mixture.experiments import Mirrored, Status
from mixture.feedback import Desk, Note, Receipt, Remembered
from mixture.logs import write_log
from mixture.routing.calibration import Calibration


class FeedbackActor:
    """A plain class, to be made an actor where it is started, once. Raises ConfigError when the folder can't be
    written.
    """

    def __init__(self, config: FeedbackConfig, router: RouterConfig) -> None:
        write_log("feedback", os.environ)
        self._desk = Desk(config, router)

    async def remember(self, requests: Sequence[Remembered]) -> None:
        """See `mixture.feedback.FeedbackHost`."""
        await self._desk.remember(requests)

    async def mirrored(self, what: Mirrored) -> None:
        """See `mixture.feedback.FeedbackHost`."""
        await self._desk.mirrored(what)

    async def experiments(self, configs: Mapping[str, ExperimentConfig]) -> Sequence[Status]:
        """See `mixture.feedback.FeedbackHost`."""
        return await self._desk.experiments(configs)

    async def give(self, note: Note) -> Receipt:
        """See `mixture.feedback.FeedbackHost`."""
        return await self._desk.give(note)

    async def newer(self, version: str | None) -> Calibration | None:
        """See `mixture.feedback.FeedbackHost`."""
        return await self._desk.newer(version)

    async def facts(self) -> dict[str, Any]:
        """See `mixture.feedback.FeedbackHost`."""
        return await self._desk.facts()
