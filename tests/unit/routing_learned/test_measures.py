import numpy as np
import pytest

from benchmarks.measures import Curve, Frontier, interval


def two(size=4_000):
    rng = np.random.default_rng(0)
    weak, strong = (rng.random((2, size)) < [[0.6], [0.8]]).astype(float)
    return weak, strong, rng.random(size)


def test_chance_recovers_half_of_the_gap_and_the_oracle_more_than_all():
    weak, strong, random = two()
    assert Curve(random, weak, strong).apgr() == pytest.approx(0.5, abs=0.05)
    assert Curve(strong - weak, weak, strong).apgr() > 1
    assert Curve(weak - strong, weak, strong).apgr() < 0
    assert Curve(random, weak, strong).cpt(0.5) == pytest.approx(50, abs=6)


def test_weights_count_rows_as_often_as_they_say():
    weak, strong, random = two(500)
    weights = np.ones(500)
    weights[:100] = 2
    twice = np.concatenate([np.arange(500), np.arange(100)])
    weighted = Curve(random, weak, strong).apgr(weights)
    assert weighted == pytest.approx(Curve(random[twice], weak[twice], strong[twice]).apgr(), abs=1e-9)


def test_an_interval_holds_the_value_and_a_difference_to_itself_is_nothing():
    weak, strong, random = two(1_000)
    curve = Curve(random, weak, strong)
    low, high = interval(curve.apgr, 1_000)
    assert low < curve.apgr() < high
    assert interval(curve.apgr, 1_000, curve.apgr) == (0.0, 0.0)


def test_a_frontier_spends_where_it_helps():
    rng = np.random.default_rng(0)
    hard = rng.random(1_000) < 0.4
    scores = np.stack([~hard, np.ones(1_000, dtype=bool)], axis=1).astype(float)
    costs = np.tile([1.0, 10.0], (1_000, 1))
    front = Frontier(scores, costs, scores, costs)
    assert front.cost_at(1.0) == pytest.approx(1 + 9 * hard.mean())
    assert front.accuracy_at(10.0) == 1.0
    assert front.accuracy_at(1.0) == pytest.approx(1 - hard.mean())
    assert front.cost_at(1.1) == np.inf
