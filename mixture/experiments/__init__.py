"""Experiments on live traffic: who answers which session, what came of it, and whether that is enough to stop."""

from mixture.experiments.arms import Experiments, Exposure
from mixture.experiments.records import Exposed, Mirrored, Side
from mixture.experiments.status import Status, status_of

__all__ = ["Experiments", "Exposed", "Exposure", "Mirrored", "Side", "Status", "status_of"]
