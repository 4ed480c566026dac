"""The library's front door."""

import asyncio
import subprocess
import sys
import time

import pytest

from mixture import Mixture
from mixture.config import ConfigError
from mixture.errors import DeadlineExceeded, InvalidQuery, MixtureError, NoAnswer
from mixture.mixture import Failure, as_query
from mixture.models import Wishes
from mixture.trace import Trace
from mixture.types import Answered, Delta, Limits, Message, Query, Routed, Usage


def expert(name="a", **options):
    return {"name": name, "provider": "scripted", "price": {"input": 1, "output": 2}, "options": options}


def innermost(mixture, name="a"):
    found = mixture.panel.experts[name]
    while hasattr(found, "inner"):
        found = found.inner
    return found


async def test_an_answer_with_its_report():
    mixture = Mixture.from_config({"experts": [expert(text="hello you")]})
    answer = await mixture.answer("hi")
    assert answer.text == "hello you"
    report = answer.report
    assert (report.strategy_requested, report.strategy_executed) == ("auto", "task_based")
    assert report.route.experts == ("a",)
    assert report.usage == Usage(1, 2)
    assert report.cost_usd == pytest.approx(5e-6)
    assert report.cost_complete
    assert [call.outcome for call in report.calls] == ["ok"]


async def test_an_unknown_price_makes_the_cost_incomplete():
    mixture = Mixture.from_config({"experts": [{"name": "a", "provider": "scripted"}]})
    assert not (await mixture.answer("hi")).report.cost_complete


async def test_events_as_they_happen():
    mixture = Mixture.from_config({"experts": [expert(text="one two")]})
    events = [event async for event in mixture.stream("hi", "a")]
    assert [type(event) for event in events] == [Routed, Delta, Delta, Delta, Answered]
    assert events[-1].completion.text == "one two"
    assert events[-1].report.calls[0].expert == "a"


async def test_usage_is_the_sum_over_every_call():
    experts = [expert(text="one"), expert("b", text="one", usage="none"), expert("c", failure={"error": "Declined"})]
    mixture = Mixture.from_config({"experts": experts, "strategy": "voting"})
    report = (await mixture.answer("Who?")).report
    assert len(report.calls) == 3
    assert report.usage.prompt_tokens == sum(call.usage.prompt_tokens for call in report.calls)
    assert report.usage.estimated


async def test_what_can_be_said_at_once_is_said_before_there_is_an_iterator():
    mixture = Mixture.from_config({"experts": [expert()]})
    for asked, model in (("hi", "nobody"), ([], "auto"), ([{"role": "robot", "content": "x"}], "auto")):
        with pytest.raises(MixtureError):
            mixture.stream(asked, model)


@pytest.mark.parametrize(
    "asked", [[], ["text"], [{"role": "user"}], [{"role": "user", "content": 3}], [{"content": "x"}]]
)
def test_messages_that_are_none(asked):
    with pytest.raises(InvalidQuery) as raised:
        as_query(asked)
    assert raised.value.param.startswith("messages")


def test_messages_in_the_usual_form():
    assert as_query([{"role": "user", "content": "x"}, Message("assistant", "y")]).messages[1].text == "y"


async def test_the_trace_is_there_when_the_request_fails():
    mixture = Mixture.from_config({"experts": [expert(failure={"error": "RateLimited", "retry_after": 100})]})
    trace = Trace()
    with pytest.raises(NoAnswer):
        await mixture.answer("hi", trace=trace)
    assert [(call.expert, call.outcome) for call in trace.calls] == [("a", "error")]
    assert trace.route.experts == ("a",)
    assert trace.report().strategy_executed == "task_based"


@pytest.mark.parametrize("model", ["a", "auto", "voting", "cascade"])
async def test_the_time_allowed_is_kept_and_every_call_stopped(model):
    mixture = Mixture.from_config({"experts": [expert(delay=60), expert("b", delay=60)]})
    trace = Trace()
    with pytest.raises(DeadlineExceeded):
        await mixture.answer("hi", model, Wishes(max_latency_ms=30), trace=trace)
    assert trace.calls
    assert {call.outcome for call in trace.calls} <= {"timeout", "cancelled"}
    assert innermost(mixture).counts.cancelled == 1


