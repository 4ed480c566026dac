"""A router that fails or is late is replaced by keywords at once, and the route says so."""

import asyncio

import pytest

from mixture.errors import Overloaded
from mixture.routing.fallback import FAILS, FallbackRouter
from mixture.routing.storage import PredictorError
from mixture.types import ExpertCard, Message, Query, Route
from mixture.wrappers import Breaker

CARDS = (ExpertCard("mini", "openai", skills=("general",)), ExpertCard("coder", "openai", skills=("code",)))
CODE = Query((Message("user", "Write a Python function"),))


class Told:
    """A router that does what it is told, and counts how often it was asked."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.asked = 0

    async def route(self, query, cards, loads=None):
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            await asyncio.Event().wait()
        return self.outcome


async def test_a_decision_is_passed_on():
    decided = Route(("mini",), "so it is")
    assert await FallbackRouter(Told(decided), 5).route(CODE, CARDS) is decided


@pytest.mark.parametrize(
    ("outcome", "says"),
    [
        (None, "it did not decide within 1 ms"),
        (Overloaded("the router is not available"), "the router is not available"),
        (PredictorError("nothing known"), "nothing known"),
        (RuntimeError("a fault"), "RuntimeError"),
    ],
)
async def test_keywords_decide_in_its_place_and_say_so(outcome, says):
    found = await FallbackRouter(Told(outcome), 0.001).route(CODE, CARDS)
    assert found.experts[0] == "coder"
    assert found.why.startswith(f"by keywords ({says}); code (")
    assert found.signals["fallback"] == says


async def test_one_that_keeps_failing_is_not_waited_for_and_tried_again_later():
    now = [0.0]
    told = Told(Overloaded("gone"))
    router = FallbackRouter(told, 5, Breaker(FAILS, 5.0, lambda: now[0]))
    for _ in range(FAILS + 4):
        assert (await router.route(CODE, CARDS)).experts[0] == "coder"
    assert told.asked == FAILS
    now[0], told.outcome = 6.0, Route(("mini",), "back")
    assert (await router.route(CODE, CARDS)).why == "back"
    assert (await router.route(CODE, CARDS)).why == "back"


async def test_a_request_it_can_t_decide_about_does_not_count_against_it():
    told = Told(PredictorError("unknown experts"))
    router = FallbackRouter(told, 5)
    for _ in range(FAILS + 2):
        await router.route(CODE, CARDS)
    assert told.asked == FAILS + 2


async def test_who_leaves_while_it_decides_is_let_go():
    router = FallbackRouter(Told(None))
    asking = asyncio.create_task(router.route(CODE, CARDS))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
