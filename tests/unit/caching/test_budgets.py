"""Caches and budgets: what a key may still spend is no part of a request's key, and hits spend nothing of it."""

from dataclasses import replace

from mixture import Mixture
from mixture.config import LiveConfig
from mixture.models import Wishes
from mixture.trace import Trace
from mixture.types import LOCAL, Limits, Message, Query, Sampling

ASK = Query((Message("user", "What is six times seven?"),), sampling=Sampling(temperature=0))


class Coin:
    usd = 0.001

    def settle(self, spent):
        pass


class Purse:
    """What admission gives a request whose key has a budget."""

    def __init__(self):
        self.paid = 0

    def capped(self, query):
        return query

    async def pay(self, card, query):
        self.paid += 1
        return Coin()

    def cost(self, usage, known):
        return known


async def asked(mixture, left, wishes=None):
    purse, trace = Purse(), Trace()
    trace.purse = purse
    query = replace(ASK, limits=Limits(max_cost_usd=left))
    await mixture.answer(query, "a", wishes or Wishes(), trace=trace)
    return trace.cache, purse.paid


async def test_what_is_left_of_a_budget_makes_no_other_request():
    expert = {"name": "a", "provider": "scripted", "price": {"input": 1, "output": 2}}
    mixture = Mixture.from_config({"experts": [expert]})
    assert await asked(mixture, 0.5) == ("miss", 1)
    assert await asked(mixture, 0.4) == ("hit", 0)
    assert await asked(mixture, 0.4, Wishes(max_cost_usd=0.1)) == ("miss", 1)
    assert await asked(mixture, 0.3, Wishes(max_cost_usd=0.1)) == ("hit", 0)


async def test_a_server_that_is_set_anew_answers_anew():
    expert = {"name": "a", "provider": "scripted", "price": {"input": 1, "output": 2}, "options": {"text": ["x", "y"]}}
    mixture = Mixture.from_config({"experts": [expert]})
    before = mixture.moment(LOCAL)
    assert await asked(mixture, 0.5) == ("miss", 1)
    mixture.reconfigure(LiveConfig(experts={"a": {"price": {"input": 3, "output": 4}}}))
    assert mixture.moment(LOCAL) != before
    assert await asked(mixture, 0.5) == ("miss", 1)
    mixture.reconfigure(LiveConfig())
    assert (mixture.moment(LOCAL), await asked(mixture, 0.5)) == (before, ("hit", 0))