async def test_a_deadline_in_the_middle_of_a_stream():
    mixture = Mixture.from_config({"experts": [expert(text="a b c", rate=10)]})
    with pytest.raises(DeadlineExceeded):
        async for _ in mixture.stream("hi", "a", Wishes(max_latency_ms=150)):
            pass


async def test_the_sooner_of_two_deadlines_counts():
    mixture = Mixture.from_config({"experts": [expert(delay=60)]})
    query = Query((Message("user", "hi"),), limits=Limits(deadline=time.time() + 0.02))
    with pytest.raises(DeadlineExceeded):
        await mixture.answer(query, "a", Wishes(max_latency_ms=60_000))


async def test_a_failure_before_the_deadline_is_what_it_is():
    mixture = Mixture.from_config({"experts": [expert(failure={"error": "Declined"})]})
    with pytest.raises(NoAnswer):
        await mixture.answer("hi", "auto", Wishes(max_latency_ms=60_000))


async def test_leaving_the_iterator_stops_every_call():
    mixture = Mixture.from_config({"experts": [expert(text="word " * 10_000)]})
    events = mixture.stream("hi")
    async for event in events:
        if isinstance(event, Delta):
            break
    await events.aclose()
    assert innermost(mixture).counts.cancelled == 1


async def test_cancelling_an_answer_stops_every_call():
    mixture = Mixture.from_config({"experts": [expert(delay=60), expert("b", delay=60)]})
    task = asyncio.ensure_future(mixture.answer("hi", "voting"))
    await asyncio.gather(*(innermost(mixture, name).reached(started=1) for name in "ab"))
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert [innermost(mixture, name).counts.cancelled for name in "ab"] == [1, 1]


async def test_a_batch_keeps_its_order_and_its_limit_and_its_failures():
    mixture = Mixture.from_config({"experts": [expert(text={"bad": "", "(?s).": "fine"})], "strategy": "voting"})
    gate = asyncio.Event()
    innermost(mixture).gate = gate
    items = ["one", "two", [], "three", "four"]
    task = asyncio.ensure_future(mixture.answer_batch(items, concurrency=2, model="a"))
    await innermost(mixture).reached(started=2)
    for _ in range(10):
        await asyncio.sleep(0)
    assert innermost(mixture).counts.started == 2
    gate.set()
    results = await task
    assert [type(result) for result in results] == [type(results[0])] * 2 + [Failure] + [type(results[0])] * 2
    assert isinstance(results[2].error, InvalidQuery)


def test_without_an_event_loop_again_and_again():
    mixture = Mixture.from_config({"experts": [expert(text="hello")]})
    assert [mixture.answer_sync("hi").text for _ in range(3)] == ["hello"] * 3


def test_what_there_is():
    aliases = {"audit": {"strategy": "voting", "experts": ["a"], "description": "careful"}}
    facts = Mixture.from_config({"experts": [expert()], "aliases": aliases}).describe()
    assert facts["default"] == "auto"
    assert facts["experts"]["a"]["state"] == "closed"
    assert facts["experts"]["a"]["price_usd_per_million_tokens"] == {"input": 1.0, "output": 2.0}
    assert all(strategy["description"].endswith(".") for strategy in facts["strategies"].values())
    assert facts["aliases"]["audit"]["description"] == "careful"


def test_a_wrong_configuration_names_its_fields():
    with pytest.raises(ConfigError) as raised:
        Mixture.from_config({"experts": [{"name": "a", "provider": "nonsense"}]})
    assert "experts.a.provider" in raised.value.message


def test_neither_ray_nor_a_web_framework_is_imported():
    code = (
        "import sys; from mixture import Mixture; "
        "m = Mixture.from_config({'experts': [{'name': 'a', 'provider': 'scripted'}]}); m.answer_sync('hi', 'voting'); "
        "assert not {'ray', 'fastapi', 'starlette', 'torch', 'sympy', 'openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
