"""How long an engine takes to start, as a gateway learns it."""

from __future__ import annotations

import pytest

from deployments.engine import starts
from deployments.engine.starts import PROCESS_SECONDS, RUNNING, UNSEEN_SECONDS, Starts


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setitem(RUNNING, "expert-one", 0)
    return [100.0]


@pytest.fixture
def engine(clock):
    return Starts("expert-one", 300.0, lambda: clock[0])


def test_nothing_is_waited_for_where_a_replica_runs_or_nothing_is_known(engine):
    RUNNING["expert-one"] = 1
    assert engine.warmup is None
    del RUNNING["expert-one"]
    assert engine.warmup is None


def test_the_last_start_counts_before_what_a_replica_said(engine, clock):
    assert (engine.warmup.left_s, engine.warmup.limit_s) == (UNSEEN_SECONDS, 300.0)
    engine.reported(12.0)
    engine.reported(0.0)
    assert engine.warmup.left_s == 12.0 + PROCESS_SECONDS
    began = engine.begin()
    clock[0] += 20
    engine.end(began)
    assert engine.warmup.left_s == 20


def test_what_is_left_shrinks_and_a_late_start_is_expected_to_be_as_late_again(engine, clock):
    engine.end(engine.begin() - 20)
    began = engine.begin()
    clock[0] += 15
    assert engine.begin() == began
    assert engine.warmup.left_s == 5
    clock[0] += 11
    assert engine.warmup.left_s == 6


def test_a_start_that_ended_unseen_is_not_counted_on(engine, clock):
    engine.begin()
    RUNNING["expert-one"] = 1
    assert engine.warmup is None
    RUNNING["expert-one"] = 0
    clock[0] += 500
    assert engine.warmup.left_s == starts.UNSEEN_SECONDS
