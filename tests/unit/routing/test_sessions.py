"""Conversations stay with their expert, and leave it for the reasons that are stated."""

import pytest

from mixture.routing.calibration import Calibration, nothing_held
from mixture.routing.keyword import KeywordRouter
from mixture.routing.objective import Aim, Candidate, choose
from mixture.routing.sessions import KEPT, Sessions, StickyRouter
from mixture.types import ExpertCard, Limits, Load, Message, Price, Query, Route

MINI = ExpertCard("mini", "openai", skills=("general",), price=Price(0.1, 0.4))
TWIN = ExpertCard("twin", "openai", skills=("general",), price=Price(0.1, 0.4))
CODER = ExpertCard("coder", "openai", skills=("code",), price=Price(1, 4))
SYMBOLIC = ExpertCard("symbolic", "symbolic", skills=("calculation", "arithmetic"))
CARDS = (MINI, TWIN, CODER, SYMBOLIC)


def query(*texts, session="s", **more):
    """A conversation of these messages of the user, each but the last with its answer."""
    messages = [message for text in texts for message in (Message("user", text), Message("assistant", "so"))]
    return Query(tuple(messages[:-1]), session=session, **more)


class Ranked:
    """A router that says what it is told: experts with their predicted qualities."""

    def __init__(self, **qualities):
        self.qualities = qualities
        self.promise = None
        self.left_out = {}

    async def route(self, query, cards, loads=None):
        names = [card.name for card in cards if card.name in self.qualities]
        ranked = sorted(names, key=lambda name: -self.qualities[name])
        listed = [
            {
                "expert": name,
                "quality": self.qualities[name],
                "left_out": self.left_out.get(name),
                "available": (loads or {}).get(name, Load()).available,
            }
            for name in names
        ]
        return Route(tuple(ranked), "ranked", {"candidates": listed, "promise": self.promise}, ordered=True)


async def test_requests_without_a_session_are_left_as_they_are():
    inner = Ranked(mini=0.5, coder=0.6)
    found = await StickyRouter(inner, 10).route(query("hi", session=None), CARDS)
    assert "session" not in found.signals


async def test_a_session_stays_and_says_so():
    inner = Ranked(mini=0.6, coder=0.5)
    router = StickyRouter(inner, 10)
    first = await router.route(query("hi"), CARDS)
    assert first.signals["session"] == {"expert": "mini", "stayed": False, "why": None}
    inner.qualities = {"mini": 0.6, "coder": 0.7}
    then = await router.route(query("hi", "and now?"), CARDS)
    assert then.experts == ("mini", "coder")
    assert then.why == "the session stays with mini (coder would be first); ranked"
    assert then.signals["session"]["stayed"] is True
    other = await router.route(query("hi", session="another"), CARDS)
    assert other.experts[0] == "coder"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda inner: inner.qualities.update(coder=0.8), "left mini: coder is expected to be better by 0.20"),
        (lambda inner: inner.left_out.update(mini="costs too much"), "left mini: costs too much"),
        (lambda inner: inner.qualities.pop("mini"), "left mini: the router left it out"),
        (
            lambda inner: setattr(inner, "promise", {"quality": 0.9, "guaranteed": False}),
            "left mini: it falls short of the quality asked for",
        ),
        (
            lambda inner: setattr(inner, "promise", {"guaranteed": True, "of": "coder", "margin": 0.05}),
            "left mini: it falls short of the quality asked for",
        ),
    ],
)
async def test_a_session_leaves_for_a_reason(change, why):
    inner = Ranked(mini=0.6, coder=0.5)
    router = StickyRouter(inner, 10)
    await router.route(query("hi"), CARDS)
    inner.qualities["coder"] = 0.7
    change(inner)
    found = await router.route(query("hi", "and now?"), CARDS)
    assert found.experts[0] == "coder"
    assert found.signals["session"] == {"expert": "coder", "stayed": False, "why": why}
    assert found.why.endswith(f"the session {why}")
    inner.qualities, inner.left_out, inner.promise = {"mini": 0.7, "coder": 0.7}, {}, None
    assert (await router.route(query("hi", "and now?", "so?"), CARDS)).experts[0] == "coder"


async def test_who_can_t_answer_or_is_down_is_left():
    inner = Ranked(mini=0.6, coder=0.5)
    router = StickyRouter(inner, 10)
    await router.route(query("hi"), CARDS)
    inner.qualities["coder"] = 0.65
    found = await router.route(query("hi", "again"), CARDS, {"mini": Load(available=False)})
    assert found.signals["session"]["why"] == "left mini: cooling down"
    inner = Ranked(mini=0.6, coder=0.5)
    router = StickyRouter(inner, 10)
    await router.route(query("hi"), CARDS)
    found = await router.route(query("hi", "again"), (CODER,))
    assert found.signals["session"]["why"] == "left mini: it can't do what this request needs"


