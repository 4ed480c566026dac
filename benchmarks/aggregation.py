"""Putting recorded answers together: votes, weighted votes, selection without a judge, cascades, against each single.

ZeroEval's MATH level 5 (what is tuned is tuned on GSM8K, or on other folds where the table says so), MMLU-Pro by five
folds, all through the real strategies and aggregator; the calibration of confidences; what each member of an ensemble
adds; the time that an ensemble of five takes beyond its slowest member. `--log FILE` measures any outcome log instead.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import recordings
from benchmarks.added_time import added_ms
from benchmarks.ensembles import Played, folds, interval, joined, mean_cost, oracle, play, polls, single
from benchmarks.ladders import Ladder, chosen
from benchmarks.reporting import finish, need, options, progress, table
from mixture.aggregation.calibration import calibration_error
from mixture.aggregation.learning import from_answers, from_labels
from mixture.aggregation.majority import Majority
from mixture.routing.classification import topic
from mixture.routing.outcomes import LogError, Outcomes, load
from mixture.types import Message, Query

Rows = npt.NDArray[np.int64]
Found = dict[str, Played]

REASONING = ("o1-mini-2024-09-12", "o1-preview-2024-09-12")
"""Models of ZeroEval that the published figures leave out."""
OF_MMLUPRO = ("gemini-1.5-pro-002", "gemini-1.5-flash-002", "Meta-Llama-3.1-70B-Instruct", "DeepSeek-Coder-V2")
"""The three of the published vote, strongest first, and one more for a vote that asks on."""
FIVE, NINE = 5, 9
LEADS = (1, 2, 3)
COLUMNS = ("", "accuracy", "95%", "over the best single", "over the majority", "calls", "USD per 1,000")


def strongest(recording: Outcomes) -> list[str]:
    """The experts by their accuracy, a missing answer being wrong."""
    means = dict(zip(recording.experts, np.nan_to_num(recording.scores).mean(0), strict=True))
    return sorted(means, key=lambda name: -means[name])


def run(
    strategy: str, recording: Outcomes, names: Sequence[str], aggregator: Majority | None = None, **how: Any
) -> Played:
    """`play`, from code that is not asynchronous."""
    return asyncio.run(play(strategy, how, recording, names, aggregator or Majority()))


def crossed(
    recording: Outcomes, names: Sequence[str], strategy: str = "voting", gold: bool = False, **how: Any
) -> Played:
    """`strategy` with votes weighed as the other folds taught. `gold` tells it each prompt's true domain."""
    domains = dict(zip(recording.prompts, recording.domains, strict=True))
    known = polls(recording, names, lambda prompt, domain: domain if gold else _detected(prompt))
    parts = []
    for train, test in folds(len(recording)):
        learned = from_labels([known[row] for row in train])
        aggregator = Majority(None, learned, (lambda query: domains[query.text]) if gold else None)
        parts.append((test, run(strategy, recording.rows(test), names, aggregator, weights="learned", **how)))
    return joined(parts, len(recording))


def climbed(recording: Outcomes) -> Played:
    """The cascade by confidence, its experts, their order and the confidence being chosen on the other folds."""
    parts = []
    for train, test in folds(len(recording)):
        parts.append((test, climb(chosen(recording.rows(train)), recording.rows(test))))
    return joined(parts, len(recording))


def climb(ladder: Ladder, recording: Outcomes) -> Played:
    """The cascade by confidence over `ladder`."""
    aggregator = Majority(None, ladder.learned)
    progress(f"cascade until {ladder.confidence:.0%}: {', '.join(ladder.experts)}")
    how = {"weights": "learned", "confidence": ladder.confidence}
    return run("cascade", recording, ladder.experts, aggregator, **how)


def _detected(prompt: str) -> str:
    """The domain that the aggregator sees by itself."""
    return topic(Query((Message("user", prompt),))).task


def lead_from(recording: Outcomes) -> int:
    """The lead at which a vote that asks on is most often right here."""
    names = strongest(recording)[:NINE]
    return max(LEADS, key=lambda lead: run("cascade", recording, names, lead=lead, fallback_order=names).accuracy)


