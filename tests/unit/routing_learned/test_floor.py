import math

import numpy as np
import pytest

from mixture.routing.floor import calibrate, exceeds, routed


def outcomes(size, seed):
    """Predicted gains, and the scores of a cheap expert that fails as often more as predicted."""
    rng = np.random.default_rng(seed)
    gains = rng.uniform(0, 0.4, size)
    strong = rng.random(size) < 0.85
    return gains, (strong & (rng.random(size) > gains)).astype(float), strong.astype(float)


@pytest.mark.parametrize("horizon", [None, 1_000])
def test_the_promise_is_kept_in_95_percent_of_splits_and_saves_calls(horizon):
    kept, shares = 0, []
    for seed in range(200):
        gains, cheap, strong = outcomes(2_000 if horizon else 12_000, seed)
        known, new = slice(0, 1_000), slice(1_000, None)
        rule = calibrate(gains[known], cheap[known], strong[known], 0.95, horizon=horizon)
        reached = np.where(routed(gains[new], rule), cheap[new], strong[new]).mean()
        kept += reached >= 0.95 * strong[new].mean()
        shares.append(rule.share)
    assert kept >= 190
    assert np.mean(shares) > 0.05


def test_a_cheap_expert_that_is_as_good_gets_everything():
    gains, _, strong = outcomes(2_000, 1)
    assert calibrate(gains, strong, strong, 0.9).share == 1.0


def test_a_useless_one_gets_nothing_and_no_data_promises_nothing():
    gains, _, strong = outcomes(2_000, 1)
    rule = calibrate(gains, np.zeros(2_000), strong, 0.99)
    assert rule.share < 0.02
    assert calibrate([], [], [], 0.95).threshold == -math.inf
    assert not routed([-5.0], calibrate([0.1], [1.0], [1.0], 0.95))[0]


def test_the_test_errs_as_seldom_as_it_says():
    rng = np.random.default_rng(0)
    wrong = sum(exceeds((rng.random(300) < 0.5).astype(float), 0.5, 0.05) for _ in range(1_000))
    right = sum(exceeds((rng.random(300) < 0.62).astype(float), 0.5, 0.05) for _ in range(200))
    assert wrong <= 60
    assert right > 150


@pytest.mark.parametrize("horizon", [100, 300, 3_000])
def test_the_test_for_the_next_values_counts_their_own_chance(horizon):
    """The values of a population in random order: how often those to come lie below what was certified of them."""
    rng = np.random.default_rng(3)
    certified = wrong = 0
    for _ in range(600):
        drawn = (rng.random(300 + horizon) < 0.6).astype(float)
        known, new = drawn[:300], drawn[300:]
        certified += exceeds(known, 0.52, 0.05, horizon)
        wrong += exceeds(known, 0.52, 0.05, horizon) and new.mean() < 0.52
    assert wrong <= 600 * 0.05
    assert certified > (100 if horizon > 100 else 10)


def test_the_next_values_are_promised_less_than_the_long_run_and_many_of_them_nearly_as_much():
    values = (np.random.default_rng(1).random(2_000) < 0.7).astype(float)
    grid = np.arange(0.5, 0.7, 0.001)

    def most(horizon):
        return max(least for least in grid if exceeds(values, least, 0.05, horizon))

    assert most(500) < most(2_000) < most(1_000_000) <= most(None) + 0.001
    assert most(None) - most(1_000_000) < 0.002


def test_quality_outside_zero_and_one_is_refused():
    with pytest.raises(ValueError, match="quality"):
        calibrate([0.1], [1.0], [1.0], 1.5)
