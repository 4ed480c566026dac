"""Where an experiment stands, and whether it may stop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixture.config.experiment import ExperimentConfig
from mixture.experiments.sequences import Interval, asymptotic, bounded, differences

Observed = list[tuple[bool, float]]
"""Values in the order in which they came; the first says whether it is the candidate's."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of candidate less control. `score` and `failed` hold at all times with the configured confidence,
    `cost_usd` and `latency_s` for large numbers; None where there is too little. A negative difference of cost, latency
    or failures is in the candidate's favour. `may_stop` says that one may, `verdict` why or why not, in words that
    claim no more than the intervals do.
    """

    experiment: str
    mode: str
    sessions: Mapping[str, int]
    judged: Mapping[str, int]
    score: Interval
    failed: Interval
    cost_usd: Interval | None
    latency_s: Interval | None
    agreement: Interval | None
    may_stop: bool
    verdict: str


@dataclass(slots=True)
class _Tally:
    """Of each session what came first counts: its further requests are not independent of it."""

    sessions: dict[str, bool] = field(default_factory=dict)
    judged: dict[str, bool] = field(default_factory=dict)
    scores: Observed = field(default_factory=list)
    failures: Observed = field(default_factory=list)
    costs: Observed = field(default_factory=list)
    latencies: Observed = field(default_factory=list)
    pairs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    control_scores: dict[str, float] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        kind, unit = line.get("kind"), str(line.get("unit"))
        candidate = line.get("arm") == "candidate"
        if kind == "answered" and unit not in self.sessions:
            self.sessions[unit] = candidate
            self._took(candidate, line)
        elif kind == "scored" and unit not in self.judged:
            self.judged[unit] = candidate
            self.scores.append((candidate, float(line["score"])))
            self.control_scores[str(line.get("request"))] = float(line["score"])
        elif kind == "mirrored":
            self.pairs.setdefault(unit, line)

    def _took(self, candidate: bool, line: Mapping[str, Any]) -> None:
        self.failures.append((candidate, float(line.get("error") is not None)))
        if line.get("error") is None:
            self.latencies.append((candidate, float(line["latency_s"])))
            if line.get("cost_usd") is not None:
                self.costs.append((candidate, float(line["cost_usd"])))


def status_of(experiment: str, config: ExperimentConfig, lines: Iterable[Mapping[str, Any]]) -> Status:
    """The state of an experiment by its records (`mixture.experiments.records.lines`)."""
    tally = _Tally()
    for line in lines:
        tally.take(line)
    return _split(experiment, config, tally) if config.mode == "split" else _shadow(experiment, config, tally)


def _split(experiment: str, config: ExperimentConfig, tally: _Tally) -> Status:
    alpha = 1 - config.confidence
    score = bounded(differences(tally.scores, config), alpha, -1.0, 1.0)
    failed = bounded(differences(tally.failures, config), alpha, -1.0, 1.0)
    may_stop, verdict = _decided(score, failed, config.margin)
    return Status(
        experiment,
        config.mode,
        _counted(tally.sessions.values()),
        _counted(tally.judged.values()),
        score,
        failed,
        asymptotic(differences(tally.costs, config), alpha),
        asymptotic(differences(tally.latencies, config), alpha),
        None,
        may_stop,
        verdict,
    )


def _shadow(experiment: str, config: ExperimentConfig, tally: _Tally) -> Status:
    """Nobody judges an answer that nobody sees. Where it agrees with the one that was given it is as good; where it
    does not, it lies between worthless and perfect. The interval covers the mean between these two.
    """
    alpha, pairs = 1 - config.confidence, list(tally.pairs.values())
    extremes = [_extremes(pair, tally.control_scores.get(str(pair.get("request")))) for pair in pairs]
    worst = bounded([low for low, _ in extremes], alpha, -1.0, 1.0)
    best = bounded([high for _, high in extremes], alpha, -1.0, 1.0)
    middle = math.nan if not extremes else (worst.mean + best.mean) / 2
    score = Interval(middle, worst.low, best.high, len(extremes))
    failed = bounded([_error(p, "candidate") - _error(p, "control") for p in pairs], alpha, -1.0, 1.0)
    agreed = [float(pair["agreement"]) for pair in pairs if pair.get("agreement") is not None]
    may_stop, verdict = _decided(score, failed, config.margin)
    return Status(
        experiment,
        config.mode,
        {"control": len(tally.sessions), "candidate": len(pairs)},
        {"control": len(tally.judged), "candidate": 0},
        score,
        failed,
        asymptotic(_paired(pairs, "cost_usd"), alpha),
        asymptotic(_paired(pairs, "latency_s"), alpha),
        bounded(agreed, alpha) if agreed else None,
        may_stop,
        verdict,
    )


def _extremes(pair: Mapping[str, Any], score: float | None) -> tuple[float, float]:
    """The least and the most by which the candidate's answer can be better, by what is known of the control's."""
    agreement = pair.get("agreement")
    if agreement is None:  # the candidate failed (nobody mirrors a request that got no answer)
        return (-1.0, 0.0) if score is None else (-score, -score)
    apart = 1.0 - float(agreement)
    return (-apart, apart) if score is None else (-apart * score, apart * (1.0 - score))


def _error(pair: Mapping[str, Any], side: str) -> float:
    return float(pair[side].get("error") is not None)


def _paired(pairs: Sequence[Mapping[str, Any]], what: str) -> list[float]:
    both = [(pair["candidate"], pair["control"]) for pair in pairs if pair.get("agreement") is not None]
    return [
        float(candidate[what]) - float(control[what])
        for candidate, control in both
        if candidate.get(what) is not None and control.get(what) is not None
    ]


def _counted(candidates: Iterable[bool]) -> dict[str, int]:
    each = list(candidates)
    return {"control": each.count(False), "candidate": each.count(True)}


def _decided(score: Interval, failed: Interval, margin: float) -> tuple[bool, str]:
    """Whether the experiment may stop, and why."""
    if failed.low > 0:
        return True, f"the candidate fails more often, by {_span(failed)}"
    if score.n == 0:
        return False, "no comparison yet: answers have to be judged (POST /v1/mixture/feedback) or mirrored"
    if score.low > 0:
        return True, f"the candidate's mean score is higher, by {_span(score)}"
    if score.high < 0:
        return True, f"the candidate's mean score is lower, by {_span(score)}"
    if -margin <= score.low and score.high <= margin:
        return True, f"the mean scores differ by less than {margin:g}: {_span(score)}"
    return False, f"not decided: the candidate's mean score may be lower or higher, {_span(score)}"


def _span(interval: Interval) -> str:
    return f"{interval.low:+.3f} to {interval.high:+.3f}"
