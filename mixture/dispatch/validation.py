"""Proposals that do not count: each is a failure with its reason, and what is done when there are no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mixture.aggregation.validity import fault
from mixture.dispatch.outcomes import Failure, told
from mixture.errors import ExpertUnavailable
from mixture.types import Completion, Query


class InvalidProposal(ExpertUnavailable):
    """The expert answered, and what it said does not count as a proposal: `completion` with the `gravity` of its
    fault.
    """

    default_code = "invalid_proposal"

    def __init__(self, message: str, *, completion: Completion | None = None, gravity: int = 0, **details: Any) -> None:
        super().__init__(message, **details)
        self.completion = completion
        self.gravity = gravity

    def details(self) -> dict[str, Any]:
        """The keyword arguments that make this error again."""
        return {**super().details(), "completion": self.completion, "gravity": self.gravity}


def checked(query: Query, completion: Completion) -> Completion:
    """`completion`, when it counts as a proposal for `query`. Raises ExpertUnavailable when it is empty, and
    InvalidProposal when it is a refusal, cut off, or not in the form that was asked for.
    """
    found = fault(query, told(completion))
    if found is None:
        return completion
    why = f"its proposal {found.why}"
    raise InvalidProposal(why, completion=completion, gravity=int(found.gravity), expert=completion.expert)


def least_bad(failures: Sequence[Failure]) -> list[Completion]:
    """Of the answers that do not count those with the smallest fault: what there is when no proposal counts."""
    invalid = [error for _, error in failures if isinstance(error, InvalidProposal)]
    least = min((error.gravity for error in invalid), default=0)
    return [error.completion for error in invalid if error.gravity == least and error.completion is not None]
