"""Putting recorded answers together: votes, weighted votes, selection without a judge, cascades, against each single.

ZeroEval's MATH level 5 (what is tuned is tuned on GSM8K, or on other folds where the table says so), MMLU-Pro by five
folds, all through the real strategies and aggregator; the calibration of confidences; what each member of an ensemble
adds; the time that an ensemble of five takes beyond its slowest member. `--log FILE` measures any outcome log instead.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import recordings
from benchmarks.added_time import added_ms
from benchmarks.ensembles import Played, folds, interval, joined, mean_cost, oracle, play, polls, single
from benchmarks.ladders import MARGIN, MARGINS, Ladder, chosen
from benchmarks.reporting import finish, need, options, progress, table
from mixture.aggregation.calibration import calibration_error
from mixture.aggregation.learning import from_answers, from_labels
from mixture.aggregation.majority import Majority
from mixture.aggregation.marginal import gate
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
FEWEST = 25
"""Prompts of an outcome log from which it can be cut into folds."""
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


def climbed(recording: Outcomes) -> dict[float, Played]:
    """The cascade by confidence, its experts, their order and the confidence being chosen on the other folds, for each
    of the margins by which it had to be better there than the best single expert.
    """
    parts: dict[float, list[tuple[Rows, Played]]] = {margin: [] for margin in MARGINS}
    for train, test in folds(len(recording)):
        done: dict[tuple[tuple[str, ...], float], Played] = {}
        for margin, ladder in zip(MARGINS, chosen(recording.rows(train), MARGINS), strict=True):
            same = (ladder.experts, ladder.confidence)
            if same not in done:
                done[same] = climb(ladder, recording.rows(test))
            parts[margin].append((test, done[same]))
    return {margin: joined(some, len(recording)) for margin, some in parts.items()}


def share_at_parity(climbs: Iterable[Played], best: Played) -> float | None:
    """The share of the cost of `best` at which a cascade is as often right, between the measured points by straight
    lines; None when none of them is.
    """
    points = sorted((mean_cost(played) / mean_cost(best), played.accuracy) for played in climbs)
    below: tuple[float, float] | None = None
    for cost, right in points:
        if right >= best.accuracy:
            if below is None:
                return cost
            return below[0] + (cost - below[0]) * (best.accuracy - below[1]) / (right - below[1])
        below = (cost, right)
    return None


def climb(ladder: Ladder, recording: Outcomes) -> Played:
    """The cascade by confidence over `ladder`."""
    aggregator = Majority(None, ladder.learned)
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
    whole = recordings.zeroeval(folder, "math-l5")
    names = [name for name in strongest(whole) if name not in REASONING]
    recording = _some(whole, size)
    lead = lead_from(_some(recordings.zeroeval(folder, "gsm"), size and 2 * size))
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
    progress("MATH level 5: cascades")
    climbs = climbed(recording.among(names))
    for margin, played in climbs.items():
        found[f"cascade by confidence, margin {margin:.0%}"] = played
    best, plain = names[0], "majority of 5"
    show(f"MATH level 5, {len(recording)} questions; best single without o1: {best}", found, best, plain)
    weighted, cascade = found["weighted of 5, labels of other folds"], climbs[MARGIN]
    share = share_at_parity(climbs.values(), found[best])
    return {
        # A vote of five calls a question on the average: it asks on while it is undecided, and stops when it is not.
        "mathl5_vote5": round(found[ahead].accuracy, 4),
        "mathl5_vote5_interval": interval(found[ahead].right),
        "mathl5_vote5_calls": round(float(found[ahead].calls.mean()), 3),
        "mathl5_vote5_lead": lead,
        "mathl5_vote5_over_fixed": interval(found[ahead].right - found[plain].right),
        "mathl5_vote5_fixed": round(found[plain].accuracy, 4),
        "mathl5_vote5_fixed_interval": interval(found[plain].right),
        "mathl5_vote5_weighted": round(weighted.accuracy, 4),
        "mathl5_vote5_weighted_no_labels": round(found["weighted of 5, no labels"].accuracy, 4),
        "mathl5_vote9": round(found["majority of 9"].accuracy, 4),
        "mathl5_selection5": round(found["selection of 5 without a judge"].accuracy, 4),
        "mathl5_best_single": {"name": best, "accuracy": round(found[best].accuracy, 4)},
        "mathl5_oracle5": round(oracle(recording, five), 4),
        "mathl5_cascade_cost_share": None if share is None else round(share, 4),
        "mathl5_cascade_chosen": {
            "accuracy": round(cascade.accuracy, 4),
            "over_best_single": interval(cascade.right - found[best].right),
            "cost_share": round(mean_cost(cascade) / mean_cost(found[best]), 4),
        },
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
    weighted, given = found["weighted of 3"], found["weighted of 3, category given"]
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
        "mmlupro_ece": round(_error(weighted), 4),
    }


def marginal(recording: Outcomes, names: Sequence[str]) -> dict[str, Any]:
    """What each member adds to the majority of `names`, and those that a gate would keep."""
    known: dict[tuple[str, ...], npt.NDArray[np.float64]] = {}

    def play(some: Sequence[str]) -> npt.NDArray[np.float64]:
        if tuple(some) not in known:
            known[tuple(some)] = run("voting", recording, some).right
        return known[tuple(some)]

    found = gate(names, play)
    rows = [
        (
            lift.expert,
            f"{lift.mean:+.2%}",
            f"{lift.low:+.2%} .. {lift.high:+.2%}",
            "kept" if lift.expert in found.kept else "dropped",
        )
        for lift in found.lifts
    ]
    table("What each member adds to all the others, and the gate", ("expert", "lift", "95%", "gate"), rows)
    shown = {
        lift.expert: {"lift": round(lift.mean, 4), "interval": (round(lift.low, 4), round(lift.high, 4))}
        for lift in found.lifts
    }
    accuracy = float(play(found.kept).mean())
    return {"lifts": shown, "kept": list(found.kept), "accuracy_kept": round(accuracy, 4)}


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
    if not sure.any():
        return np.nan
    return calibration_error(played.confidence[sure], played.right[sure])


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _some(recording: Outcomes, size: int | None) -> Outcomes:
    if size is None or size >= len(recording):
        return recording
    return recording.rows(np.sort(np.random.default_rng(5).permutation(len(recording))[:size]))


def from_log(path: Path) -> dict[str, Any]:
    """The same on an outcome log: what is learned is learned on its training rows, or on other folds."""
    recording = recordings.with_responses(load(path))
    recording = replace(recording, costs=recordings.completed(recording.costs))
    rounds = _rounds(recording)
    parts: dict[str, list[tuple[Rows, Played]]] = {}
    for train, test in rounds:
        progress(f"{len(train)} prompts to learn from, {len(test)} to answer")
        for name, played in _of_log(recording.rows(train), recording.rows(test)).items():
            parts.setdefault(name, []).append((test, played))
    tested = np.unique(np.concatenate([test for _, test in rounds]))
    found = {name: _at(joined(some, len(recording)), tested) for name, some in parts.items()}
    show(f"{path.name}: {len(tested)} prompts of {len(recording)}", found, "best single in training", "majority of 5")
    best, cascade = found["best single in training"], found["cascade by confidence"]
    result = {name: found[key].accuracy for name, key in _LOGGED.items()}
    return {
        **{name: round(value, 4) for name, value in result.items()},
        "weighted_over_majority": interval(found["weighted of 5"].right - found["majority of 5"].right),
        "cascade_cost_share": _finite(mean_cost(cascade) / mean_cost(best) if mean_cost(best) else np.nan),
        "oracle": round(float(found["oracle"].accuracy), 4),
        "ahead": {
            "accuracy": round(found["ahead by 2, of at most 9"].accuracy, 4),
            "calls": round(float(found["ahead by 2, of at most 9"].calls.mean()), 3),
        },
        "ece": _finite(_error(found["weighted of 5"])),
        "prompts": len(tested),
    }


def _rounds(recording: Outcomes) -> list[tuple[Rows, Rows]]:
    """What to learn from and what to answer: as the log marks its rows, or else five folds. A log of a few prompts is
    learned from as a whole, and its figures flatter themselves.
    """
    marked = np.array([split == "train" for split in recording.splits])
    if marked.any() and not marked.all():
        return [(np.flatnonzero(marked), np.flatnonzero(~marked))]
    if len(recording) < FEWEST:
        progress(f"only {len(recording)} prompts: what is learned is learned from the prompts that are answered")
        return [(np.arange(len(recording)),) * 2]
    return folds(len(recording))


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
        "cascade by confidence": climb(chosen(train)[0], test),
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
