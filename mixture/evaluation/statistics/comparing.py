"""One arm against another on the same items: everything that statistics say about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixture.evaluation.statistics.corrections import benjamini_hochberg, holm
from mixture.evaluation.statistics.effects import cohen_d, cohen_d_paired, cohen_h
from mixture.evaluation.statistics.power import items_for_means, items_for_shares
from mixture.evaluation.statistics.proportions import mcnemar, wilson
from mixture.evaluation.statistics.resampling import Doubles, Interval, bootstrap, permutation, strata_of

if TYPE_CHECKING:
    from mixture.evaluation.results import Results


@dataclass(frozen=True, slots=True)
class Standing:
    """One arm by itself: its mean score with an interval (Wilson's where answers are right or wrong, else a bootstrap
    interval), on so many items.
    """

    arm: str
    items: int
    score: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """`arm` against `baseline` on the `items` that both have a score for. `difference` is the mean of the paired
    differences; `p` that of the paired permutation test, `p_mcnemar` of McNemar's where answers are right or wrong;
    `p_holm` and `p_bh` are `p` corrected for all comparisons made together. `d` and `h` are Cohen's, `d_paired` that of
    the differences themselves. `better` and `worse` count the items on which the arm scored more or less; `needed` is
    how many items show a difference of this size four times in five, None where there is none.
    """

    arm: str
    baseline: str
    items: int
    mean: float
    baseline_mean: float
    difference: Interval
    p: float
    p_holm: float
    p_bh: float
    p_mcnemar: float | None
    d: float
    d_paired: float
    h: float | None
    better: int
    worse: int
    needed: int | None
    domain: str | None = None


def standing(results: Results, arm: str, rows: Sequence[int] | None = None) -> Standing:
    """How an arm did, on all its items or on some `rows`."""
    values = results.scores[:, results.column(arm)]
    values = values if rows is None else values[list(rows)]
    values = values[np.isfinite(values)]
    interval = wilson(float(values.sum()), len(values)) if binary(values) else bootstrap(values)
    return Standing(arm, len(values), interval)


def binary(values: Doubles) -> bool:
    """Whether all are 0 or 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())


def compare(results: Results, arm: str, baseline: str, *, stratified: bool = False) -> Comparison:
    """One comparison, not corrected. `stratified` draws items within their domain."""
    rows = results.shared(arm, baseline)
    first, second = results.scores[rows, results.column(arm)], results.scores[rows, results.column(baseline)]
    strata = strata_of([results.domains[row] for row in rows]) if stratified and len(rows) else None
    return replace(compared(first, second, strata=strata), arm=arm, baseline=baseline)


def compared(first: Doubles, second: Doubles, *, strata: np.ndarray | None = None) -> Comparison:
    """The comparison of two rows of scores of the same items, without names."""
    differences = first - second
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    p, shares = permutation(differences), binary(first) and binary(second)
    means = [float(scores.mean()) if len(scores) else np.nan for scores in (first, second)]
    return Comparison(
        arm="",
        baseline="",
        items=len(differences),
        mean=means[0],
        baseline_mean=means[1],
        difference=bootstrap(differences, strata=strata),
        p=p,
        p_holm=p,
        p_bh=p,
        p_mcnemar=mcnemar(better, worse) if shares else None,
        d=cohen_d(first, second),
        d_paired=cohen_d_paired(differences),
        h=cohen_h(means[0], means[1]) if shares and len(first) else None,
        better=better,
        worse=worse,
        needed=_needed(differences, shares=shares),
    )


def _needed(differences: Doubles, *, shares: bool) -> int | None:
    if len(differences) < 2:
        return None
    if shares:
        return items_for_shares(float((differences != 0).mean()), float(differences.mean()))
    return items_for_means(cohen_d_paired(differences))


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with `p_holm` and `p_bh` for being made together."""
    values = [comparison.p for comparison in comparisons]
    adjusted = zip(comparisons, holm(values), benjamini_hochberg(values), strict=True)
    return [replace(comparison, p_holm=by_holm, p_bh=by_bh) for comparison, by_holm, by_bh in adjusted]


def against(results: Results, baseline: str, *, stratified: bool = False) -> list[Comparison]:
    """Every other arm against `baseline`, corrected. Raises ResultsError for an unknown one."""
    results.column(baseline)
    others = [arm for arm in results.arms if arm != baseline]
    return corrected([compare(results, arm, baseline, stratified=stratified) for arm in others])


def by_domain(results: Results, arm: str, baseline: str) -> list[Comparison]:
    """One arm against another in each domain, corrected over the domains."""
    rows = results.shared(arm, baseline)
    domains = np.array([results.domains[row] for row in rows])
    first, second = results.scores[:, results.column(arm)], results.scores[:, results.column(baseline)]
    found = []
    for domain in sorted(set(domains)):
        inside = rows[domains == domain]
        found.append(
            replace(compared(first[inside], second[inside]), arm=arm, baseline=baseline, domain=domain or "(none)")
        )
    return corrected(found)
