import itertools

import pytest

from mixture.routing.objective import Aim, Candidate, choose, two_way

CHEAP = Candidate("cheap", 0.6, 0.0001, 300)
MIDDLE = Candidate("middle", 0.8, 0.002, 900)
DEAR = Candidate("dear", 0.85, 0.03, 3_000)
ALL = (CHEAP, MIDDLE, DEAR)


def test_without_wishes_quality_is_weighed_against_cost():
    assert choose(ALL).order == ("middle", "cheap", "dear")
    assert choose(ALL, Aim(usd_per_answer=10)).order[0] == "dear"
    assert choose(ALL, Aim(usd_per_answer=0)).order[0] == "cheap"
    assert choose(ALL, Aim(usd_per_second=0.01)).order[0] == "cheap"


def test_the_order_does_not_depend_on_the_order_given():
    twin = Candidate("twin", 0.8, 0.002, 900)
    for shuffled in itertools.permutations((*ALL, twin)):
        assert choose(shuffled).order == choose((*ALL, twin)).order


def test_a_floor_takes_the_cheapest_that_keeps_it():
    assert choose(ALL, Aim(quality=0.95)).order == ("dear", "middle", "cheap")
    assert choose(ALL, Aim(quality=0.9)).order == ("middle", "dear", "cheap")
    assert choose(ALL, Aim(quality=0.5)).order[0] == "cheap"
    assert choose(ALL, Aim(quality=0.95, margin=0.3)).order[0] == "cheap"


def test_limits_come_first():
    assert choose(ALL, Aim(quality=1.0, max_cost_usd=0.01)).order[0] == "middle"
    choice = choose(ALL, Aim(quality=1.0, max_latency_ms=500))
    assert choice.order == ("cheap",)
    assert choice.left_out == (("dear", "takes 3000 of 500 ms"), ("middle", "takes 900 of 500 ms"))


def test_unknown_is_not_nothing():
    unknown = Candidate("unknown", 0.8)
    assert "unknown" not in choose((*ALL, unknown), Aim(max_cost_usd=1)).order
    assert choose((*ALL, unknown)).order[-1] != choose((*ALL, unknown)).order[0] != "unknown"
    assert choose((unknown,)).order == ("unknown",)


def test_load_and_cooldown_count():
    busy = Candidate("cheap", 0.6, 0.0001, 300, waiting=4)
    assert busy.expected_ms == 1_200
    assert "cheap" not in choose((busy, MIDDLE), Aim(max_latency_ms=1_000)).order
    assert choose((Candidate("cheap", 0.6, 0.0001, available=False), DEAR)).order == ("dear",)


def test_when_no_expert_keeps_the_limits_the_cheapest_is_named_and_marked():
    choice = choose(ALL, Aim(max_cost_usd=0.00001))
    assert choice.order[0] == "cheap"
    assert not choice.within
    assert len(choice.left_out) == 3


def test_when_no_expert_keeps_the_limits_the_one_that_breaks_them_least_is_first():
    """In time all take too long; with money too, the one that takes the smaller multiple of either."""
    quick_and_dear = Candidate("quick", 0.5, 0.02, 200)
    slow = Candidate("slow", 0.9, 0.0001, 3_000)
    assert choose((slow, quick_and_dear), Aim(max_latency_ms=100)).order == ("quick", "slow")
    assert choose((slow, quick_and_dear), Aim(max_latency_ms=100, max_cost_usd=0.0002)).order == ("slow", "quick")
    unknown = Candidate("unknown", 0.9, None, 150)
    cooling = Candidate("cooling", 0.9, 0.0001, 150, available=False)
    aim = Aim(max_latency_ms=100, max_cost_usd=0.01)
    assert choose((unknown, cooling, quick_and_dear), aim).order == ("quick", "unknown", "cooling")
    assert choose((slow,), Aim(max_latency_ms=0)).order == ("slow",)


def test_no_candidate_is_an_error():
    with pytest.raises(ValueError, match="no candidate"):
        choose(())


def test_the_threshold_of_two():
    assert two_way(0.3, "weak", "strong", 0.3).order == ("strong", "weak")
    assert two_way(0.2999, "weak", "strong", 0.3).order == ("weak", "strong")
