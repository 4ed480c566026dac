"""Routing on recorded answers: how much of the stronger model's quality is had for how much less.

RouteLLM's MMLU and GSM8K under three regimes, all models of MMLU-Pro, the quality floor over random splits, how often
domains, languages and what is out of scope are recognised, the CPU time of a decision; `--log FILE` measures any
outcome log instead. The router tunes itself on its training rows only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import outcomes as recorded
from benchmarks.measures import QUICK_RESAMPLES, RESAMPLES
from benchmarks.recordings import completed
from benchmarks.reporting import finish, need, options, progress
from benchmarks.routing_domains import CLINC, QUESTIONS, domains
from benchmarks.routing_floor import many_floor, quality_floor
from benchmarks.routing_many import frontier, many_models, report
from benchmarks.routing_pairs import two_models
from benchmarks.routing_prompts import QUICK_TUNED, Prompts, sample
from benchmarks.routing_speed import decisions
from mixture.routing.fitting import TUNED_ROWS
from mixture.routing.outcomes import LogError, Outcomes, load


def priced(log: Outcomes) -> Outcomes:
    """`log` with an expert's mean cost where one of its calls has none; an expert without any keeps none."""
    return (
        replace(log, costs=np.where(np.isfinite(log.scores), completed(log.costs), np.nan)) if log.costs.size else log
    )


def any_log(path: Path, quick: bool) -> dict[str, Any]:
    """The same for an outcome log never seen before."""
    log = priced(load(path))
    if quick:
        log = sample(log, 1_500)
    if len(log) < 2:
        raise LogError(f"{path}: at least two prompts are needed to learn from one and test on the other", param="log")
    prompts = Prompts(log, QUICK_TUNED if quick else TUNED_ROWS)
    found = frontier(prompts, 2 if quick else 5, QUICK_RESAMPLES if quick else RESAMPLES)
    report(found, f"{path.name}: {len(log)} prompts, {len(log.experts)} experts")
    return found | decisions(log, quick=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    parser = options(__doc__, data=True)
    parser.add_argument("--log", type=Path, help="an outcome log (Parquet or JSONL) to measure instead")
    chosen = parser.parse_args(arguments)
    if chosen.log is not None:
        try:
            result = any_log(chosen.log, chosen.quick)
        except LogError as error:
            sys.exit(f"routing: {error}")
        finish("routing", result, save=False)
        return
    need(chosen.data, "routellm_mmlu_gsm8k.parquet", QUESTIONS, "mmlupro_preds.parquet", CLINC)
    progress("encoding RouteLLM's prompts")
    mmlu, gsm8k = (recorded.routellm(chosen.data, name) for name in ("mmlu", "gsm8k"))
    tuned = QUICK_TUNED if chosen.quick else TUNED_ROWS
    prompts = Prompts(sample(mmlu, 2_000) if chosen.quick else mmlu, tuned)
    result = two_models(prompts, Prompts(gsm8k, tuned), chosen.quick)
    result |= quality_floor(prompts, chosen.quick)
    result |= many_models(chosen.data, chosen.quick)
    result |= many_floor(chosen.data, chosen.quick)
    result |= domains(chosen.data, chosen.quick)
    result |= decisions(gsm8k, chosen.quick)
    finish("routing", result, save=chosen.save)


if __name__ == "__main__":
    main()
