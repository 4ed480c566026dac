"""The envelope: what calls may cost together, reserved before and settled after, for the whole tree of calls."""

import asyncio
import math
import random

import pytest

from mixture import Mixture
from mixture.config import Resilience
from mixture.dispatch.shares import fitting, shares
from mixture.envelope import Envelope, left, usd, within
from mixture.errors import BudgetExceeded, InvalidQuery, MixtureError
from mixture.metering import metered
from mixture.models import Wishes
from mixture.providers.scripted import scripted
from mixture.streams import complete
from mixture.trace import Trace
from mixture.types import Message, Price, Query, Sampling
from mixture.wrappers import wrap

PRICE = Price(1.0, 10.0)
ASKED = (Message("user", "x" * 24),)  # ten tokens by the rule of thumb
PLAIN = Query(ASKED)


def test_reserving_settling_and_what_is_left():
    envelope = Envelope(1.0)
    first, second = envelope.reserve(0.4), envelope.reserve(0.6)
    assert envelope.rest == pytest.approx(0)
    with pytest.raises(BudgetExceeded, match=r"may cost 0\.1 USD, 0 of 1 USD are left"):
        envelope.reserve(0.1)
    first.settle(0.1)
    assert (envelope.spent, envelope.rest) == (0.1, pytest.approx(0.3))
    second.settle(0.0)
    assert (envelope.rest, envelope.reserved, envelope.held) == (pytest.approx(0.9), 1.0, 0.0)
    with pytest.raises(BudgetExceeded, match="price is unknown"):
        envelope.reserve(math.inf)


def test_an_inner_envelope_takes_from_the_outer_one():
    with within(1.0) as outer, within(5.0) as wide, within(0.25) as inner:
        assert (wide.rest, inner.rest, left()) == (1.0, 0.25, 0.25)
        hold = inner.reserve(0.2)
        assert outer.rest == pytest.approx(0.8)
        hold.settle(0.05)
        assert (outer.spent, inner.spent, outer.rest) == (0.05, 0.05, pytest.approx(0.95))
    assert math.isinf(left())


def test_shares_and_what_fits():
    assert shares([1.0, 2.0], 5.0) == [2.0, 3.0]
    assert shares([1.0, 2.0], math.inf) == [None, None]
    assert fitting([3.0, 1.0, 2.0], 3.0) == [1, 2]
    assert fitting([math.inf, 1.0], 100.0) == [1]
    assert fitting([math.inf, 1.0], math.inf) == [0, 1]
    assert fitting([3.0], 1.0) == []


@pytest.mark.parametrize(("amount", "said"), [(0.5, "0.5"), (0.000123, "0.000123"), (0, "0"), (3e-9, "3e-09")])
def test_amounts_are_readable(amount, said):
    assert usd(amount) == said


def expert(name="a", text="one two", price=PRICE, **more):
    return wrap(scripted(name, text, price=price, **more), Resilience(num_retries=0))


async def test_a_call_is_paid_for_in_advance_and_settled_with_what_it_cost():
    calls = []
    with metered(calls), within(0.1) as envelope:
        await complete(expert(), PLAIN)
    assert envelope.spent == pytest.approx(calls[0].cost_usd)
    assert (envelope.held, calls[0].outcome) == (0.0, "ok")


@pytest.mark.parametrize("failure", ["RateLimited", "ExpertUnavailable"])
async def test_a_call_that_failed_frees_what_was_held_for_it(failure):
    with within(0.1) as envelope, pytest.raises(Exception, match="scripted failure"):
        await complete(expert(failure={"error": failure}), PLAIN)
    assert (envelope.held, envelope.spent) == (0.0, 0.0)
    assert envelope.reserved > 0


async def test_a_call_that_was_cancelled_costs_what_it_had_produced():
    with metered(calls := []), within(0.1) as envelope:
        task = asyncio.create_task(complete(made := expert(text="word " * 100, rate=500), Query(ASKED, stream=True)))
        inner = made
        while hasattr(inner, "inner"):
            inner = inner.inner
        await inner.reached(tokens=3)
        task.cancel()
        await asyncio.wait([task])
    assert calls[0].outcome == "cancelled"
    assert calls[0].cost_usd > 0
    assert (envelope.held, envelope.spent) == (0.0, pytest.approx(calls[0].cost_usd))


async def test_calls_made_at_once_are_not_granted_the_same_money():
    """Room for two answers of a hundred tokens, and ten calls at the same moment."""
    query, made = Query(ASKED, Sampling(max_tokens=100)), [expert(name) for name in "abcdefghij"]
    with metered(calls := []), within(0.0021) as envelope:
        ended = await asyncio.gather(*(complete(one, query) for one in made), return_exceptions=True)
    refused = [error for error in ended if isinstance(error, BudgetExceeded)]
    assert (len(calls), len(refused)) == (2, 8)
    assert envelope.spent <= 0.0021


async def test_without_a_maximum_the_rest_of_the_budget_is_one():
    inner = scripted("a", "word " * 2_000, price=PRICE)
    with metered(trace := Trace()), within(0.01001):
        answer = await complete(wrap(inner, Resilience()), PLAIN)
    assert inner.queries[0].sampling.max_tokens == 1000
    assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 1000)
    (said,) = trace.adjustments
    assert (said.kind, said.experts) == ("capped", ("a",))