def math(folder: Path, size: int | None) -> dict[str, Any]:
    """MATH level 5."""
    progress("MATH level 5: reading; the lead is chosen on GSM8K")
    recording = _some(recordings.zeroeval(folder, "math-l5"), size)
    lead = lead_from(recordings.zeroeval(folder, "gsm"))
    names = [name for name in strongest(recording) if name not in REASONING]
    five, nine = names[:FIVE], names[:NINE]
    progress("MATH level 5: votes")
    unlabelled = Majority(None, from_answers([replace(poll, scores={}) for poll in polls(recording, five)]))
    ahead = f"ahead by {lead}, of at most {NINE}"
    found = {
        **{name: single(recording, name) for name in (*five, *REASONING)},
        "majority of 3": run("voting", recording, names[:3]),
        "majority of 5": run("voting", recording, five),
        "majority of 9": run("voting", recording, nine),
        "weighted of 5, no labels": run("voting", recording, five, unlabelled, weights="learned"),
        "weighted of 5, labels of other folds": crossed(recording, five),
        "weighted of 9, labels of other folds": crossed(recording, nine),
        "selection of 5 without a judge": run("best_of_n", recording, five),
        ahead: run("cascade", recording, nine, lead=lead, fallback_order=nine),
    }
    progress("MATH level 5: cascade")
    found["cascade by confidence, other folds"] = cascade = climbed(recording.among(names))
    best, plain = names[0], "majority of 5"
    show(f"MATH level 5, {len(recording)} questions; best single without o1: {best}", found, best, plain)
    weighted = found["weighted of 5, labels of other folds"]
    share = mean_cost(cascade) / mean_cost(found[best])
    return {
        "mathl5_vote5": round(found[plain].accuracy, 4),
        "mathl5_vote5_interval": interval(found[plain].right),
        "mathl5_vote5_weighted": round(weighted.accuracy, 4),
        "mathl5_vote5_weighted_no_labels": round(found["weighted of 5, no labels"].accuracy, 4),
        "mathl5_vote9": round(found["majority of 9"].accuracy, 4),
        "mathl5_selection5": round(found["selection of 5 without a judge"].accuracy, 4),
        "mathl5_ahead": {
            "lead": lead,
            "accuracy": round(found[ahead].accuracy, 4),
            "interval": interval(found[ahead].right),
            "over_vote5": interval(found[ahead].right - found[plain].right),
            "calls": round(float(found[ahead].calls.mean()), 3),
        },
        "mathl5_best_single": {"name": best, "accuracy": round(found[best].accuracy, 4)},
        "mathl5_oracle5": round(oracle(recording, five), 4),
        "mathl5_cascade_accuracy": round(cascade.accuracy, 4),
        "mathl5_cascade_over_best_single": interval(cascade.right - found[best].right),
        "mathl5_cascade_cost_share": round(share, 4),
        "mathl5_ece": round(_error(weighted), 4),
        "marginal": marginal(recording, five),
    }


def mmlupro(folder: Path, size: int | None) -> dict[str, Any]:
    """MMLU-Pro."""
    progress("MMLU-Pro: votes of three")
    recording = _some(recordings.mmlupro(folder, OF_MMLUPRO), size)
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
    weighted = found["weighted of 3"]
    return {
        "mmlupro_vote3": round(weighted.accuracy, 4),
        "mmlupro_vote3_interval": interval(weighted.right),
        "mmlupro_vote3_over_majority": interval(weighted.right - found[plain].right),
        "mmlupro_majority3": round(found[plain].accuracy, 4),
        "mmlupro_vote3_category_given": round(found["weighted of 3, category given"].accuracy, 4),
        "mmlupro_vote3_category_given_over_majority": interval(
            found["weighted of 3, category given"].right - found[plain].right
        ),
        "mmlupro_ahead": {
            "accuracy": round(on.accuracy, 4),
            "interval": interval(on.right),
            "over_majority": interval(on.right - found[plain].right),
            "calls": round(float(on.calls.mean()), 3),
        },
        "mmlupro_best_single": round(found[best].accuracy, 4),
        "mmlupro_oracle3": round(oracle(recording, three), 4),
        "mmlupro_ece": round(_error(weighted), 4),
    }


def marginal(recording: Outcomes, names: Sequence[str]) -> dict[str, Any]:
    """What each member adds to the majority of `names`, and those whose interval lies above zero."""
    whole = run("voting", recording, names)
    lifts, rows = {}, []
    for name in names:
        without = run("voting", recording, [other for other in names if other != name])
        low, high = interval(whole.right - without.right)
        lift = whole.accuracy - without.accuracy
        lifts[name] = {"lift": round(lift, 4), "interval": (low, high)}
        rows.append((name, f"{lift:+.2%}", f"{low:+.2%} .. {high:+.2%}", "kept" if low > 0 else "no proof"))
    table("What each member adds (leave one out)", ("expert", "lift", "95%", "gate"), rows)
    return {"lifts": lifts, "kept": [name for name, lift in lifts.items() if lift["interval"][0] > 0]}


