"""The statistics against SciPy's and statsmodels', and what is said in words."""

import gc
import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint, proportion_effectsize

from mixture.evaluation.statistics.comparing import Comparison, compared, corrected
from mixture.evaluation.statistics.corrections import benjamini_hochberg, holm
from mixture.evaluation.statistics.effects import cohen_d, cohen_d_paired, cohen_h, named
from mixture.evaluation.statistics.lengths import length_controlled
from mixture.evaluation.statistics.power import items_for_means, items_for_shares, smallest_difference
from mixture.evaluation.statistics.proportions import mcnemar, wilson
from mixture.evaluation.statistics.resampling import (
    Interval,
    bootstrap,
    bootstrap_ratio,
    permutation,
    resampled_sums,
    strata_of,
)
from mixture.evaluation.statistics.words import noninferior, proven, statement


def pair(size=400, gain=0.1, seed=0):
    rng = np.random.default_rng(seed)
    hard = rng.random(size)
    return (hard < 0.6 + gain).astype(float), (hard + rng.normal(0, 0.15, size) < 0.6).astype(float)


@pytest.mark.parametrize(("right", "total"), [(0, 7), (3, 7), (7, 7), (431, 1319)])
def test_wilson_is_statsmodels(right, total):
    found = wilson(right, total)
    assert (found.low, found.high) == pytest.approx(proportion_confint(right, total, method="wilson"), abs=1e-12)
    assert found.value == right / total


@pytest.mark.parametrize(("first", "second"), [(0, 0), (3, 3), (1, 9), (40, 61)])
def test_mcnemar_is_statsmodels(first, second):
    theirs = their_mcnemar([[10, first], [second, 10]], exact=True).pvalue
    assert mcnemar(first, second) == pytest.approx(theirs if first + second else 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_are_statsmodels(values):
    gc.freeze()  # `multipletests` collects garbage each time, and in a whole run of the tests there is much to look at
    try:
        assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
        assert benjamini_hochberg(values) == pytest.approx(multipletests(values, method="fdr_bh")[1])
    finally:
        gc.unfreeze()


def test_nothing_to_correct():
    assert holm([]) == benjamini_hochberg([]) == []


@pytest.mark.parametrize("spread", ["few values", "many values"])
def test_the_bootstrap_is_scipys(spread):
    first, second = pair()
    differences = first - second
    if spread == "many values":
        differences = differences + np.random.default_rng(1).normal(0, 0.3, len(differences))
    found = bootstrap(differences)
    theirs = stats.bootstrap((differences,), np.mean, method="percentile", n_resamples=5_000, rng=3)
    bounds = theirs.confidence_interval
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high), abs=0.006)
    assert found.value == differences.mean()


def test_counting_values_draws_what_drawing_items_draws():
    values = np.array([-1.0] * 30 + [0.0] * 200 + [1.0] * 50)
    counted = resampled_sums(values, 20_000, np.random.default_rng(0))
    drawn = values[np.random.default_rng(1).integers(0, len(values), (20_000, len(values)))].sum(axis=1)
    assert stats.ks_2samp(counted, drawn).pvalue > 1e-3


def test_strata_keep_their_sizes_and_narrow_the_interval():
    names = ["a"] * 200 + ["b"] * 200
    values = np.array([1.0] * 190 + [0.0] * 10 + [0.0] * 190 + [1.0] * 10)
    plain, stratified = bootstrap(values), bootstrap(values, strata=strata_of(names))
    assert stratified.high - stratified.low < 0.6 * (plain.high - plain.low)
    assert stratified.value == plain.value


