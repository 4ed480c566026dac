"""Engines that share a GPU start one after the other."""

from __future__ import annotations

import fcntl

import pytest

from deployments.engine.turns import place, turn


@pytest.fixture(autouse=True)
def gpu(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-12/3")


def free():
    with place().open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_one_at_a_time_on_a_shared_gpu(monkeypatch):
    with turn(0.5):
        assert not free()
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        assert free()  # another GPU's turn is another one
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-12/3")
    assert free()


def test_a_start_that_fails_gives_its_turn_on():
    with pytest.raises(MemoryError), turn(0.5):
        raise MemoryError
    assert free()


@pytest.mark.parametrize("gpus", [0.0, 1.0])
def test_nobody_waits_where_nothing_is_shared(gpus):
    with turn(gpus):
        assert not place().exists()
