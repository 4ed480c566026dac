"""What was found put in order by a model that reads it beside the question: a cross-encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

from mixture.config import ConfigError
from mixture.retrieval.hybrid import Found, Rerank
from mixture.retrieval.rows import worded_as

READ = 30
"""Passages that a cross-encoder reads for one question: it takes tens of milliseconds each."""


def cross_encoder(folder: str) -> Rerank:
    """Scores of the model in `folder`, in the form of sentence-transformers, for the first `READ`; the others stay
    behind them. Raises ConfigError, at the first question, when there is none.
    """

    async def rerank(text: str, found: Sequence[Found]) -> Sequence[float]:
        pairs = [(text, worded_as(one.hit.heading, one.hit.text)) for one in found[:READ]]
        scores = await asyncio.to_thread(_scores, folder, pairs)
        least = min(scores, default=0.0)
        return [*scores, *(least - place for place in range(1, len(found) - len(scores) + 1))]

    return rerank


def _scores(folder: str, pairs: list[tuple[str, str]]) -> list[float]:
    return [float(score) for score in _loaded(folder).predict(pairs, show_progress_bar=False)]


@cache
def _loaded(folder: str) -> Any:
    from sentence_transformers import CrossEncoder

    try:
        return CrossEncoder(folder, device="cpu", local_files_only=True)
    except (OSError, ValueError) as error:
        where = "documents.reranker"
        raise ConfigError(f"{where}: no cross-encoder in {folder} ({error})", param=where) from None
