"""How far each expert is to be believed: weights of their votes, and what a vote is worth as a probability.

An answer's score is the sum of the weights of the experts who gave it, in the request's domain, plus `crowd` times the
logarithm of their number: experts who agree are often wrong together, so that the tenth vote says less than the second.
The scores and one for "none of them is right" become probabilities by a softmax. With votes independent of each other
and `crowd` 0 this is the model of Dawid and Skene (1979) with one coin an expert; see `learning` for where it is from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mixture.errors import InvalidQuery
from mixture.writing import write_json

VERSION = 1
"""The format's version. It changes when a stored file would be read with another meaning."""

Votes = Sequence[tuple[str, str | None]]
"""Who gives which answer, in its normal form; None for an answer that names none."""


class ReliabilityError(InvalidQuery):
    """The stored reliabilities can't be used; `message` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one expert: the share of its `rows` answers that were right, the weight of its vote beside that
    of anybody's, and what is added to it in single domains.
    """

    right: float
    rows: int
    weight: float = 0.0
    domains: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reliability:
    """The weights of votes. `common` is the weight of anybody's vote, an unknown expert's included; `none` the score of
    "none of them is right", with what single `domains` add to it; `slope` and `offset` calibrate the log-odds of the
    answer chosen (Platt 1999). `labelled` says whether right answers were known when it was learned.
    """

    experts: Mapping[str, Standing]
    common: float
    crowd: float = 0.0
    none: float = 0.0
    domains: Mapping[str, float] = field(default_factory=dict)
    slope: float = 1.0
    offset: float = 0.0
    labelled: bool = True

    def weight(self, expert: str, domain: str = "") -> float:
        """What the vote of `expert` counts in `domain`."""
        standing = self.experts.get(expert)
        return self.common + (0.0 if standing is None else standing.weight + standing.domains.get(domain, 0.0))

    def scores(self, votes: Votes, domain: str = "") -> dict[str, float]:
        """The score of each answer that is given."""
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for expert, answer in votes:
            if answer is not None:
                sums[answer] = sums.get(answer, 0.0) + self.weight(expert, domain)
                counts[answer] = counts.get(answer, 0) + 1
        return {answer: value + self.crowd * math.log(counts[answer]) for answer, value in sums.items()}

    def probability(self, answer: str, votes: Votes, domain: str = "") -> float:
        """The calibrated probability that `answer`, which is given in `votes`, is right."""
        odds = self.log_odds(answer, votes, domain)
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, self.slope * odds + self.offset))))

    def log_odds(self, answer: str, votes: Votes, domain: str = "") -> float:
        """The logarithm of the odds that `answer` is right, before calibration."""
        scores = self.scores(votes, domain)
        own = scores.pop(answer)
        others = [*scores.values(), self.none + self.domains.get(domain, 0.0)]
        top = max(others)
        return own - top - math.log(sum(math.exp(other - top) for other in others))


def save(reliability: Reliability, path: str | Path) -> None:
    """Write `reliability` to `path` as JSON, whole or not at all."""
    write_json(Path(path), {"version": VERSION, **asdict(reliability)}, indent=1)


def load(path: str | Path) -> Reliability:
    """The reliabilities at `path`. Raises ReliabilityError when the file is missing, damaged or of another version."""
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        version = stored.pop("version", None)
        if version != VERSION:
            raise ReliabilityError(f"{path}: version {version!r}, not {VERSION}: learn it again")
        return _rebuilt(stored)
    except OSError as error:
        raise ReliabilityError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReliabilityError(f"{path}: not stored reliabilities, or damaged: {error}") from None


def _rebuilt(stored: dict[str, Any]) -> Reliability:
    experts = {
        str(name): Standing(
            _finite(entry["right"]), int(entry["rows"]), _finite(entry["weight"]), _finites(entry["domains"])
        )
        for name, entry in stored["experts"].items()
    }
    figures = {name: _finite(stored[name]) for name in ("common", "crowd", "none", "slope", "offset")}
    return Reliability(experts, domains=_finites(stored["domains"]), labelled=bool(stored["labelled"]), **figures)


def _finites(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _finite(value) for name, value in values.items()}


def _finite(value: Any) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
