import numpy as np
import pytest

from mixture.config import ExperimentConfig
from mixture.experiments.sequences import ENOUGH, _bernstein, asymptotic, bounded, differences

CONFIG = ExperimentConfig(control="a", candidate="b")


@pytest.mark.parametrize("draw", ["bernoulli", "beta", "rare"])
def test_an_interval_holds_at_every_moment_at_once(draw):
    """400 runs of 400 observations each, looked at after every one: in at most 5% of the runs, and some by chance, is
    the truth ever outside."""
    rng = np.random.default_rng(7)
    mean = {"bernoulli": 0.6, "beta": 2 / 7, "rare": 0.03}[draw]
    missed = 0
    for _ in range(400):
        x = rng.beta(2, 5, 400) if draw == "beta" else (rng.random(400) < mean).astype(float)
        lows, highs = _bernstein(x, 0.05)
        missed += bool((lows > mean).any() or (highs < mean).any())
    assert missed <= 32  # a binomial of 400 at 5% is above it once in 600


def test_an_ordinary_interval_would_not():
    """What the sequences are for: looking after each observation at an ordinary 95% interval."""
    rng = np.random.default_rng(8)
    missed = 0
    for _ in range(200):
        x = (rng.random(400) < 0.5).astype(float)
        n = np.arange(1, 401)
        means = np.cumsum(x) / n
        missed += bool((np.abs(means - 0.5) > 1.96 * 0.5 / np.sqrt(n))[20:].any())
    assert missed > 40


def test_intervals_grow_narrower_and_hold_the_range():
    x = [1.0, 0.0] * 2_000
    few, many = bounded(x[:20], 0.05), bounded(x, 0.05)
    assert 0 <= few.low <= many.low < 0.5 < many.high <= few.high <= 1
    assert many.high - many.low < 0.1
    nothing = bounded([], 0.05, -1, 1)
    assert (nothing.low, nothing.high, nothing.n) == (-1, 1, 0)


def test_the_asymptotic_sequence_waits_and_then_covers():
    rng = np.random.default_rng(9)
    assert asymptotic([1.0] * (ENOUGH - 1), 0.05) is None
    missed = 0
    for _ in range(200):
        x = rng.exponential(2.0, 600)
        found = [asymptotic(x[:n], 0.05) for n in range(ENOUGH, 601, 25)]
        missed += any(not one.low <= 2.0 <= one.high for one in found)
    assert missed <= 18


def test_differences_pair_the_rarer_way_with_its_share_of_the_other():
    observed = [(False, 0.0), (False, 1.0), (True, 1.0), (False, 1.0), (True, 0.0), (False, 0.5)]
    assert differences(observed, CONFIG) == [1.0, -1.0]
    quarter = CONFIG.model_copy(update={"share": 0.25})
    assert differences(observed, quarter) == [pytest.approx(1 - 2 / 3)]
    most = CONFIG.model_copy(update={"share": 0.8})
    assert differences([(True, 1.0)] * 4 + [(False, 0.5)], most) == [0.5]
