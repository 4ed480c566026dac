import numpy as np
import pytest
from scipy import sparse

from mixture.routing import ridge


def design(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    words = sparse.random(rows, 30, 0.2, "csr", np.float32, random_state=rng)
    return ridge.Design(words, rng.standard_normal((rows, 3)).astype(np.float32)), rng.standard_normal((rows, 2))


def test_left_out_predictions_are_those_of_models_without_the_row():
    gram = design()[0].gram()
    targets = design()[1]
    targets = targets - targets.mean(0)
    quick = ridge.Spectrum(gram).left_out(targets, 2.0)
    for row in (0, 7, 39):
        others = np.delete(np.arange(40), row)
        duals = np.linalg.solve(gram[np.ix_(others, others)] + 2 * np.eye(39), targets[others])
        assert np.allclose(gram[row, others] @ duals, quick[row], atol=1e-6)


def test_conjugate_gradients_find_the_direct_solution(monkeypatch):
    rows, targets = design(200, 3)
    direct = rows.times(ridge.solve(rows, targets, 3.0))
    monkeypatch.setattr(ridge, "DIRECT", 10)
    assert np.abs(rows.times(ridge.solve(rows, targets, 3.0)) - direct).max() < 1e-2


def left(penalty):
    """What is left of targets that are hard to solve for with a weak penalty: all rows are nearly alike."""
    rng = np.random.default_rng(5)
    dense = (1 + 0.03 * rng.standard_normal((2_000, 60))).astype(np.float32)
    rows = ridge.Design(sparse.csr_matrix((2_000, 1), dtype=np.float32), dense)
    targets = rng.standard_normal((2_000, 2))
    duals = ridge._refined(rows, targets, penalty, 1e-3)
    exact = dense.astype(np.float64)
    return ridge._longest(targets - exact @ (exact.T @ duals) - penalty * duals) / ridge._longest(targets)


@pytest.mark.parametrize("penalty", [1e-2, 1.0, 100.0])
def test_conjugate_gradients_leave_no_more_than_was_asked_for(penalty):
    assert left(penalty) <= 1e-3


def test_one_round_in_single_precision_is_not_enough_for_a_weak_penalty(monkeypatch):
    monkeypatch.setattr(ridge, "ROUNDS", 1)
    assert left(1e-2) > 1e-3


def test_more_noise_asks_for_more_penalty():
    rows, noise = design(200, 4)
    signal = rows.dense[:, :1].astype(float)
    spectrum = ridge.Spectrum(rows.gram())
    assert spectrum.tune(signal + 0.01 * noise[:, :1]).penalty < spectrum.tune(signal + 30 * noise[:, :1]).penalty


def test_known_products_change_nothing():
    rows, _ = design()
    some = np.array([3, 5, 8])
    assert np.allclose(rows.multiplied().rows(some).gram(), rows.rows(some).gram(), atol=1e-5)
