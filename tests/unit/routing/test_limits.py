"""The limits of a request with the keyword router: whom they bar is not asked first, and the route says so."""

import time

import pytest

from mixture.aggregation import make_aggregator, make_scorer
from mixture.config import StrategyOptions
from mixture.dispatch.arranging import arranged
from mixture.dispatch.routes import routed
from mixture.planning import RuleDecomposer
from mixture.routing.keyword import KeywordRouter
from mixture.routing.limits import left_out
from mixture.routing.sessions import StickyRouter
from mixture.types import ExpertCard, Limits, Load, Message, Panel, Price, Query

CODER = ExpertCard("coder", "openai", skills=("code",), price=Price(5, 15))
MINI = ExpertCard("mini", "openai", skills=("general",), price=Price(0.1, 0.4))
MIDDLE = ExpertCard("middle", "openai", skills=("general",), price=Price(1, 4))
SYMBOLIC = ExpertCard("symbolic", "symbolic", skills=("calculation",))
CARDS = (CODER, MINI, MIDDLE)
SLOW = Load(latency_ms=8_000.0, answers=20)
CODE = "Write a Python function that reverses a list"


def query(text=CODE, limits=None):
    return Query((Message("user", text),), limits=limits or Limits())


async def route(asked, cards=CARDS, **loads):
    return await KeywordRouter().route(asked, cards, loads)


def hasty(seconds=2.0, text=CODE):
    return query(text, Limits(deadline=time.time() + seconds))


async def test_a_slow_expert_is_not_first_when_time_is_short():
    assert (await route(query(), coder=SLOW)).experts[0] == "coder"
    found = await route(hasty(), coder=SLOW)
    assert found.experts == ("mini", "middle", "coder")
    assert left_out(found)["coder"].startswith("takes 8000 of")
    assert found.signals["within_limits"]
    assert "left out: coder (takes 8000 of" in found.why


async def test_a_queue_makes_an_expert_slow():
    queue = Load(waiting=4.0, latency_ms=2_000.0, answers=20)
    assert (await route(hasty(3.0), coder=queue)).experts[-1] == "coder"


@pytest.mark.parametrize(
    ("asked", "cards", "load", "reason"),
    [
        (query(limits=Limits(max_cost_usd=0.001)), CARDS, Load(), "costs 0.00"),
        (query(), CARDS, Load(available=False), "cooling down"),
        (
            query(),
            (ExpertCard("coder", "x", skills=("code",), context_window=5), MINI, MIDDLE),
            Load(),
            "takes 5 tokens",
        ),
        (
            query(limits=Limits(max_cost_usd=0.01)),
            (ExpertCard("coder", "x", skills=("code",)), MINI, MIDDLE),
            Load(),
            "price unknown",
        ),
    ],
)
async def test_whoever_is_barred_stands_last(asked, cards, load, reason):
    found = await route(asked, cards, coder=load)
    assert found.experts == ("mini", "middle", "coder")
    assert left_out(found)["coder"].startswith(reason)


async def test_when_all_are_barred_the_least_harm_is_first():
    loads = {"coder": SLOW, "mini": Load(latency_ms=30_000.0, answers=20), "middle": Load(available=False)}
    found = await route(hasty(), **loads)
    assert found.experts == ("coder", "mini", "middle")
    assert not found.signals["within_limits"]
    assert "no expert keeps the limits, the one that breaks them least comes first" in found.why
    poor = await route(query(limits=Limits(max_cost_usd=1e-9)))
    assert poor.experts == ("mini", "middle", "coder")


async def test_exact_experts_are_not_barred_they_answer_or_decline_at_once():
    asked = query("what is 15% of 80 plus 3/7?", Limits(max_cost_usd=0.01))
    found = await route(asked, (*CARDS, SYMBOLIC))
    assert found.experts[0] == "symbolic"


async def test_many_that_are_barred_are_counted_in_words_and_listed_in_the_candidates():
    cards = tuple(ExpertCard(f"dear{number}", "x", price=Price(90, 90)) for number in range(6))
    found = await route(query(limits=Limits(max_cost_usd=0.001)), (*cards, MINI))
    assert found.experts[0] == "mini"
    assert "and 3 more" in found.why
    assert len(left_out(found)) == 6


async def test_a_conversation_leaves_an_expert_that_became_too_slow():
    sticky = StickyRouter(KeywordRouter(), 10)
    begun = Query((Message("user", CODE),), session="s")
    assert (await sticky.route(begun, CARDS)).experts[0] == "coder"
    later = Query((Message("user", CODE),), session="s", limits=Limits(deadline=time.time() + 2))
    found = await sticky.route(later, CARDS, {"coder": SLOW})
    assert found.experts[0] == "mini"
    assert found.signals["session"]["why"].startswith("left coder: takes 8000 of")


class Stand:
    """An expert of which only the card counts; nobody asks it."""

    def __init__(self, card):
        self.card = card


class Loaded:
    """The keyword router with these loads, whatever the experts' own are."""

    def __init__(self, **loads):
        self.loads = loads

    async def route(self, query, cards, loads=None):
        return await KeywordRouter().route(query, cards, self.loads)


def panel(*cards, **loads):
    experts = {card.name: Stand(card) for card in cards}
    return Panel(experts, Loaded(**loads), RuleDecomposer(), make_aggregator(None), make_scorer())


async def test_the_cascade_behind_the_first_ends_with_those_that_are_barred():
    """It goes by cost, but not to a cheap expert that takes too long."""
    found = await routed(hasty(), panel(CODER, MINI, MIDDLE, mini=SLOW))
    assert found.experts == ("coder", "middle", "mini")
    named = await routed(hasty(), panel(CODER, MINI, MIDDLE, mini=SLOW), {"code": "middle"})
    assert named.experts == ("middle", "coder", "mini")
    told = await routed(hasty(), panel(CODER, MINI, MIDDLE, mini=SLOW), None, ["mini", "middle"])
    assert told.experts == ("coder", "mini", "middle")


async def test_a_short_message_goes_to_the_cheapest_that_is_quick_enough():
    found = await arranged(hasty(text="hi there"), panel(CODER, MINI, MIDDLE, mini=SLOW), StrategyOptions(), ())
    assert found.route.experts[0] == "middle"
    all_slow = panel(CODER, MINI, MIDDLE, mini=Load(latency_ms=9e3), middle=SLOW, coder=Load(latency_ms=9e3))
    assert (await arranged(hasty(text="hi there"), all_slow, StrategyOptions(), ())).route.experts[0] == "middle"
