"""The simulated world of `benchmarks.scale`: what goes in comes out, and the real autoscaling policy moves it."""

from __future__ import annotations

import pytest

from benchmarks.scale import first_to_give_way, installation, within_reach
from benchmarks.scale_costs import microseconds
from benchmarks.scale_world import Fleet, between, day, flash
from benchmarks.service_times import ServiceTimes
from mixture.config import EngineConfig

TIMES = ServiceTimes((1, 2, 4, 8, 16), (1.0, 2.0, 4.0, 6.0, 6.2), (0.1, 0.1, 0.2, 0.4, 2.0), 20.0, 64, "made up")
ENGINE = EngineConfig(gpus=1, max_num_seqs=8, autoscaling_config={"min_replicas": 1, "max_replicas": 100})


def test_demand_has_its_peak_in_the_evening_and_its_crowd_for_ten_minutes():
    assert day(100, 17) == pytest.approx(100)
    assert day(100, 5) == pytest.approx(20)
    assert [flash(10, second) for second in (0, 135, 400, 1_000)] == [10, pytest.approx(55), 100, 10]


def test_a_fleet_gives_what_was_measured_and_keeps_what_it_can_not():
    fleet = Fleet.of(ENGINE, TIMES)
    assert TIMES.places == 8
    assert fleet.capacity == 6.0
    for _ in range(20):
        assert fleet.pass_(1.0, 3.0) == 0
    assert fleet.requests < 8
    lost = sum(fleet.pass_(1.0, 12.0) for _ in range(200))
    assert fleet.load.engine.waiting > 0
    assert lost == pytest.approx(12 * 200 - 6 * 200 - fleet.places - 6 * 30, abs=20)
    assert fleet.first_token() > 20


def test_the_policy_brings_replicas_after_serves_delays_and_the_time_to_load():
    fleet = Fleet.of(ENGINE, TIMES)
    first = None
    for now in range(300):
        fleet.pass_(1.0, 18.0)
        fleet.scale(float(now), 100)
        if first is None and fleet.replicas > 1:
            first = now
    assert first >= 10 + 20
    assert 4 <= fleet.replicas <= 60
    before = fleet.replicas
    for now in range(300, 1_200):
        fleet.pass_(1.0, 0.5)
        fleet.scale(float(now), 100)
    assert fleet.replicas < before
    assert fleet.replicas >= 1


@pytest.mark.parametrize(("factor", "overrun"), [({}, False), ({"downscaling_factor": 1.0}, True)])
def test_replicas_go_in_steps_that_leave_enough_of_them(factor, overrun):
    """Eighty hold seven requests each and twelve would do: as many as their requests ask for are too few."""
    rates = (8.7, 14.6, 28.9, 51.4, 61.8, 86.3)
    times = ServiceTimes((1, 2, 4, 8, 16, 32), rates, (0.01, 0.01, 0.02, 0.02, 0.04, 0.18), 22.0, 64, "made up")
    engine = EngineConfig(gpus=1, max_num_seqs=32, autoscaling_config={"max_replicas": 100, **factor})
    fleet = Fleet.of(engine, times, replicas=80)
    fewest = fleet.replicas
    for now in range(0, 7_200, 5):
        fleet.pass_(5.0, 5_000.0)
        fleet.scale(float(now), 100)
        fewest = min(fewest, fleet.replicas)
    assert (fewest < 1_000 / 86.3) is overrun
    assert fewest < 40


def test_no_more_replicas_than_there_is_room_for():
    fleet = Fleet.of(ENGINE, TIMES)
    for now in range(400):
        fleet.pass_(1.0, 1_000.0)
        fleet.scale(float(now), 7)
    assert fleet.replicas == 7


def test_between():
    assert [between(at, (1, 2, 4), (10, 20, 40)) for at in (0, 1, 3, 9)] == [10, 10, 30, 40]


def test_what_the_code_takes_grows_only_where_it_must():
    few, many = microseconds((10, 1_000))
    assert many["find_home_us"] > few["find_home_us"]
    assert many["read_loads_us"] < 20 * few["read_loads_us"] + 20  # added up ten times a second, not each time


def test_the_words_of_the_result():
    runs = [
        {"curve": "day", "peak_rps": 10, "lost_share": 0.0, "replicas": 2},
        {"curve": "flash crowd", "peak_rps": 100, "lost_share": 0.5, "replicas": 20},
        {"curve": "day", "peak_rps": 1000, "lost_share": 0.5, "replicas": 1000},
    ]
    assert first_to_give_way(runs) == "replicas that load too slowly (flash crowd of 100 requests/s)"
    assert first_to_give_way(runs[2:]) == "replicas in one cluster (day of 1000 requests/s)"
    assert first_to_give_way(runs[:1]) == "nothing"
    costs = [{"replicas": n, "read_loads_us": n, "find_home_us": n, "policy_us": 1.0} for n in (1, 100, 1000)]
    assert within_reach(costs, 1_000) == 100
    sizes = installation(40.0, {"learned": 10.0}, TIMES)
    assert (sizes["replicas"], sizes["router_processors"]) == (10, 6)


def test_what_comes_and_leaves_is_even_and_few_are_under_way():
    fleet = Fleet.of(ENGINE, TIMES)
    fleet.begin(12.0, 100)
    assert fleet.replicas == 3
    for _ in range(10):
        assert fleet.pass_(5.0, 60.0) == 0
    assert fleet.requests == pytest.approx(12.0)
    fleet.pass_(5.0, 5.0)
    assert fleet.requests == pytest.approx(1.0)
