"""A second expert beside one that is slow to begin: one answer, no token twice, both calls noted."""

import asyncio

import pytest

from mixture.config import StrategyOptions
from mixture.dispatch.hedging import patience
from mixture.dispatch.spare import first_to_play
from mixture.errors import BudgetExceeded, ExpertUnavailable, InvalidQuery, NoAnswer, StreamBroken
from mixture.metering import metered
from mixture.providers.scripted import scripted
from mixture.streams import complete
from mixture.trace import Trace
from mixture.types import Message, Price, Query
from mixture.wrappers import begins_within
from mixture.wrappers.beginnings import FEWEST, Beginnings

SOON = 20.0
"""Milliseconds."""


def held(name, text="never"):
    return scripted(name, text, gate=asyncio.Event())


async def asked(run, *experts, hedge=SOON, stream=True, name="cascade", **options):
    trace = Trace()
    with metered(trace):
        done = await run(name, *experts, wrapped=True, stream=stream, hedge=hedge, **options)
    return done, trace


@pytest.mark.parametrize("name", ["cascade", "task_based"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_second_expert_answers_when_the_first_does_not_begin(run, name, stream):
    slow, fast = held("a"), scripted("b", "one two")
    done, trace = await asked(run, slow, fast, stream=stream, name=name)
    assert (done.completion.expert, done.completion.text) == ("b", "one two")
    assert [event[1:3] for event in done.told[1:]] == ([("b", "one "), ("b", "two"), ("b", "")] if stream else [])
    assert slow.counts.cancelled == 1
    assert {(call.expert, call.purpose, call.outcome) for call in trace.calls} == {
        ("a", "answer", "cancelled"),
        ("b", "answer, hedge", "ok"),
    }
    assert [(said.kind, said.experts, said.why) for said in trace.adjustments] == [
        ("hedged", ("b",), "a had not begun after 20 ms")
    ]


async def test_who_begins_first_answers_alone_and_the_other_is_stopped_at_once(run):
    """Both are at work when the first one begins after all; the second one's tokens never pass."""
    gate = asyncio.Event()
    first, second = scripted("a", "one two three", gate=gate, rate=50), held("b")
    task = asyncio.ensure_future(asked(run, first, second))
    await second.reached(started=1)
    gate.set()
    await asyncio.gather(second.reached(cancelled=1), first.reached(tokens=1))
    assert first.counts.finished == 0, "the loser is stopped while the winner still writes"
    done, _ = await task
    assert {event[1] for event in done.told[1:]} == {"a"}
    assert done.completion.text == "one two three"


async def test_both_begin_at_the_same_moment_and_one_is_passed_on(run):
    gate = asyncio.Event()
    experts = [scripted(name, "x y z", gate=gate) for name in "ab"]
    task = asyncio.ensure_future(asked(run, *experts))
    await experts[1].reached(started=1)
    gate.set()
    done, trace = await task
    assert len({event[1] for event in done.told[1:]}) == 1
    assert "".join(event[2] for event in done.told[1:]) == "x y z"
    assert len(trace.calls) == 2


async def test_an_expert_that_begins_in_time_is_asked_alone(run):
    second = scripted("b")
    done, trace = await asked(run, scripted("a", "one"), second, hedge=60_000.0)
    assert (done.completion.text, second.counts.started, trace.adjustments) == ("one", 0, [])


async def test_a_slow_expert_that_fails_leaves_the_answer_to_the_other(run):
    gate = asyncio.Event()
    slow = scripted("a", gate=gate, failure={"error": "RateLimited"})
    second = scripted("b", "two", gate=(later := asyncio.Event()))
    task = asyncio.ensure_future(asked(run, slow, second))
    await second.reached(started=1)
    gate.set()
    await slow.reached(failed=1)
    later.set()
    done, trace = await task
    assert done.completion.text == "two"
    assert sorted(call.outcome for call in trace.calls) == ["error", "ok"]


async def test_when_both_fail_the_third_is_asked(run):
    gate = asyncio.Event()
    pair = [scripted(name, gate=gate, failure={"error": "RateLimited"}) for name in "ab"]
    task = asyncio.ensure_future(asked(run, *pair, scripted("c", "three")))
    await pair[1].reached(started=1)
    gate.set()
    done, _ = await task
    assert done.completion.text == "three"
    none, _ = await asked(run, *(scripted(name, failure={"error": "ExpertUnavailable"}) for name in "ab"))
    assert isinstance(none.error, NoAnswer)


async def test_one_that_breaks_off_after_its_first_token_ends_the_answer(run):
    gate = asyncio.Event()
    first = scripted("a", "x y z", gate=gate, failure={"error": "StreamBroken", "after": 1})
    second = held("b")
    task = asyncio.ensure_future(asked(run, first, second))
    await second.reached(started=1)
    gate.set()
    done, trace = await task
    assert isinstance(done.error, StreamBroken)
    assert {(call.expert, call.outcome) for call in trace.calls} == {("a", "error"), ("b", "cancelled")}


async def test_leaving_stops_both(run):
    pair = held("a"), held("b")
    task = asyncio.ensure_future(asked(run, *pair))
    await pair[1].reached(started=1)
    task.cancel()
    await asyncio.wait([task])
    assert [expert.counts.cancelled for expert in pair] == [1, 1]


async def test_sections_are_hedged_too(run):
    analyst, coder, spare = held("analyst"), scripted("coder", "def f(): ...", skills=("code",)), scripted("s", "rise")
    query = "Explain what inflation is and write a Python function that reverses a list"
    done, trace = await asked(run, analyst, coder, spare, asked=query, name="specialist")
    assert "def f(): ..." in done.completion.text
    assert analyst.counts.cancelled == analyst.counts.started
    assert any(said.kind == "hedged" for said in trace.adjustments) or analyst.counts.started == 0


async def test_the_usual_time_is_known_after_enough_answers(panel):
    expert = scripted("a")
    made = panel(expert, wrapped=True)
    query = Query((Message("user", "hi"),), stream=True)
    for _ in range(FEWEST - 1):
        await complete(made.experts["a"], query)
    assert begins_within(made.experts["a"], 0.95, streamed=True) is None
    assert patience("a", query, made, "p95") is None
    await complete(made.experts["a"], query)
    assert 0 < patience("a", query, made, "p95") < 1
    assert begins_within(made.experts["a"], 0.95, streamed=False) is None
    assert (patience("a", query, made, 250.0), patience("a", query, made, "off")) == (0.25, None)


def test_a_quantile_of_the_latest_calls():
    seen = Beginnings()
    for milliseconds in range(1, 101):
        seen.note(float(milliseconds), streamed=True, began=True)
    assert seen.quantile(0.95, streamed=True) == 96.0
    seen.note(5.0, streamed=True, began=False)
    assert seen.quantile(0.95, streamed=True) == 96.0, "ended early, it might have taken long"
    for _ in range(10):
        seen.note(1_000.0, streamed=True, began=False)
    assert seen.quantile(0.95, streamed=True) == 1_000.0, "it took at least so long"


@pytest.mark.parametrize(("value", "read"), [(False, "off"), ("p95", "p95"), ("off", "off"), (300, 300.0)])
def test_how_hedging_is_configured(value, read):
    assert StrategyOptions(hedge=value).hedge == read


async def test_a_spare_steps_in_and_it_is_said(panel):
    async def play(name):
        if name == "a":
            raise ExpertUnavailable("a is down", expert="a")
        return name.upper()

    trace = Trace()
    with metered(trace):
        played = await first_to_play("abc", "judge", play, panel())
    assert (played.name, played.result, played.lacking) == ("b", "B", "b stepped in for a (a is down)")
    assert [said.kind for said in trace.adjustments] == ["replaced"]
    assert (await first_to_play("b", "judge", play, panel())).lacking is None
    with pytest.raises(NoAnswer, match="a is down"):
        await first_to_play("a", "judge", play, panel())

    async def wrong(name):
        raise InvalidQuery("the request is wrong")

    with pytest.raises(InvalidQuery):
        await first_to_play("ab", "judge", wrong, panel())


async def test_who_takes_over_is_said(run):
    broken = scripted("a", failure={"error": "ExpertUnavailable", "message": "a is down"})
    done, trace = await asked(run, broken, scripted("b", "two"), hedge="off")
    assert done.completion.expert == "b"
    assert [(said.kind, said.why) for said in trace.adjustments] == [("replaced", "it takes over from a (a is down)")]


async def test_within_a_budget_there_is_money_for_the_second_expert(run):
    price = Price(1, 1)
    slow, fast = scripted("a", price=price, gate=asyncio.Event()), scripted("b", "two", price=price)
    done, trace = await asked(run, slow, fast, max_cost_usd=0.01)
    assert (done.completion.text, len(trace.calls)) == ("two", 2)
    assert trace.report().budget.spent_usd <= 0.01
    tight, trace = await asked(run, scripted("a", "one", price=price, delay=0.1), fast, max_cost_usd=0.0006)
    assert tight.completion.text == "one", "not enough for both: the slow one is waited for"
    assert [call.expert for call in trace.calls] == ["a"]


async def test_an_expert_that_declines_does_not_hide_that_the_others_are_too_dear(run):
    free = scripted("sums", failure={"error": "Declined"}, price=Price(0, 0))
    done, trace = await asked(run, free, scripted("b", price=Price(100, 100)), max_cost_usd=0.001, hedge="off")
    assert isinstance(done.error, BudgetExceeded)
    assert [call.outcome for call in trace.calls] == ["declined"]
