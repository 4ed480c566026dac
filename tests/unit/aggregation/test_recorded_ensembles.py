"""The parts of the benchmark of aggregation that decide: what is replayed, and which ladder is chosen."""

import numpy as np
import pytest

from benchmarks.ensembles import folds, oracle, play, polls, single
from benchmarks.ladders import chosen
from benchmarks.recordings import with_responses
from mixture.aggregation.majority import Majority
from mixture.routing.outcomes import pivot

COSTS = {"cheap": 1.0, "fair": 2.0, "dear": 10.0}


def recording(count=120, seed=0, responses=True):
    rng = np.random.default_rng(seed)
    rows = []
    for item in range(count):
        for name, share in {"cheap": 0.6, "fair": 0.65, "dear": 0.8}.items():
            right = bool(rng.random() < share)
            text = f"The answer is {7 if right else rng.integers(100, 200)}."
            row = {"prompt": f"How many are there in {item}?", "expert": name, "score": right, "cost_usd": COSTS[name]}
            rows.append(row | ({"response": text} if responses else {}))
    return pivot(rows)


async def test_what_is_played_is_scored_and_paid_as_recorded():
    log = recording()
    names = ["dear", "fair", "cheap"]
    vote = await play("voting", {}, log, names, Majority())
    assert (vote.calls == 3).all()
    assert (vote.cost == 13).all()
    assert single(log, "cheap").accuracy < vote.accuracy < oracle(log, names)
    ahead = await play("cascade", {"lead": 2, "fallback_order": names}, log, names, Majority())
    two = np.array([poll.votes["dear"] == poll.votes["fair"] for poll in polls(log, names)])
    assert np.array_equal(ahead.calls, np.where(two, 2, 3))
    assert np.array_equal(ahead.right, vote.right)


@pytest.mark.parametrize("responses", [True, False])
def test_a_ladder_is_cheaper_than_its_top(responses):
    log = with_responses(recording(400, responses=responses))
    ladder, wary = chosen(log, (0.0, 1.0))
    assert wary.experts == ("dear",)
    assert ladder.experts[-1] == "dear"
    assert list(ladder.experts) == sorted(ladder.experts, key=COSTS.get)


async def test_a_missing_answer_is_no_call_of_a_vote():
    log = pivot(
        [
            {"prompt": "How many?", "expert": "a", "score": 1, "response": "3"},
            {"prompt": "How much?", "expert": "b", "score": 1, "response": "3"},
        ]
    )
    done = await play("voting", {}, log, ["a", "b"], Majority())
    assert (done.calls.tolist(), done.right.tolist()) == ([1, 1], [1, 1])


def test_every_row_is_tested_once():
    parts = folds(23)
    assert sorted(row for _, test in parts for row in test) == list(range(23))
    assert all(not set(train) & set(test) for train, test in parts)