def show(title: str, found: Found, best: str, plain: str) -> None:
    """Print the table."""
    rows = []
    for name, played in found.items():
        low, high = interval(played.right)
        against = [interval(played.right - found[other].right) for other in (best, plain)]
        cost = mean_cost(played) * 1000
        rows.append(
            (
                name,
                f"{played.accuracy:.2%}",
                f"{low:.1%} .. {high:.1%}",
                *(f"{less:+.1%} .. {more:+.1%}" for less, more in against),
                f"{played.calls.mean():.2f}",
                f"{cost:.3f}" if np.isfinite(cost) else "",
            )
        )
    table(title, COLUMNS, rows)


def _error(played: Played) -> float:
    sure = np.isfinite(played.confidence)
    return calibration_error(played.confidence[sure], played.right[sure])


def _some(recording: Outcomes, size: int | None) -> Outcomes:
    if size is None or size >= len(recording):
        return recording
    return recording.rows(np.sort(np.random.default_rng(5).permutation(len(recording))[:size]))


def from_log(path: Path) -> dict[str, Any]:
    """The same on an outcome log: what is learned is learned on its training rows, or on other folds."""
    recording = recordings.with_responses(load(path))
    costs = recording.costs
    if not np.isfinite(costs).any():
        recording = replace(recording, costs=np.ones_like(costs))
    marked = np.array([split == "train" for split in recording.splits])
    rounds = [(np.flatnonzero(marked), np.flatnonzero(~marked))] if marked.any() and not marked.all() else None
    parts: dict[str, list[tuple[Rows, Played]]] = {}
    for train, test in rounds or folds(len(recording)):
        progress(f"{len(train)} prompts to learn from, {len(test)} to answer")
        for name, played in _of_log(recording.rows(train), recording.rows(test)).items():
            parts.setdefault(name, []).append((test, played))
    tested = rounds[0][1] if rounds else np.arange(len(recording))
    found = {name: _at(joined(some, len(recording)), tested) for name, some in parts.items()}
    show(f"{path.name}: {len(tested)} prompts of {len(recording)}", found, "best single in training", "majority of 5")
    best, cascade = found["best single in training"], found["cascade by confidence"]
    result = {name: found[key].accuracy for name, key in _LOGGED.items()}
    return {
        **{name: round(value, 4) for name, value in result.items()},
        "weighted_over_majority": interval(found["weighted of 5"].right - found["majority of 5"].right),
        "cascade_cost_share": round(mean_cost(cascade) / mean_cost(best), 4),
        "oracle": round(float(found["oracle"].accuracy), 4),
        "ahead": {
            "accuracy": round(found["ahead by 2, of at most 9"].accuracy, 4),
            "calls": round(float(found["ahead by 2, of at most 9"].calls.mean()), 3),
        },
        "ece": round(_error(found["weighted of 5"]), 4),
        "prompts": len(tested),
    }


_LOGGED: Mapping[str, str] = {
    "majority": "majority of 5",
    "weighted": "weighted of 5",
    "cascade_accuracy": "cascade by confidence",
    "best_single": "best single in training",
}


def _of_log(train: Outcomes, test: Outcomes) -> Found:
    names = strongest(train)
    five = names[:FIVE]
    learned = Majority(None, from_labels(polls(train, five, lambda prompt, _: _detected(prompt))))
    unknown = np.full(len(test), np.nan)
    return {
        "best single in training": single(test, names[0]),
        "majority of 5": run("voting", test, five),
        "weighted of 5": run("voting", test, five, learned, weights="learned"),
        "selection of 5 without a judge": run("best_of_n", test, five),
        "ahead by 2, of at most 9": run("cascade", test, names[:NINE], lead=2, fallback_order=names[:NINE]),
        "cascade by confidence": climb(chosen(train), test),
        "oracle": Played(np.nan_to_num(test.scores).max(1), unknown, unknown, unknown),
    }


def _at(played: Played, rows: Rows) -> Played:
    return Played(played.right[rows], played.calls[rows], played.cost[rows], played.confidence[rows])


def recorded(folder: Path, quick: bool) -> dict[str, Any]:
    """Everything on the recorded data."""
    found = math(folder, 240 if quick else None) | mmlupro(folder, 1200 if quick else None)
    progress("the time that an ensemble adds")
    found["ece"] = max(found["mathl5_ece"], found["mmlupro_ece"])
    found["ensemble_added_ms_p50"] = added_ms(100 if quick else 400)
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
