"""cascade: the order of asking, and when the next one is asked."""

import pytest

from mixture.errors import InvalidQuery, NoAnswer, StreamBroken
from mixture.providers.scripted import scripted
from mixture.types import Message, Price, Query, Sampling
from mixture.wrappers import state


def failing(name, error="ExpertUnavailable", **more):
    return scripted(name, "x y z", failure={"error": error, "message": f"{name} is down", **more})


async def test_cheapest_first_and_unknown_prices_last(run):
    experts = [
        scripted("unknown"),
        scripted("dear", price=Price(10, 30)),
        scripted("cheap", price=Price(0.1, 0.2)),
        scripted("free", price=Price(0, 0)),
    ]
    done = await run("cascade", *experts)
    assert done.told == [
        ("routed", "free", "cheap", "dear", "unknown"),
        ("delta", "free", "ok"),
        ("end", "free", "", "stop"),
    ]
    costs = done.events[0].route.signals["expected_cost_usd"]
    assert costs["free"] == 0.0
    assert costs["cheap"] < costs["dear"]
    assert costs["unknown"] is None


async def test_cheapest_means_for_this_query(run):
    long_prompts, long_answers = scripted("a", price=Price(1, 100)), scripted("b", price=Price(50, 1))
    one = await run("cascade", long_prompts, long_answers, query=Query((Message("user", "x" * 40_000),)))
    other = await run("cascade", long_prompts, long_answers, query=Query((Message("user", "hi"),)))
    assert one.told[0] == ("routed", "a", "b")
    assert other.told[0] == ("routed", "b", "a")


async def test_a_short_maximum_makes_the_answer_cheap(run):
    query = Query((Message("user", "x" * 4000),), Sampling(max_tokens=1))
    done = await run("cascade", scripted("b", price=Price(2, 1)), scripted("a", price=Price(1, 100)), query=query)
    assert done.told[0] == ("routed", "a", "b")


async def test_the_configured_order_and_nobody_else(run):
    last = scripted("c", price=Price(0, 0))
    done = await run("cascade", failing("a"), failing("b"), last, fallback_order=("b", "a"))
    assert done.told == [("routed", "b", "a")]
    assert last.counts.started == 0
    assert isinstance(done.error, NoAnswer)


async def test_an_order_of_which_nobody_can_answer_this_query_leaves_the_others(run):
    done = await run("cascade", scripted("a"), fallback_order=("blind",))
    assert done.completion.expert == "a"


@pytest.mark.parametrize("error", ["ExpertUnavailable", "ExpertTimeout", "RateLimited", "Declined"])
async def test_the_next_one_is_asked_after_a_failure_before_the_first_token(run, error):
    done = await run("cascade", failing("a", error), scripted("b", "fine"))
    assert done.told == [("routed", "a", "b"), ("delta", "b", "fine"), ("end", "b", "", "stop")]
    assert done.completion.degraded is None


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("error", ["ExpertUnavailable", "StreamBroken", "ExpertTimeout"])
async def test_nobody_takes_over_after_the_first_token(run, error, wrapped):
    other = scripted("b")
    done = await run("cascade", failing("a", error, after=2), other, wrapped=wrapped)
    assert done.told == [("routed", "a", "b"), ("delta", "a", "x "), ("delta", "a", "y ")]
    assert isinstance(done.error, StreamBroken)
    assert done.error.expert == "a"
    assert other.counts.started == 0


async def test_without_a_stream_a_broken_answer_is_made_by_the_next_one(run):
    done = await run("cascade", failing("a", "StreamBroken", after=2), scripted("b"), stream=False)
    assert done.completion.expert == "b"


async def test_a_request_that_no_expert_takes_is_not_tried_on_all(run):
    other = scripted("b")
    done = await run("cascade", failing("a", "InvalidQuery"), other)
    assert isinstance(done.error, InvalidQuery)
    assert other.counts.started == 0


async def test_a_context_that_is_too_small_for_one_may_be_large_enough_for_the_next(run):
    small = failing("a", "InvalidQuery", code="context_length_exceeded")
    assert (await run("cascade", small, scripted("b"))).completion.expert == "b"
    both = await run("cascade", small, failing("b", "InvalidQuery", code="context_length_exceeded"))
    assert isinstance(both.error, InvalidQuery)
    assert both.error.code == "context_length_exceeded"


async def test_a_context_known_to_be_too_small_comes_last(run):
    small = scripted("small", context_window=100, price=Price(0, 0))
    done = await run("cascade", small, scripted("large", price=Price(1, 1)), asked="word " * 500)
    assert done.told[0] == ("routed", "large", "small")


async def test_all_failed(run):
    done = await run("cascade", failing("a", retry_after=7), failing("b", "RateLimited", retry_after=3))
    assert isinstance(done.error, NoAnswer)
    assert done.error.causes == (("a", "a is down"), ("b", "b is down"))
    assert done.error.retry_after == 3
    assert "a: a is down" in done.error.message


async def test_who_failed_too_often_comes_last(run, panel):
    down, up = failing("down"), scripted("up", price=Price(1, 1))
    down.card = scripted("down", price=Price(0, 0)).card
    made = panel(down, up, wrapped=True)
    for _ in range(3):
        assert (await run("cascade", *made.experts.values())).completion.expert == "up"
    assert state(made.experts["down"]) == "open"
    done = await run("cascade", *made.experts.values())
    assert done.told[0] == ("routed", "up", "down")


async def test_experts_that_only_calculate_are_asked_only_to_calculate(run):
    exact = scripted("exact", skills=("arithmetic", "units"), price=Price(0, 0))
    model = scripted("model", price=Price(1, 1))
    assert (await run("cascade", exact, model)).told[0] == ("routed", "model")
    assert (await run("cascade", exact, model, asked="what is 3 * 4")).told[0] == ("routed", "exact", "model")


async def test_without_any_expert_the_client_is_told_what_to_add(run):
    done = await run("cascade")
    assert isinstance(done.error, NoAnswer)
    assert "OPENAI_API_KEY" in done.error.message
