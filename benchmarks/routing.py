"""Routing on recorded answers: how much of the stronger model's quality is had for how much less.

RouteLLM's MMLU and GSM8K under three regimes, all models of MMLU-Pro, the quality floor over random splits, the CPU
time of a decision; `--log FILE` measures any outcome log instead. The router tunes itself on its training rows only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import outcomes as recorded
from benchmarks.reporting import finish, need, options, progress
from benchmarks.routing_floor import many_floor, quality_floor
from benchmarks.routing_many import frontier, many_models, report
from benchmarks.routing_pairs import two_models
from benchmarks.routing_prompts import QUICK_TUNED, Prompts, sample
from benchmarks.routing_speed import decisions
from mixture.routing.fitting import TUNED_ROWS
from mixture.routing.outcomes import LogError, load


def any_log(path: Path, quick: bool) -> dict[str, Any]:
    """The same for an outcome log never seen before."""
    log = load(path)
    if quick:
        log = sample(log, 1_500)
    if len(log) < 2:
        raise LogError(f"{path}: at least two prompts are needed to learn from one and test on the other", param="log")
    found = frontier(Prompts(log, QUICK_TUNED if quick else TUNED_ROWS), 2 if quick else 5)
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
    need(chosen.data, "routellm_mmlu_gsm8k.parquet", "mmlupro_questions.parquet", "mmlupro_preds.parquet")
    progress("encoding RouteLLM's prompts")
    mmlu, gsm8k = (recorded.routellm(chosen.data, name) for name in ("mmlu", "gsm8k"))
    tuned = QUICK_TUNED if chosen.quick else TUNED_ROWS
    prompts = [Prompts(sample(mmlu, 3_000) if chosen.quick else mmlu, tuned), Prompts(gsm8k, tuned)]
    result = two_models(*prompts, chosen.quick)
    result |= quality_floor(prompts[0])
    result |= many_models(chosen.data, chosen.quick)
    result |= many_floor(chosen.data, chosen.quick)
    result |= decisions(gsm8k, chosen.quick)
    finish("routing", result, save=chosen.save)


if __name__ == "__main__":
    main()
