"""The shipped test double does what its script says, and counts it."""

from __future__ import annotations

import asyncio

import pytest

from mixture import errors
from mixture.config import ConfigError, ExpertConfig
from mixture.providers import Context, create
from mixture.providers.scripted import make, scripted
from mixture.streams import chunks, complete
from mixture.types import Expert, Message, Query, Sampling, Tool, Usage


def asked(text: str = "hi", **fields) -> Query:
    return Query((Message("user", text),), **fields)


async def pieces(expert, query: Query) -> list[str]:
    return [chunk.text async for chunk in expert.stream(query) if chunk.text]


async def test_streams_word_by_word_and_counts_tokens():
    expert = scripted(text="one two three")
    assert await pieces(expert, asked(stream=True)) == ["one ", "two ", "three"]
    assert (expert.counts.started, expert.counts.finished, expert.counts.tokens) == (1, 1, 3)


async def test_answers_in_one_chunk_when_not_streamed():
    expert = scripted(text="one two three", chunk_tokens=2)
    assert await pieces(expert, asked()) == ["one two three"]
    assert await pieces(expert, asked(stream=True)) == ["one two ", "three"]


async def test_texts_take_turns():
    expert = scripted(text=("a", "b"))
    assert [(await complete(expert, asked())).text for _ in range(3)] == ["a", "b", "a"]


async def test_pattern_decides_on_the_last_user_message():
    expert = scripted(text={r"\bsum\b": "4", "": "else"})
    assert (await complete(expert, asked("the sum of 2 and 2"))).text == "4"
    assert (await complete(expert, asked("hello"))).text == "else"


async def test_usage_is_counted_given_or_missing():
    query = asked("how are you")
    assert (await complete(scripted(text="fine thanks"), query)).usage == Usage(3, 2)
    given = scripted(usage={"prompt_tokens": 7, "completion_tokens": 9, "cached_tokens": 2})
    assert (await complete(given, query)).usage == Usage(7, 9, cached_tokens=2)
    last = [chunk async for chunk in scripted(usage="none").stream(query)][-1]
    assert last.usage is None


async def test_limits_of_the_query_are_kept():
    cut = await complete(scripted(text="a b c d"), asked(sampling=Sampling(max_tokens=2)))
    assert (cut.text, cut.finish_reason, cut.usage.completion_tokens) == ("a b ", "length", 2)
    stopped = await complete(scripted(text="a b END c"), asked(sampling=Sampling(stop=("END",))))
    assert (stopped.text, stopped.finish_reason) == ("a b ", "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_with_logprobs(stream):
    query = asked(sampling=Sampling(n=2, logprobs=True), stream=stream)
    completion = await complete(scripted(text=("x y", "z")), query)
    assert [choice.text for choice in completion.choices] == ["x y", "z"]
    assert [entry["token"] for entry in completion.choices[0].logprobs] == ["x ", "y"]
    assert completion.usage.completion_tokens == 3


async def test_tools_are_called_only_when_offered():
    expert = scripted(tool_calls=({"name": "look", "arguments": '{"x": 1}'},))
    called = await complete(expert, asked(tools=(Tool("look"),), stream=True))
    assert [(c.name, c.arguments) for c in called.tool_calls] == [("look", '{"x": 1}')]
    assert called.finish_reason == "tool_calls"
    assert (await complete(expert, asked())).tool_calls == ()


@pytest.mark.parametrize(
    "kind",
    ["ExpertUnavailable", "ExpertTimeout", "RateLimited", "Declined", "StreamBroken", "InvalidQuery", "QueryTooLarge"],
)
async def test_fails_by_every_kind(kind):
    expert = scripted("e", failure={"error": kind, "retry_after": 3, "code": "c"})
    with pytest.raises(getattr(errors, kind)) as caught:
        await complete(expert, asked())
    assert (caught.value.expert, caught.value.retry_after, caught.value.code) == ("e", 3, "c")
    assert expert.counts.failed == 1


async def test_fails_after_some_tokens_and_only_at_first():
    expert = scripted(text="a b c", failure={"error": "StreamBroken", "after": 2, "calls": 1})
    got = []
    with pytest.raises(errors.StreamBroken):
        async for chunk in expert.stream(asked(stream=True)):
            got.append(chunk.text)
    assert got == ["a ", "b "]
    assert (await complete(expert, asked())).text == "a b c"


async def test_fails_by_chance_repeatably():
    async def outcomes() -> list[bool]:
        expert = scripted(failure={"probability": 0.5}, seed=7)
        answers = await asyncio.gather(*(complete(expert, asked()) for _ in range(40)), return_exceptions=True)
        return [isinstance(answer, Exception) for answer in answers]

    first = await outcomes()
    assert first == await outcomes()
    assert True in first
    assert False in first


async def test_counts_a_cancelled_call_waiting_at_the_gate():
    expert = scripted(gate=asyncio.Event())
    task = asyncio.create_task(complete(expert, asked()))
    await expert.reached(started=1)
    task.cancel()
    await expert.reached(cancelled=1)
    assert expert.counts.finished == 0


async def test_counts_a_closed_stream():
    expert = scripted(text="a b c")
    stream = chunks(expert, asked(stream=True))
    await anext(stream)
    await stream.aclose()
    assert (expert.counts.cancelled, expert.counts.tokens) == (1, 1)


def test_is_an_expert_made_from_configuration():
    price = {"input": 1, "output": 2}
    config = ExpertConfig(name="a", provider="scripted", price=price, skills=("math",), options={"text": "x"})
    expert = make(config, Context())
    assert isinstance(expert, Expert)
    assert expert.card.price is not None
    assert (expert.card.price.output, expert.card.skills, expert.card.location) == (2, ("math",), "embedded")
    assert create(config, Context()).card == expert.card


@pytest.mark.parametrize(
    ("options", "field"),
    [({"text": {"(": "x"}}, "experts.a.options.text"), ({"delays": 1}, "experts.a.options.delays")],
)
def test_wrong_options_name_the_field(options, field):
    with pytest.raises(ConfigError, match=field):
        make(ExpertConfig(name="a", provider="scripted", options=options), Context())
