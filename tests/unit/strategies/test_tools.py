"""Calls of tools in ensembles: voted on, checked, and the loop that follows."""

import json
from dataclasses import replace

import pytest

from mixture import Mixture
from mixture.aggregation.calls import canonical_calls
from mixture.dispatch.tool_loops import ToolLoops, pending_calls
from mixture.providers.scripted import scripted
from mixture.types import Choice, Completion, Message, Query, Quorum, Tool, ToolCall

WEATHER = Tool(
    "weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}},
        "required": ["city"],
    },
)
TIME = Tool("time", parameters={"type": "object", "properties": {"zone": {"type": "string"}}})


def call(name, arguments, ident="c"):
    return ToolCall(ident, name, arguments if isinstance(arguments, str) else json.dumps(arguments))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([call("weather", {"city": "Oslo"})], [call("weather", '{ "city" : " Oslo " }', "d")], True),
        ([call("weather", {"city": "Oslo"})], [call("weather", {"days": 1.0, "city": "Oslo"})], True),
        ([call("weather", {"city": "Oslo"})], [call("weather", {"days": 2, "city": "Oslo"})], False),
        ([call("weather", {"city": "Oslo"})], [call("weather", {"city": "oslo"})], False),
        ([call("weather", {"city": "a"}), call("time", {})], [call("time", ""), call("weather", {"city": "a"})], True),
        ([call("weather", {"city": "a"})], [call("weather", {"city": "a"}), call("weather", {"city": "a"})], False),
        ([call("time", "{")], [call("time", "{ ")], True),
        ([call("time", "{")], [], False),
    ],
)
def test_calls_that_do_the_same_are_the_same(one, other, same):
    assert (canonical_calls(one, [WEATHER, TIME]) == canonical_calls(other, [WEATHER, TIME])) is same


def test_deep_arguments_end():
    deep = "[" * 100_000
    assert canonical_calls([call("weather", deep)], [WEATHER])


def calling(name, *calls):
    return scripted(name, "", tool_calls=[{"name": n, "arguments": json.dumps(a)} for n, a in calls])


def asked(stream=True):
    return Query((Message("user", "What is the weather in Oslo?"),), tools=(WEATHER, TIME), stream=stream)


@pytest.mark.parametrize("name", ["voting", "mixture_of_agents"])
@pytest.mark.parametrize("stream", [True, False])
async def test_calls_are_voted_on(run, name, stream):
    experts = (
        calling("a", ("time", {})),
        calling("b", ("weather", {"city": "Oslo"})),
        calling("c", ("weather", {"city": "Oslo", "days": 1})),
        scripted("d", "It is cold."),
        calling("e", ("weather", {"town": "Oslo"})),
        calling("f", ("weather", {"town": "Oslo"})),
        calling("g", ("snow", {})),
    )
    done = await run(name, *experts, query=asked(stream))
    assert done.completion.expert == "b"
    assert [(c.name, json.loads(c.arguments)) for c in done.completion.tool_calls] == [("weather", {"city": "Oslo"})]
    assert done.completion.finish_reason == "tool_calls"
    assert done.completion.quorum.agreed == 2
    if name == "voting":
        assert done.completion.quorum == Quorum(7, 4, 2)
        assert "'city' missing" in done.completion.degraded
        assert "calls a tool that there is not ('snow')" in done.completion.degraded


async def test_not_to_call_is_a_vote_too_and_the_texts_vote_among_themselves(run):
    experts = (
        calling("a", ("weather", {"city": "Oslo"})),
        scripted("b", "Dogs bark and cats meow. " * 6),
        scripted("c", "The weather in Oslo is cold today, and it snows. " * 3),
        scripted("d", "In Oslo the weather today is cold, and it snows. " * 3),
    )
    done = await run("voting", *experts, query=asked())
    assert done.completion.expert in ("c", "d")
    assert done.completion.quorum == Quorum(4, 4, 3)


def answered(*calls, then=()):
    messages = [Message("user", "?"), Message("assistant", "", tool_calls=tuple(calls))]
    messages += [Message("tool", "cold", tool_call_id=one.id) for one in calls]
    return Query((*messages, *then), tools=(WEATHER,))


def test_loops_are_remembered_within_bounds():
    now = [0.0]
    loops = ToolLoops(most=2, clock=lambda: now[0])
    calls = [call("weather", {"city": city}, "call_0") for city in "abc"]
    for expert, one in zip(("x", "y", "z"), calls, strict=True):
        loops.note(Completion(expert, (Choice("", (one,), "tool_calls"),)))
    assert [loops.expert(answered(one)) for one in calls] == [None, "y", "z"]
    assert loops.expert(answered(replace(calls[2], arguments=' {"city":"c"}'))) == "z"
    now[0] = 1e6
    assert loops.expert(answered(calls[2])) is None


def test_where_a_loop_ends():
    one = call("weather", {"city": "a"}, "i")
    assert pending_calls(answered(one).messages) == (one,)
    assert pending_calls(answered(one, then=[Message("user", "and?")]).messages) == (one,)
    assert pending_calls(answered(one, then=[Message("assistant", "cold"), Message("user", "and?")]).messages) == ()
    assert pending_calls((Message("user", "?"), Message("assistant", "", tool_calls=(one,)))) == ()


EXPERTS = [
    {
        "name": name,
        "provider": "scripted",
        "options": {
            "text": f"{name} says it is cold",
            "tool_calls": [{"name": "weather", "arguments": json.dumps({"city": city})}],
        },
    }
    for name, city in (("a", "Rome"), ("b", "Oslo"), ("c", "Oslo"))
]


async def test_the_loop_stays_with_the_expert_that_made_the_call():
    mixture = Mixture.from_config({"experts": EXPERTS})
    first = await mixture.answer(asked(stream=False), "voting")
    made = first.completion.tool_calls
    assert (first.completion.expert, len(made)) == ("b", 1)
    follow = answered(*made)
    second = await mixture.answer(replace(follow, tools=()), "voting")
    assert second.text == "b says it is cold"
    assert second.report.strategy_executed == "expert"
    assert second.report.route.why == "the tool loop stays with b, which made the call"
    assert [one.expert for one in second.report.calls] == ["b"]
    third = await mixture.answer(
        replace(follow, messages=(*follow.messages, Message("assistant", "cold"), Message("user", "?"))), "voting"
    )
    assert third.report.strategy_executed == "voting"
    only = Mixture.from_config({"experts": EXPERTS})
    assert (await only.answer(follow, "voting")).report.strategy_executed == "voting"