async def test_a_promise_does_not_cover_a_session_that_stays():
    inner = Ranked(mini=0.6, coder=0.5)
    router = StickyRouter(inner, 10)
    await router.route(query("hi"), CARDS)
    inner.qualities["coder"] = 0.62
    inner.promise = {"guaranteed": True, "of": "coder", "margin": 0.05}
    found = await router.route(query("hi", "again"), CARDS)
    assert found.experts[0] == "mini"
    assert found.signals["promise"]["guaranteed"] is False
    assert inner.promise["guaranteed"] is True


async def test_by_keywords_a_session_leaves_for_who_is_made_for_the_task_only():
    router = StickyRouter(KeywordRouter(), 10)
    assert (await router.route(query("hello there"), CARDS)).experts[0] == "mini"
    found = await router.route(query("hello there", "Write a Python function that sorts"), CARDS)
    assert found.experts[0] == "coder"
    assert found.signals["session"]["why"] == "left mini: coder is made for code"
    found = await router.route(query("hello there", "Write a Python function that sorts", "What is up?"), CARDS)
    assert found.experts[0] == "coder"
    assert found.signals["session"]["stayed"]


async def test_exact_experts_may_answer_in_between():
    router = StickyRouter(KeywordRouter(), 10)
    await router.route(query("Write a Python function"), CARDS)
    found = await router.route(query("Write a Python function", "what is 3/7 + 1?"), CARDS)
    assert found.experts[:2] == ("symbolic", "coder")
    assert found.signals["session"]["expert"] == "coder"


async def test_a_conversation_that_began_elsewhere_is_routed_by_its_beginning():
    elsewhere = await StickyRouter(KeywordRouter(), 10).route(query("Write a Python function"), CARDS)
    here = await StickyRouter(KeywordRouter(), 10).route(query("Write a Python function", "thanks, bye"), CARDS)
    assert here.experts[0] == elsewhere.experts[0] == "coder"
    assert here.signals["session"]["stayed"]


def test_the_memory_is_bounded_and_forgets():
    now = [0.0]
    sessions = Sessions(2, lambda: now[0])
    for number in range(1_000):
        sessions.seat(str(number), "mini")
    assert len(sessions) == 2
    assert (sessions.expert("999"), sessions.expert("0")) == ("mini", None)
    sessions.seat("998", "coder")
    sessions.seat("1000", "mini")
    assert (sessions.expert("998"), sessions.expert("999")) == ("coder", None)
    now[0] = KEPT + 1
    assert sessions.expert("998") is None


def test_equal_experts_share_out_sessions_the_same_way_everywhere():
    twins = [Candidate(name, 0.5, 0.001) for name in ("one", "two", "three")]
    firsts = {str(n): choose(twins, Aim(session=str(n))).order[0] for n in range(300)}
    assert all(60 < sum(first == twin.name for first in firsts.values()) < 140 for twin in twins)
    assert all(choose(twins[::-1], Aim(session=name)).order[0] == first for name, first in firsts.items())
    fewer = [twin for twin in twins if twin.name != "two"]
    moved = {n for n, first in firsts.items() if choose(fewer, Aim(session=n)).order[0] != first}
    assert moved == {n for n, first in firsts.items() if first == "two"}


def test_without_a_session_the_less_busy_twin_comes_first():
    twins = [Candidate("busy", 0.5, 0.001, waiting=0.7), Candidate("idle", 0.5, 0.001)]
    assert choose(twins).order == ("idle", "busy")


async def test_the_learned_router_keeps_sessions_too(tmp_path):
    from mixture.config import RouterConfig
    from mixture.routing.fitting import fit
    from mixture.routing.learned import LearnedRouter
    from mixture.routing.outcomes import make

    prompts = [f"tell me about subject {number}" for number in range(60)]
    predictor = fit(make(prompts, ["mini", "twin"], [[1.0, 1.0], [0.0, 1.0]] * 30))
    learned = LearnedRouter(Calibration(predictor, nothing_held(predictor), "v1"), RouterConfig(usd_per_answer=100))
    router = StickyRouter(learned, 10)
    cards = (MINI, TWIN)
    begun = (await router.route(query("tell me about subject 3"), cards)).experts[0]
    assert begun == "twin"
    down = await router.route(query("tell me about subject 3", "more"), cards, {"twin": Load(available=False)})
    assert down.signals["session"]["why"] == "left twin: cooling down"
    forbidden = query("hi", session="new", limits=Limits(max_cost_usd=1e-9))
    assert (await router.route(forbidden, cards)).signals["within_limits"] is False
