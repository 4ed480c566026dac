"""What members add to an ensemble, and who a gate keeps."""

import numpy as np
import pytest

from mixture.aggregation.learning import Poll
from mixture.aggregation.marginal import bootstrapped, gate, lifts, majority_of


def polls(count=400, seed=0):
    """Three experts of their own, an echo of the first, and one who is always wrong in a way of his own."""
    rng = np.random.default_rng(seed)
    found = []
    for row in range(count):
        votes = {name: "right" if rng.random() < 0.65 else f"{name}{row}" for name in ("a", "b", "c")}
        votes |= {"echo": votes["a"], "lost": f"lost{row}"}
        found.append(Poll(votes, "", {name: float(vote == "right") for name, vote in votes.items()}))
    return found


def test_who_is_of_use_is_proven_and_who_is_not_is_not():
    found = {lift.expert: lift for lift in lifts(["a", "b", "c", "lost"], majority_of(polls()))}
    assert found["b"].proven and found["c"].proven
    assert (found["lost"].mean, found["lost"].low, found["lost"].proven) == (0.0, 0.0, False)
    assert all(lift.low <= lift.mean <= lift.high for lift in found.values())


def test_of_two_who_say_the_same_one_stays():
    found = gate(["a", "echo", "b", "c", "lost"], majority_of(polls()))
    assert len({"a", "echo"} & set(found.kept)) == 1
    assert "lost" not in found.kept and {"b", "c"} <= set(found.kept)
    assert {lift.expert for lift in found.dropped} | set(found.kept) == {"a", "echo", "b", "c", "lost"}
    assert len(found.lifts) == 5


def test_one_always_stays():
    assert gate(["lost"], majority_of(polls(20))).kept == ("lost",)
    assert len(gate(["lost", "other"], majority_of(polls(20))).kept) == 1


def test_a_majority_counts_only_its_members():
    poll = Poll({"a": "1", "b": "2", "c": "2", "d": None}, "", {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0})
    play = majority_of([poll])
    assert [play(some)[0] for some in (["a", "b"], ["a", "b", "c"], ["b", "a"], ["d"], [])] == [1, 0, 0, 0, 0]


def test_an_interval_of_nothing():
    assert np.isnan(bootstrapped(np.array([]))).all()
    assert bootstrapped(np.ones(5)) == (pytest.approx(1), pytest.approx(1))
