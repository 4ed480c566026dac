"""Putting recorded answers together: votes, weighted votes, selection without a judge, cascades, against each single.

ZeroEval's MATH level 5 (what is tuned is tuned on GSM8K, or on other folds where the table says so), MMLU-Pro by five
folds, all through the real strategies and aggregator; the calibration of confidences; what each member of an ensemble
adds; the time that an ensemble of five takes beyond its slowest member. `--log FILE` measures any outcome log instead.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import recordings
from benchmarks.added_time import added_ms
from benchmarks.aggregation_log import from_log
from benchmarks.ceilings import best_ensemble, by_pattern, votes
from benchmarks.contests import FIVE, NINE, crossed, gap, marginal, ordered, run, show, some, strongest
from benchmarks.ensembles import Played, interval, oracle, polls, single
from benchmarks.ladders import climbed
from benchmarks.reporting import finish, need, options, progress, table
from benchmarks.shares import shares
from mixture.aggregation.learning import from_answers
from mixture.aggregation.majority import Majority
from mixture.routing.outcomes import LogError, Outcomes

REASONING = ("o1-mini-2024-09-12", "o1-preview-2024-09-12")
"""Models of ZeroEval that the published figures leave out."""
OF_MMLUPRO = ("gemini-1.5-pro-002", "gemini-1.5-flash-002", "Meta-Llama-3.1-70B-Instruct", "DeepSeek-Coder-V2")
"""The three of the published vote, strongest first, and one more for a vote that asks on."""
LEADS = (1, 2, 3)
LONGEST = 21
"""Experts that a vote that asks on may ask at most."""
SHOWN = 14
"""Experts among which the best five are looked for in hindsight, the strongest ones."""


def lead_from(recording: Outcomes) -> int:
    """The lead at which a vote that asks on is most often right here."""
    names = strongest(recording)[:NINE]
    return max(LEADS, key=lambda lead: run("cascade", recording, names, lead=lead, fallback_order=names).accuracy)


def affordable(recording: Outcomes, names: Sequence[str], lead: int) -> int:
    """How many of `names` a vote that asks on may ask at most, so that a question takes FIVE calls on the average. That
    needs no labels: who has answered knows whom it asked.
    """
    calls = ordered(recording, names, len(names), lead=lead).calls
    return max(most for most in range(1, len(names) + 1) if np.minimum(calls, most).mean() <= FIVE)


def math(folder: Path, size: int | None) -> dict[str, Any]:
    """MATH level 5."""
    progress("MATH level 5: reading; the lead is chosen on GSM8K")
    whole = recordings.zeroeval(folder, "math-l5")
    names = [name for name in strongest(whole) if name not in REASONING]
    recording = some(whole, size)
    lead = lead_from(some(recordings.zeroeval(folder, "gsm"), size and 2 * size))
    most = affordable(recording, names[:LONGEST], lead)
    five, nine = names[:FIVE], names[:NINE]
    progress("MATH level 5: votes")
    unlabelled = Majority(None, from_answers([replace(poll, scores={}) for poll in polls(recording, five)]))
    ahead, sooner = (f"ahead by {lead}, of at most {count}" for count in (most, NINE))
    found = {
        **{name: single(recording, name) for name in (*five, *REASONING)},
        "majority of 3": run("voting", recording, names[:3]),
        "majority of 5": run("voting", recording, five),
        "majority of 9": run("voting", recording, nine),
        "weighted of 5, no labels": run("voting", recording, five, unlabelled, weights="learned"),
        "weighted of 5, labels of other folds": crossed(recording, five),
        "weighted of 9, labels of other folds": crossed(recording, nine),
        "selection of 5 without a judge": run("best_of_n", recording, five),
        sooner: ordered(recording, names, NINE, lead=lead),
        ahead: ordered(recording, names, most, lead=lead),
    }
    progress("MATH level 5: cascades")
    best, plain = names[0], "majority of 5"
    climbs = climbed(recording.among(names))
    for margin, played in climbs.items():
        found[f"cascade by confidence, margin {margin:.0%}"] = played
    show(f"MATH level 5, {len(recording)} questions; best single without o1: {best}", found, best, plain)
    weighted = found["weighted of 5, labels of other folds"]
    progress("MATH level 5: what these answers do not hold")
    limits = math_limits(recording, names)
    dear = recordings.repriced(recording)
    at_parity = shares({"": (recording, climbs), "_by_size": (dear, climbed(dear.among(names)))}, names)
    return {
        **vote_of_five(found[ahead], found[plain]),
        "mathl5_vote5_lead": lead,
        "mathl5_vote5_most": most,
        "mathl5_vote5_of_9": round(found[sooner].accuracy, 4),
        "mathl5_vote5_weighted": round(weighted.accuracy, 4),
        "mathl5_vote5_weighted_no_labels": round(found["weighted of 5, no labels"].accuracy, 4),
        "mathl5_vote9": round(found["majority of 9"].accuracy, 4),
        "mathl5_selection5": round(found["selection of 5 without a judge"].accuracy, 4),
        "mathl5_best_single": {"name": best, "accuracy": round(found[best].accuracy, 4)},
        "mathl5_oracle5": round(oracle(recording, five), 4),
        **at_parity,
        "mathl5_ece": round(gap(weighted), 4),
        "marginal": marginal(recording, five),
        **limits,
    }


def vote_of_five(ahead: Played, fixed: Played) -> dict[str, Any]:
    """A vote of five calls a question on the average, which asks on while it is undecided and stops when it is not,
    beside one of five `fixed` experts.
    """
    return {
        "mathl5_vote5": round(ahead.accuracy, 4),
        "mathl5_vote5_interval": interval(ahead.right),
        "mathl5_vote5_calls": round(float(ahead.calls.mean()), 3),
        "mathl5_vote5_over_fixed": interval(ahead.right - fixed.right),
        "mathl5_vote5_fixed": round(fixed.accuracy, 4),
        "mathl5_vote5_fixed_interval": interval(fixed.right),
    }


def math_limits(recording: Outcomes, names: Sequence[str]) -> dict[str, Any]:
    """What not even rules chosen in hindsight get from five calls."""
    few = names[:SHOWN]
    five = best_ensemble(votes(polls(recording, few), few, recording.among(few).costs), FIVE)
    low, high = interval(five)
    row = f"best majority of {FIVE} of {len(few)} models", f"{five.mean():.2%}", f"{low:.1%} .. {high:.1%}"
    table("In hindsight, chosen on the very questions", ("", "accuracy", "95%"), [row])
    return {"mathl5_hindsight_five": round(float(five.mean()), 4), "mathl5_hindsight_five_interval": (low, high)}


def mmlupro(folder: Path, size: int | None) -> dict[str, Any]:
    """MMLU-Pro."""
    progress("MMLU-Pro: votes of three")
    recording = some(recordings.mmlupro(folder, OF_MMLUPRO), size)
    three, best, plain = OF_MMLUPRO[:3], OF_MMLUPRO[0], "majority of 3"
    found = {
        **{name: single(recording, name) for name in OF_MMLUPRO},
        plain: run("voting", recording, three),
        "weighted of 3": crossed(recording, three),
        "weighted of 3, category given": crossed(recording, three, gold=True),
        "selection of 3 without a judge": run("best_of_n", recording, three),
        "majority of 4": run("voting", recording, OF_MMLUPRO),
        "ahead by 2, of at most 4": run("cascade", recording, OF_MMLUPRO, lead=2, fallback_order=OF_MMLUPRO),
    }
    progress("MMLU-Pro: votes that ask on, weighed")
    found["ahead by 2, weighed, category given"] = on = crossed(
        recording, OF_MMLUPRO, "cascade", gold=True, lead=2, fallback_order=OF_MMLUPRO
    )
    show(f"MMLU-Pro, {len(recording)} questions, five-fold", found, best, plain)
    weighted, given = found["weighted of 3"], found["weighted of 3, category given"]
    limits = mmlupro_limits(recording, three, found[plain])
    return {
        "mmlupro_vote3": round(given.accuracy, 4),
        "mmlupro_vote3_interval": interval(given.right),
        "mmlupro_vote3_over_majority": interval(given.right - found[plain].right),
        "mmlupro_majority3": round(found[plain].accuracy, 4),
        "mmlupro_vote3_no_category": round(weighted.accuracy, 4),
        "mmlupro_ahead": {
            "accuracy": round(on.accuracy, 4),
            "interval": interval(on.right),
            "over_majority": interval(on.right - found[plain].right),
            "calls": round(float(on.calls.mean()), 3),
        },
        "mmlupro_best_single": round(found[best].accuracy, 4),
        "mmlupro_oracle3": round(oracle(recording, three), 4),
        "mmlupro_ece": round(gap(weighted), 4),
        **limits,
    }


def mmlupro_limits(recording: Outcomes, three: Sequence[str], plain: Played) -> dict[str, Any]:
    """What not even a rule chosen in hindsight makes of the same three answers: it knows each question's category, and
    whom to believe there for each way in which the three may agree.
    """
    right = by_pattern(votes(polls(recording, three), three, recording.among(three).costs), recording.domains)
    over = interval(right - plain.right)
    row = (
        "best rule on the same three answers and the category",
        f"{right.mean():.2%}",
        "{:.1%} .. {:.1%}".format(*interval(right)),
        "{:+.1%} .. {:+.1%}".format(*over),
    )
    table("In hindsight, chosen on the very questions", ("", "accuracy", "95%", "over the majority"), [row])
    return {
        "mmlupro_hindsight3": round(float(right.mean()), 4),
        "mmlupro_hindsight3_interval": interval(right),
        "mmlupro_hindsight3_over_majority": over,
    }


def recorded(folder: Path, quick: bool) -> dict[str, Any]:
    """Everything on the recorded data."""
    found = math(folder, 140 if quick else None) | mmlupro(folder, 700 if quick else None)
    progress("the time that an ensemble adds")
    found["ece"] = max(found["mathl5_ece"], found["mmlupro_ece"])
    found["ensemble_added_ms_p50"] = added_ms(60 if quick else 400)
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = options(__doc__, data=True)
    parser.add_argument("--log", type=Path, help="an outcome log (Parquet or JSONL) to measure instead")
    wanted = parser.parse_args()
    if wanted.log is not None:
        try:
            finish("aggregation", from_log(wanted.log), save=False)
        except LogError as error:
            sys.exit(str(error))
        return
    files = ("items", "answers", "outputs_math-l5", "outputs_gsm")
    need(
        wanted.data,
        *(f"zeroeval_{name}.parquet" for name in files),
        "mmlupro_questions.parquet",
        "mmlupro_preds.parquet",
    )
    finish("aggregation", recorded(wanted.data, wanted.quick), save=wanted.save)


if __name__ == "__main__":
    main()
