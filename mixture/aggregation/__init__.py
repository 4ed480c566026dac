"""Putting proposals together: final answers found in texts, their normal forms, votes, agreement, scores."""

from __future__ import annotations

from importlib import import_module

from mixture.aggregation import reliability
from mixture.aggregation.composing import Composing
from mixture.aggregation.equality import Arbiter
from mixture.aggregation.majority import Majority
from mixture.aggregation.scoring import Completeness
from mixture.config import AggregatorConfig, ConfigError
from mixture.types import Aggregator, Embedder, Scorer

__all__ = ["make_aggregator", "make_scorer"]


def make_aggregator(embedder: Embedder | None, config: AggregatorConfig | None = None) -> Aggregator:
    """The aggregator: votes on short answers, agreement of long ones, by `embedder` or (None) by their words; or a
    query for whoever is to write one text out of all.

    Raises ConfigError when the file of `config.reliability` can't be used.
    """
    if config is None or config.reliability is None:
        return Composing(Majority(embedder, arbiter=Arbiter()))
    try:
        return Composing(Majority(embedder, reliability.load(config.reliability), arbiter=Arbiter()))
    except reliability.ReliabilityError as error:
        raise ConfigError(f"aggregator.reliability: {error.message}", param="aggregator.reliability") from None


def make_scorer(path: str | None = None) -> Scorer:
    """The scorer of single answers: the built-in one, or what the factory at `path` (`package.module:factory`) makes.

    Raises ConfigError when there is no such factory, or when what it makes can't score.
    """
    if path is None:
        return Completeness()
    module, _, factory = path.partition(":")
    try:
        scorer: Scorer = getattr(import_module(module), factory)()
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"scorer: {path!r} can't be loaded ({error}); write package.module:factory", param="scorer"
        ) from None
    if not callable(getattr(scorer, "score", None)):
        raise ConfigError(f"scorer: what {path!r} makes has no `score(query, completion)`", param="scorer")
    return scorer
