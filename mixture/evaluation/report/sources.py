"""What a report can be made of: the folder of an evaluation, or any outcome log."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from mixture.evaluation.records import SCHEMA
from mixture.evaluation.results import FIGURES, Results, load, of_source
from mixture.evaluation.store import Store
from mixture.routing.outcomes import Outcomes
from mixture.routing.outcomes import load as load_log


def opened(path: Path) -> Results:
    """The results at a path. Raises ResultsError or LogError."""
    if Store(path).facts() is not None:
        return load(path)
    return of_outcomes(load_log(path), os.fspath(path.name))


def of_outcomes(log: Outcomes, name: str = "outcome log") -> Results:
    """An outcome log as results: each expert is an arm that was asked by itself."""
    rows = []
    for position, prompt in enumerate(log.prompts):
        for column, expert in enumerate(log.experts):
            score = log.scores[position, column]
            if score == score:
                rows.append(_row(log, position, column, prompt, expert))
    schema = SCHEMA.append(pa.field("arm", pa.string()))
    table = pa.Table.from_pylist(rows, schema=schema)
    facts = {"dataset": {"name": name, "rows": len(log), "digest": ""}}
    return of_source(ds.dataset(table), log.experts, facts)


def _row(log: Outcomes, position: int, column: int, prompt: str, expert: str) -> dict[str, object]:
    said = log.responses[position][column] if log.responses else None
    figures = {"score": log.scores, "cost_usd": log.costs, "latency_s": log.latencies, "completion_tokens": log.tokens}
    known = {name: float(table[position, column]) for name, table in figures.items()}
    return {
        **dict.fromkeys(FIGURES),
        **{name: value if value == value else None for name, value in known.items()},
        "completion_tokens": int(known["completion_tokens"]) if known["completion_tokens"] >= 0 else None,
        "position": position,
        "item": str(position),
        "arm": expert,
        "domain": log.domains[position],
        "prompt": prompt,
        "expert": expert,
        "response": said,
        "by": expert,
        "asked": [expert],
        "calls": 1,
    }
