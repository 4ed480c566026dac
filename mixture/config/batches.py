"""What a configuration may say of batches."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mixture.config.section import Positive, Section, Share


class BatchesConfig(Section):
    """OpenAI's Batch API: files of requests that are answered beside live traffic."""

    folder: str | None = None
    """Where files and batches are kept; `batches` in Mixture's own folder (`~/.mixture`) when left out. With gateways
    on several machines it has to be one that all of them see."""
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Requests of a batch that are answered at once, while there is no live traffic."""
    busy: Share = 0.5
    """The share of a gateway's places for live requests from which on its batches stand still; below it they take the
    fewer places the busier it is."""
    max_file_bytes: Annotated[int, Field(gt=0)] = 200_000_000
    """Files over this are refused."""
    max_requests: Annotated[int, Field(ge=1)] = 50_000
    """Requests that a batch may have."""
    keep_days: Positive = 30.0
    """Days after which files and finished batches are removed."""
