"""Prices, routes, strategies and limits of a mixture that answers: changed between two requests, never within one."""

from __future__ import annotations

import asyncio

import pytest

from mixture import Mixture
from mixture.config import ConfigError, parse, parse_live
from mixture.errors import UnknownModel
from mixture.live import renewed
from mixture.planning import LLMDecomposer
from mixture.routing.llm import LLMRouter
from mixture.wrappers import Breaking, Limited, Metered

ARGS = {
    "experts": [
        {"name": "a", "provider": "scripted", "price": {"input": 1, "output": 1}, "options": {"text": "from a"}},
        {"name": "b", "provider": "scripted", "price": {"input": 9, "output": 9}, "options": {"text": "from b"}},
        {"name": "polite", "provider": "persona", "expert": "a", "system_prompt": "Be polite."},
    ],
    "aliases": {"usual": {"expert": "a"}},
}


def mixture(**more):
    return Mixture.from_config(parse(ARGS | more, {}))


def live(**fields):
    return parse_live(fields, {})


async def test_prices_skills_and_routes_change_from_the_next_request_on():
    m = mixture()
    before = (await m.answer("hello", "usual")).report
    m.reconfigure(
        live(
            experts={"a": {"price": {"input": 100, "output": 100}, "skills": ["law"]}},
            aliases={"usual": {"expert": "b"}, "dear": {"expert": "a"}},
        )
    )
    after = (await m.answer("hello", "dear")).report
    assert after.cost_usd == pytest.approx(100 * before.cost_usd)
    assert (await m.answer("hello", "usual")).text == "from b"
    assert m.panel.experts["a"].card.skills == ("law",)
    assert m.describe()["experts"]["a"]["price_usd_per_million_tokens"]["input"] == 100


async def test_what_is_left_out_is_again_as_at_the_start():
    m = mixture()
    m.reconfigure(live(experts={"a": {"price": {"input": 5, "output": 5}}}, strategy="voting"))
    assert m.config.strategy == "voting"
    m.reconfigure(live())
    assert (m.config.strategy, m.panel.experts["a"].card.price.input) == ("auto", 1)


async def test_a_persona_follows_its_base_where_it_has_no_price_of_its_own():
    m = mixture()
    m.reconfigure(live(experts={"a": {"price": {"input": 7, "output": 7}, "skills": ["law"]}}))
    polite = m.panel.experts["polite"]
    assert (polite.card.price.input, polite.card.skills) == (7, ("law",))
    assert polite.base is m.panel.experts["a"]
    m.reconfigure(live(experts={"polite": {"price": {"input": 3, "output": 3}}}))
    assert (m.panel.experts["polite"].card.price.input, m.panel.experts["a"].card.price.input) == (3, 1)


async def test_a_request_ends_by_the_prices_and_limits_with_which_it_began():
    m = mixture()
    begun = m.stream("hello", "a")
    m.reconfigure(live(experts={"a": {"price": {"input": 1000, "output": 1000}}}, limits={"max_cost_usd": 1e-9}))
    events = [event async for event in begun]
    old = events[-1].report
    assert old.cost_usd < 1e-3
    assert old.budget is None
    with pytest.raises(Exception, match="USD"):
        await m.answer("hello", "a")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"aliases": {"x": {"expert": "nobody"}}}, "unknown expert 'nobody'"),
        ({"experts": {"nobody": {}}}, "experts.nobody: unknown expert; known: a, b, polite"),
        ({"experts": {"a": {"price": {"input": -1, "output": 1}}}}, "experts.a.price.input: "),
        ({"strategy": "guessing"}, "strategy: "),
        ({"server": {}}, "server: unknown field"),
        ({"fallback_order": ["a", "c"]}, "unknown expert 'c'"),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(fields, said):
    m = mixture()
    held = m.config, m.panel, m.models
    with pytest.raises(ConfigError) as refused:
        m.reconfigure(parse_live(fields, {}))
    assert said in refused.value.message
    assert (m.config, m.panel, m.models) == held


def layers(expert):
    found = {}
    while expert is not None:
        found[type(expert)] = expert
        expert = getattr(expert, "inner", None)
    return found


async def test_breakers_limits_and_averages_go_on():
    m = mixture()
    await m.answer("hello", "a")
    before = layers(m.panel.experts["a"])
    untouched = m.panel.experts["b"]
    m.reconfigure(live(experts={"a": {"price": {"input": 2, "output": 2}}}))
    after = layers(m.panel.experts["a"])
    assert after[Breaking] is not before[Breaking]
    assert after[Breaking].breaker is before[Breaking].breaker
    assert after[Limited].limiter is before[Limited].limiter
    assert after[Metered].pace is before[Metered].pace
    assert list(after.values())[-1] is list(before.values())[-1]
    assert m.panel.experts["b"] is untouched


async def test_parts_that_ask_an_expert_ask_the_new_one():
    m = mixture(router={"kind": "llm", "expert": "b"}, decomposer={"expert": "b"})
    sessions = m.panel.router._sessions
    m.reconfigure(live(experts={"b": {"price": {"input": 2, "output": 2}}}))
    assert isinstance(m.panel.router.inner, LLMRouter)
    assert isinstance(m.panel.decomposer, LLMDecomposer)
    assert m.panel.router.inner._expert is m.panel.decomposer._expert is m.panel.experts["b"]
    assert m.panel.router._sessions is sessions


async def test_requests_go_on_while_it_changes_all_the_time():
    """200 requests and 50 changes at once: each request is answered by one state or another, and each cost fits it."""
    m = mixture()
    one = (await m.answer("hello", "a")).report.cost_usd

    async def ask():
        await asyncio.sleep(0)
        return (await m.answer("hello", "usual")).report.cost_usd

    async def change():
        for price in range(1, 51):
            m.reconfigure(live(experts={"a": {"price": {"input": price, "output": price}}}))
            await asyncio.sleep(0)

    costs = await asyncio.gather(change(), *(ask() for _ in range(200)))
    assert len(costs) == 201
    assert {round(cost / one, 6) % 1 for cost in costs[1:]} == {0.0}


async def test_models_that_are_gone_are_unknown():
    m = mixture()
    m.reconfigure(live(aliases={}))
    with pytest.raises(UnknownModel, match="does not exist"):
        await m.answer("hello", "usual")


def test_a_panel_that_does_not_change_stays():
    m = mixture()
    same = renewed(m.panel, m.config, {name: expert.card for name, expert in m.panel.experts.items()})
    assert same.experts["a"] is m.panel.experts["a"]
