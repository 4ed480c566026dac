"""Random Fourier features: the kernel that they stand for, for embeddings of any size."""

import numpy as np
import pytest

from mixture.routing import bending


@pytest.mark.parametrize("size", [1, 3, 384, 1_152, 3_000])
def test_products_are_the_kernel(size):
    signs = bending.drawn(size)
    one, other = np.random.default_rng(0).standard_normal((2, 40, size)).astype(np.float32)
    found = bending.bent(one, signs, 1.0) @ bending.bent(other, signs, 1.0).T
    distances = ((one[:, None] - other[None]) ** 2).mean(-1)
    assert np.abs(found - np.exp(-bending.GAMMA * distances)).mean() < 0.02
    assert bending.bent(one, signs, 8.0).shape == (40, 2 * bending.FREQUENCIES)


def test_one_and_many_are_bent_alike():
    rows, signs = np.random.default_rng(1).standard_normal((5, 100)).astype(np.float32), bending.drawn(100)
    singly = np.array([bending.bent(row, signs, 2.0) for row in rows])
    assert np.allclose(singly, bending.bent(rows, signs, 2.0), atol=1e-5)
    assert np.allclose((singly**2).sum(-1), 2.0, atol=1e-4)


def test_signs_are_known_by_their_form():
    assert bending.fits(bending.drawn(100), 100)
    assert bending.fits(bending.drawn(0), 0)
    assert not bending.fits(bending.drawn(100), 300)
    assert not bending.fits(np.full_like(bending.drawn(100), 3), 100)
