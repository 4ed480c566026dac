"""Counters: sums by labels, bounded, added up over processes."""

import pytest

from mixture.counters import MOST, OTHER, Counters, Tally


def test_sums_grow_by_their_labels():
    counters = Counters()
    counters.count("mixture_cache_total", kind="exact", outcome="hit")
    counters.count("mixture_cache_total", 2, outcome="hit", kind="exact")
    assert counters.sums["mixture_cache_total"] == {("exact", "hit"): 3.0}


@pytest.mark.parametrize("labels", [{}, {"kind": "exact"}])
def test_what_has_no_place_is_an_error(labels):
    with pytest.raises(KeyError):
        Counters().count("mixture_cache_total", **labels)
    with pytest.raises(KeyError):
        Counters().count("unheard_of")


def test_labels_are_bounded():
    counters = Counters()
    for number in range(MOST + 5):
        counters.count("mixture_cost_usd_total", expert=f"expert-{number}")
    series = counters.sums["mixture_cost_usd_total"]
    assert (len(series), series[(OTHER,)]) == (MOST + 1, 5.0)


def test_amounts_fall_into_buckets():
    counters = Counters()
    for value in (0.001, 0.0011, 99.0):
        counters.observe("mixture_overhead_seconds", value)
    series = counters.sums["mixture_overhead_seconds"]
    assert (series["le", "0.001"], series["le", "0.0025"], series["le", "+Inf"], series[("count",)]) == (1, 1, 1, 3)


def test_every_process_counts_once_and_stays_counted():
    tally, one, other = Tally(), Counters(), Counters()
    one.count("mixture_unpriced_total", expert="a")
    tally.tell("one", one.copy())
    other.count("mixture_unpriced_total", expert="a")
    tally.tell("one", one.copy())
    assert tally.tell("other", other.copy())["mixture_unpriced_total"] == {("a",): 2.0}
    for number in range(MOST):
        tally.tell(f"late-{number}", Counters().copy())
    assert tally.tell("last", Counters().copy())["mixture_unpriced_total"] == {("a",): 2.0}
