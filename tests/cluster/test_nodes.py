"""A cluster of machines under load while its parts die. `make test-cluster` runs these; they take a few minutes."""

from __future__ import annotations

import os

import pytest

from benchmarks.cluster import CLIENTS, FAULTS, state_restarts, suffered
from benchmarks.nodes import impossible
from benchmarks.stage import staged

pytestmark = pytest.mark.timeout(900)

DYING = ("a gateway dies", "a node dies, one joins")
"""Where a machine or process that talks to clients dies, what it was saying ends without a word."""


@pytest.fixture(scope="module")
def stage():
    if not os.environ.get("MIXTURE_TEST_CLUSTER"):
        pytest.skip("`make test-cluster` runs these")
    if why := impossible():
        pytest.skip(why)
    with staged() as made:
        yield made


@pytest.mark.parametrize("name", FAULTS)
def test_no_request_hangs_and_those_that_had_not_begun_go_elsewhere(stage, name):
    if FAULTS[name] is state_restarts and not stage.made.redis:
        pytest.skip("redis-server is not installed, which keeps the cluster's state")
    counts = suffered(stage, name)
    print(name, dict(counts))
    assert counts["answered"] >= 2 * CLIENTS
    assert counts["hung"] == counts["malformed"] == 0
    assert counts["cut"] <= (CLIENTS if name in DYING else 0)
    assert counts["refused"] == 0