def test_a_ratio_is_within_its_interval_and_agrees_with_scipy():
    rng = np.random.default_rng(0)
    under = rng.gamma(2, 1, 500)
    over = under * rng.gamma(4, 0.05, 500)
    found = bootstrap_ratio(over, under)
    theirs = stats.bootstrap(
        (over, under), lambda a, b, axis: a.sum(axis) / b.sum(axis), paired=True, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert found.low < found.value < found.high
    assert math.isnan(bootstrap_ratio(over, np.zeros(500)).value)


def test_the_permutation_test_is_scipys():
    def mean(differences, axis):
        return differences.mean(axis)

    small = np.array([0.5, -0.2, 0.9, 0.3, 0.8, 0.1, -0.4, 0.7, 0.2])
    exact = stats.permutation_test((small,), mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation(small) == pytest.approx(exact.pvalue)
    first, second = pair(gain=0.03)
    theirs = stats.permutation_test((first - second,), mean, permutation_type="samples", n_resamples=5_000, rng=1)
    assert permutation(first - second) == pytest.approx(theirs.pvalue, abs=0.02)
    assert permutation(np.zeros(5)) == permutation(np.zeros(0)) == 1.0


def test_the_permutation_test_of_shares_is_mcnemars():
    first, second = pair(size=2_000, gain=0.02)
    better, worse = int((first > second).sum()), int((second > first).sum())
    assert permutation(first - second, resamples=50_000) == pytest.approx(mcnemar(better, worse), abs=0.01)


def test_a_false_claim_is_as_rare_as_it_should_be():
    """Of two arms that are equally good, 5% of tests may say that they are not."""
    rng = np.random.default_rng(0)
    claims = 0
    for seed in range(400):
        differences = rng.choice([-1.0, 0.0, 1.0], 120, p=[0.15, 0.7, 0.15])
        claims += permutation(differences, resamples=1_000, seed=seed) < 0.05
    assert claims <= 32  # 20 expected; more than 32 has a chance below 0.5%


def test_effect_sizes():
    first, second = pair()
    assert cohen_h(first.mean(), second.mean()) == pytest.approx(proportion_effectsize(first.mean(), second.mean()))
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    assert cohen_d(first, second) == pytest.approx((first.mean() - second.mean()) / spread)
    t = stats.ttest_rel(first, second).statistic
    assert cohen_d_paired(first - second) == pytest.approx(t / math.sqrt(len(first)))
    ones = np.ones(5)
    assert (cohen_d(ones, ones), cohen_d(ones, ones * 0), cohen_d(ones * 0, ones)) == (0.0, math.inf, -math.inf)
    assert [named(size) for size in (0.1, -0.3, 0.6, 2)] == ["negligible", "small", "middling", "large"]


@pytest.mark.parametrize("effect", [0.05, 0.3, -0.8, 2.5])
def test_items_for_means_are_statsmodels(effect):
    theirs = TTestPower().solve_power(abs(effect), alpha=0.05, power=0.8)
    assert items_for_means(effect) == math.ceil(theirs - 1e-6)


def test_items_for_shares_give_the_power_that_they_promise():
    needed = items_for_shares(0.2, 0.05)
    rng, seen, runs = np.random.default_rng(0), 0, 1_500
    for _ in range(runs):
        up, down, _ = rng.multinomial(needed, [0.125, 0.075, 0.8])
        seen += (up - down) ** 2 / max(1, up + down) > stats.chi2.ppf(0.95, 1)
    assert seen / runs == pytest.approx(0.8, abs=0.035)
    assert smallest_difference(needed, 0.2) == pytest.approx(0.05, abs=1e-3)
    assert items_for_shares(0.2, 0.0) is None
    assert items_for_means(0.0) is None


def test_length_counts_nothing_where_it_is_controlled():
    rng = np.random.default_rng(0)
    longer = rng.normal(300, 200, 3_000)
    prefers_long = 1 / (1 + np.exp(-longer / 150))
    wins = (rng.random(3_000) < prefers_long).astype(float)
    assert wins.mean() > 0.8
    controlled = length_controlled(wins, longer, np.zeros(3_000))
    assert controlled.value == pytest.approx(0.5, abs=0.09)
    assert controlled.low < controlled.value < controlled.high < wins.mean()
    assert length_controlled(wins, np.ones(3_000), np.ones(3_000)).value == wins.mean()
    assert length_controlled(np.ones(20), longer[:20], np.zeros(20)).value == 1.0
    assert np.isnan(length_controlled(np.empty(0), np.empty(0), np.empty(0)).value)


def test_a_length_controlled_win_rate_is_the_regression_that_its_paper_names():
    """The case is known: a judge who draws by a logistic of 0.4 (a true rate of 59.9%) and of 1.2 times the tilt."""
    rng = np.random.default_rng(1)
    lengths, references = rng.integers(200, 4_000, 2_000).astype(float), rng.integers(200, 1_500, 2_000).astype(float)
    tilt = np.tanh((lengths - references) / (lengths - references).std())
    wins = (rng.random(2_000) < 1 / (1 + np.exp(-0.4 - 1.2 * tilt))).astype(float)
    found = length_controlled(wins, lengths, references)
    assert found.low < 1 / (1 + np.exp(-0.4)) < found.high < wins.mean()
    wins[::9] = 0.5
    found = length_controlled(wins, lengths, references)
    model = sm.GLM(wins, sm.add_constant(tilt), family=sm.families.Binomial()).fit(cov_type="HC0")
    expected = [1 / (1 + np.exp(-logit)) for logit in (model.params[0], *model.conf_int()[0])]
    assert [found.value, found.low, found.high] == pytest.approx(expected, abs=2e-4)


def test_comparisons_are_corrected_for_their_number():
    pairs = [pair(gain=gain, seed=seed) for seed, gain in enumerate((0.0, 0.02, 0.15))]
    found = corrected([compared(first, second) for first, second in pairs])
    assert [one.p_holm for one in found] == holm([one.p for one in found])
    assert all(one.p <= one.p_bh <= one.p_holm for one in found)


def comparison(**facts):
    base = compared(*pair())
    return Comparison(
        **{**{name: getattr(base, name) for name in Comparison.__slots__}, "arm": "a", "baseline": "b"} | facts
    )


def test_words_claim_what_the_interval_shows():
    found = comparison()
    assert proven(found)
    assert statement(found).startswith("a scores more than b on 400 items, by ")
    assert "small" in statement(found) or "negligible" in statement(found)


@pytest.mark.parametrize(
    "facts",
    [
        {"difference": Interval(0.02, -0.01, 0.05), "p": 0.001, "p_holm": 0.001},
        {"difference": Interval(0.02, 0.0, 0.05), "p": 0.001, "p_holm": 0.001},
        {"difference": Interval(0.02, 0.001, 0.05), "p": 0.04, "p_holm": 0.2},
    ],
)
def test_words_claim_nothing_where_interval_or_corrected_test_do_not(facts):
    found = comparison(**facts)
    assert not proven(found)
    said = statement(found)
    assert said.startswith("No difference can be claimed")
    assert "scores more" not in said


def test_words_for_nothing_in_common_and_for_the_same():
    assert "nothing can be said" in statement(comparison(items=0))
    same = comparison(difference=Interval(0.0, 0.0, 0.0), p=1.0, p_holm=1.0)
    assert "score the same on every item" in statement(same)


def test_not_worse_than_a_margin():
    known = comparison(difference=Interval(-0.01, -0.02, 0.0))
    assert noninferior(known, 0.03) == "a is at most 3.0 points worse than b (95%)."
    assert "can't be said" in noninferior(known, 0.015)
    assert "more than 0.5 points worse" in noninferior(comparison(difference=Interval(-0.02, -0.03, -0.01)), 0.005)
