"""What users say of answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mixture.config.section import Positive, Section


class FeedbackConfig(Section):
    """What becomes of `POST /v1/mixture/feedback`. Without a `folder` it is switched off."""

    folder: str | None = None
    """Where `outcomes.jsonl` is appended to, an outcome log for `mixture calibrate`, and what was learned is kept."""
    log_prompts: bool = False
    """Whether the log holds prompts and corrections; without them it can't be calibrated from."""
    learn: bool = True
    """Whether the learned router (`router.file`) learns from feedback as it comes."""
    ttl: Positive = 86_400.0
    """Seconds for which a request is remembered, in memory only, so that it can be judged."""
    remembered: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Requests that are remembered at most."""
    per_hour: Annotated[int, Field(ge=1)] = 600
    """Notes that one key may send in an hour; further ones get 429."""
    refresh: Positive = 5.0
    """Seconds after which a gateway asks whether there is a new version to route by."""
