"""How far proposals agree with each other."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.aggregation.ballots import Ballot, ballots
from mixture.aggregation.similarity import Matrix, lexical
from mixture.types import Completion, Query


def countable(votes: Sequence[Ballot]) -> bool:
    """Whether the proposals can be counted: most of them name an answer."""
    return 2 * sum(vote is not None for vote in votes) > len(votes)


def supports(query: Query, completions: Sequence[Completion]) -> list[float | None]:
    """For each proposal the share of the others that say the same or, for long texts, its mean similarity to them.
    None for all when there is only one.
    """
    if len(completions) < 2:
        return [None for _ in completions]
    votes = ballots(query, completions)
    if countable(votes):
        return [0.0 if vote is None else (votes.count(vote) - 1) / (len(votes) - 1) for vote in votes]
    return list(mean_similarity(lexical([completion.text for completion in completions])))


def mean_similarity(matrix: Matrix) -> list[float]:
    """The mean similarity of each text to the others."""
    return [(sum(row) - row[i]) / max(1, len(row) - 1) for i, row in enumerate(matrix)]
