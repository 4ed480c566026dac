"""What a configuration may say of an experiment on live traffic."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mixture.config.expert import Name
from mixture.config.section import Section


class ExperimentConfig(Section):
    """Two ways of answering that are compared on an alias's traffic. Needs `feedback.folder`, where the figures go."""

    control: Name
    """The way of today: an expert, a strategy, or an alias that is no experiment itself."""
    candidate: Name
    """The way that may replace it; named as `control`."""
    mode: Literal["split", "shadow"] = "split"
    """`split`: a part of the sessions is answered by the candidate. `shadow`: the control answers all, and afterwards,
    in the background, the candidate is asked for a part of them too; its answer is compared and thrown away."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The part of the sessions that goes to the candidate, or is asked of it as well; in a split at most 0.95."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """How sure a verdict has to be. It holds however often one looks."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """A difference of the mean score (0..1) that would not matter: when the interval lies within, the experiment may
    stop with both being as good."""
