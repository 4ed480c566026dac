"""An expert that has to be started first: news for who waits, another expert for who may not."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from mixture.aggregation import make_aggregator, make_scorer
from mixture.config import Resilience
from mixture.dispatch.fallback import first_answer
from mixture.errors import ExpertStarting, ExpertUnavailable
from mixture.metering import Meter, metered
from mixture.planning import RuleDecomposer
from mixture.providers.scripted import scripted
from mixture.routing.keyword import KeywordRouter
from mixture.streams import complete, ignore
from mixture.types import Awaited, Limits, Message, Panel, Query, Warmup
from mixture.wrappers import load, waking, wrap
from tests.sleeping import Sleeping

ASK = Query((Message("user", "hi"),))


def within(seconds: float) -> Query:
    return Query(ASK.messages, limits=Limits(deadline=time.time() + seconds))


async def test_who_may_wait_is_told_and_answered(monkeypatch):
    monkeypatch.setattr(waking, "NEWS_SECONDS", 0.01)
    sleeping, heard = Sleeping(text="awake"), []

    async def emit(event):
        heard.append(event)
        if len(heard) == 3:
            sleeping.up.set()

    meter = Meter(emit=emit)
    with metered(meter):
        answer = await complete(wrap(sleeping, Resilience(timeout=0.5, first_token_timeout=0.5)), ASK)
    assert answer.text == "awake"
    assert [type(event) for event in heard] == [Awaited] * 3
    assert heard[0].left_s == 20.0 and heard[0].expert == sleeping.card.name
    assert heard[0].waited_s <= heard[1].waited_s <= heard[2].waited_s
    (adjusted,) = meter.adjustments
    assert adjusted.kind == "woken" and "had to be started first" in adjusted.why
    assert [call.outcome for call in meter.calls] == ["ok"]


async def test_the_start_counts_as_none_of_the_answer_s_time():
    sleeping = Sleeping(text="awake")
    expert = wrap(sleeping, Resilience(timeout=0.05, first_token_timeout=0.05))
    asked = asyncio.create_task(complete(expert, ASK))
    await sleeping.wanted.wait()
    await asyncio.sleep(0.1)
    sleeping.up.set()
    assert (await asked).text == "awake"


@pytest.mark.parametrize(("query", "limit_s"), [(within(5), 600.0), (ASK, 5.0)])
async def test_who_may_not_wait_is_refused_at_once_and_it_is_started_meanwhile(query, limit_s):
    sleeping, meter = Sleeping(limit_s=limit_s), Meter()
    expert = wrap(sleeping, Resilience())
    with metered(meter), pytest.raises(ExpertStarting, match="takes about 20 s more") as raised:
        await complete(expert, query)
    assert (raised.value.status, raised.value.retry_after) == (503, 20.0)
    assert sleeping.wakings == 1
    assert meter.calls == []


async def test_a_start_that_takes_longer_than_it_may_is_refused_then():
    sleeping = Sleeping(left_s=0.01, limit_s=0.05)
    with pytest.raises(ExpertStarting):
        await complete(wrap(sleeping, Resilience()), ASK)
    assert sleeping.wakings == 2


async def test_one_that_can_not_be_started_says_so():
    with pytest.raises(ExpertUnavailable, match="can not be started"):
        await complete(wrap(Sleeping(failing=True), Resilience()), ASK)


async def test_who_leaves_waits_no_longer():
    sleeping = Sleeping()
    asked = asyncio.create_task(complete(wrap(sleeping, Resilience()), ASK))
    await sleeping.wanted.wait()
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked
    assert len(asyncio.all_tasks()) == 1


async def test_another_expert_takes_over_and_the_report_says_so():
    sleeping, meter = Sleeping(name="first"), Meter()
    experts = {"first": wrap(sleeping, Resilience()), "second": scripted(name="second", text="here")}
    panel = Panel(experts, KeywordRouter(), RuleDecomposer(), make_aggregator(None), make_scorer())
    with metered(meter):
        answer = await first_answer(["first", "second"], within(5), panel, ignore)
    assert answer.text == "here"
    assert sleeping.wakings == 1
    (adjusted,) = meter.adjustments
    assert adjusted.kind == "replaced"
    assert "from first (first is being started, which takes about 20 s more" in adjusted.why


async def test_one_that_has_to_be_started_counts_as_taken():
    sleeping = Sleeping(left_s=7.0)
    expert = wrap(sleeping, Resilience())
    assert load(expert).warmup == Warmup(7.0, 600.0)
    assert load(expert).waiting == 1.0
    sleeping.up.set()
    assert (load(expert).warmup, load(expert).waiting) == (None, 0.0)