async def test_a_maximum_that_the_caller_set_is_not_lowered():
    with within(0.01), pytest.raises(BudgetExceeded, match=r"asking a may cost 0\.02001 USD, 0\.01 USD are left"):
        await complete(expert(), Query(ASKED, Sampling(max_tokens=2_000)))


async def test_an_ample_budget_sets_no_maximum_and_free_experts_have_none():
    paid, free = scripted("a", price=PRICE), scripted("b", price=Price(0, 0))
    with within(10.0):
        await complete(wrap(paid, Resilience()), PLAIN)
        await complete(wrap(free, Resilience()), PLAIN)
    assert [made.queries[0].sampling.max_tokens for made in (paid, free)] == [None, None]


async def test_retries_are_paid_for_each():
    made = wrap(scripted("a", price=PRICE, failure={"error": "RateLimited", "calls": 1}), Resilience(num_retries=1))
    with metered(calls := []), within(0.1) as envelope:
        await complete(made, PLAIN)
    assert [call.outcome for call in calls] == ["error", "ok"]
    assert envelope.spent == pytest.approx(calls[1].cost_usd)


def configured(*experts, **fields):
    return Mixture.from_config(
        {"experts": [{"provider": "scripted", **made} for made in experts], "defaults": {"num_retries": 0}, **fields}
    )


CHEAP = {"name": "cheap", "price": {"input": 1, "output": 1}}
DEAR = {"name": "dear", "price": {"input": 100, "output": 100}}
UNKNOWN = {"name": "unknown"}


async def test_a_request_that_nobody_can_be_asked_for_fails_before_any_call():
    mixture, trace = configured(CHEAP, DEAR), Trace()
    with pytest.raises(BudgetExceeded, match=r"the cheapest expert \(cheap\) may cost .* 0\.0001 USD are allowed"):
        await mixture.answer("hi", "voting", Wishes(max_cost_usd=0.0001), trace=trace)
    assert trace.calls == []
    with pytest.raises(BudgetExceeded):  # at once, before there is a stream
        mixture.stream("hi", "auto", Wishes(max_cost_usd=0.0001))
    with pytest.raises(BudgetExceeded, match="no expert that may be asked has a known price"):
        await configured(UNKNOWN).answer("hi", "unknown", Wishes(max_cost_usd=1))


async def test_those_who_are_too_dear_are_passed_over():
    mixture = configured(DEAR, CHEAP, UNKNOWN, fallback_order=["dear", "unknown", "cheap"])
    answer = await mixture.answer("hi", "cascade", Wishes(max_cost_usd=0.01))
    assert answer.completion.expert == "cheap"
    assert answer.report.budget.max_cost_usd == 0.01
    assert answer.report.budget.spent_usd == pytest.approx(answer.report.cost_usd)
    assert [call.expert for call in answer.report.calls] == ["cheap"]


async def test_the_stricter_of_the_request_s_and_the_configured_limit_holds():
    mixture = configured(CHEAP, DEAR, limits={"max_cost_usd": 0.01}, aliases={"mine": {"expert": "dear"}})
    for model in ("dear", "mine"):
        with pytest.raises(BudgetExceeded):
            await mixture.answer("hi", model, Wishes(max_cost_usd=1))
    assert (await mixture.answer("hi", "cheap")).report.budget.max_cost_usd == 0.01
    assert (await mixture.answer("hi", "cheap", Wishes(max_cost_usd=0.005))).report.budget.max_cost_usd == 0.005
    own = configured(DEAR, limits={"max_cost_usd": 0.01}, aliases={"mine": {"expert": "dear", "max_cost_usd": 1}})
    assert (await own.answer("hi", "mine")).report.budget.max_cost_usd == 1


async def test_wishes_about_partial_results_need_a_strategy():
    with pytest.raises(InvalidQuery, match="one expert"):
        await configured(CHEAP).answer("hi", "cheap", Wishes(on_partial="reject"))


@pytest.mark.parametrize("seed", range(20))
async def test_no_tree_of_calls_spends_more_than_it_may(seed):
    """Calls at random, at once and one after another, some failing or cancelled, in envelopes inside envelopes."""
    draw = random.Random(seed)
    failure = {"error": "RateLimited", "probability": 0.2}
    experts = [
        scripted(name, "abc " * draw.randint(1, 900), price=Price(draw.random(), 10 * draw.random()), seed=seed, **more)
        for name, more in zip("abcd", ({}, {"failure": failure}, {"usage": "none"}, {"rate": 50_000}), strict=True)
    ]
    made = [wrap(one, Resilience(num_retries=1, timeout=0.5)) for one in experts]

    async def grow(depth):
        if depth == 0:
            most = draw.choice([None, 50, 400])
            query = Query((Message("user", "x" * 24),), Sampling(max_tokens=most), stream=draw.random() < 0.5)
            task = asyncio.create_task(complete(draw.choice(made), query))
            await asyncio.wait([task], timeout=draw.choice([None, 0.002]))
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() or isinstance(task.exception(), MixtureError | type(None))
            return
        with within(draw.choice([None, draw.uniform(0.001, 0.02)])):
            await asyncio.gather(*(grow(depth - 1) for _ in range(draw.randint(1, 4))))

    with metered(calls := []), within(0.02) as envelope:
        await grow(3)
        assert envelope.held == pytest.approx(0)
    assert sum(call.cost_usd for call in calls) == pytest.approx(envelope.spent)
    assert envelope.spent <= 0.02 * (1 + 1e-9)
