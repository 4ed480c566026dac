"""Win rates against the reference, where a judge compared answers with it: as they are, and with length counted out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mixture.evaluation.results import Results
from mixture.evaluation.statistics.comparing import binary
from mixture.evaluation.statistics.lengths import length_controlled
from mixture.evaluation.statistics.proportions import wilson
from mixture.evaluation.statistics.resampling import Doubles, Interval, bootstrap

JUDGED = "judge:"
"""How the scorer of such an evaluation begins."""
_COLUMNS = ("score", "answer", "reference")


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often an arm's answers were preferred to the references, a tie counting half, on the `pairs` that were
    judged; `controlled` is what it would be were both equally long (`statistics.lengths`). Lengths are means in
    characters.
    """

    pairs: int
    won: Interval
    controlled: Interval
    characters: float
    reference_characters: float


def win_rates(results: Results) -> dict[str, WinRate]:
    """The win rate of each arm; nothing where no judge compared answers with references."""
    if not str(results.facts.get("scorer", "")).startswith(JUDGED):
        return {}
    pairs = _pairs(results.rows())
    mine = {arm: pairs.filter(pc.equal(pairs["arm"], arm)) for arm in results.arms}
    return {
        arm: _rate(*(rows[name].to_numpy().astype(float) for name in _COLUMNS))
        for arm, rows in mine.items()
        if len(rows)
    }


def _pairs(rows: ds.Dataset) -> pa.Table:
    """The judged pairs as lengths: the texts are read piece by piece."""
    columns = {
        "arm": pc.field("arm"),
        "score": pc.field("score"),
        "answer": pc.utf8_length(pc.field("response")),
        "reference": pc.utf8_length(pc.field("reference")),
    }
    graded = pc.field("score").is_valid() & pc.field("response").is_valid() & pc.field("reference").is_valid()
    return rows.to_table(columns=columns, filter=graded)


def _rate(wins: Doubles, answers: Doubles, references: Doubles) -> WinRate:
    means = float(np.mean(answers)), float(np.mean(references))
    won = wilson(float(wins.sum()), len(wins)) if binary(wins) else bootstrap(wins)
    return WinRate(len(wins), won, length_controlled(wins, answers, references), *means)
