"""The stand-in is a model server to OpenAI's own client, and its counts are right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from mixture.simulation import StandIn

ASKED = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say a word"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "kind": {"$ref": "#/$defs/kind"}, "days": {"type": "array"}},
    "required": ["city", "kind", "days"],
    "$defs": {"kind": {"enum": ["warm", "cold"]}},
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@pytest.fixture
def start():
    running: list[StandIn] = []

    def started(**options) -> StandIn:
        running.append(StandIn(**options).start())
        return running[-1]

    yield started
    for server in running:
        server.stop()


def client(server: StandIn, key: str = "none") -> OpenAI:
    return OpenAI(base_url=server.base_url, api_key=key, max_retries=0)


def until(true: Callable[[], bool]) -> None:
    """Wait for another thread to get there; the suite's timeout ends what never does."""
    while not true():
        time.sleep(0.002)


def test_plain_answer_with_usage(start):
    server = start(text="one two three")
    answer = client(server).chat.completions.create(model="any", messages=ASKED)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two three", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.model) == (5, 3, "any")
    assert (server.stats.prompt_tokens, server.stats.completion_tokens, server.stats.answered) == (5, 3, 1)


def test_streamed_answer_with_usage_only_when_asked(start):
    api = client(start(text="one two three", chunk_tokens=2, rate=1000)).chat.completions
    chunks = list(api.create(model="m", messages=ASKED, stream=True, stream_options={"include_usage": True}))
    assert [c.choices[0].delta.content for c in chunks if c.choices] == ["", "one two ", "three", None]
    assert (chunks[-1].choices, chunks[-1].usage.completion_tokens) == ([], 3)
    assert all(chunk.choices for chunk in api.create(model="m", messages=ASKED, stream=True))


def test_max_tokens_stop_and_n(start):
    api = client(start(text=("a b c d", "x END y"))).chat.completions
    answer = api.create(model="m", messages=ASKED, n=2, stop="END", max_completion_tokens=3)
    assert [(c.message.content, c.finish_reason) for c in answer.choices] == [("a b c ", "length"), ("x ", "stop")]
    assert answer.usage.completion_tokens == 4


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_calls_a_tool_that_is_demanded(start, choice):
    api = client(start()).chat.completions
    call = api.create(model="m", messages=ASKED, tools=[TOOL], tool_choice=choice).choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert call.function.arguments == '{"city":"text","kind":"warm","days":["text"]}'
    streamed = api.create(model="m", messages=ASKED, tools=[TOOL], tool_choice=choice, stream=True)
    deltas = [c.choices[0].delta for c in streamed]
    assert [d.tool_calls[0].function.name for d in deltas if d.tool_calls] == ["weather"]


def test_tools_that_are_only_offered_are_left_alone(start):
    answer = client(start(text="no")).chat.completions.create(model="m", messages=ASKED, tools=[TOOL])
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("no", "stop")


def test_json_forms(start):
    api = client(start(text="hi")).chat.completions
    plain = api.create(model="m", messages=ASKED, response_format={"type": "json_object"})
    assert plain.choices[0].message.content == '{"answer":"hi"}'
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}
    shaped = api.create(model="m", messages=ASKED, response_format=form)
    assert shaped.choices[0].message.content == '{"city":"text","kind":"warm","days":["text"]}'


def test_models_and_keys(start):
    server = start(models=("a", "b"), api_key="right")
    assert [model.id for model in client(server, "right").models.list()] == ["a", "b"]
    with pytest.raises(openai.AuthenticationError):
        client(server, "wrong").models.list()


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        ("RateLimited", openai.RateLimitError),
        ("ExpertUnavailable", openai.InternalServerError),
        ("InvalidQuery", openai.BadRequestError),
    ],
)
def test_fails_at_first_and_then_answers(start, error, raised):
    server = start(failure={"error": error, "calls": 1, "retry_after": 2})
    api = client(server).chat.completions
    with pytest.raises(raised) as caught:
        api.create(model="m", messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "2"
    assert api.create(model="m", messages=ASKED).choices[0].message.content == "ok"
    assert (server.stats.failed, server.stats.answered) == (1, 1)


def test_a_stream_breaks_off_after_some_tokens(start):
    server = start(text="a b c d", failure={"error": "StreamBroken", "after": 2})
    got = []
    with pytest.raises(openai.APIConnectionError):
        for chunk in client(server).chat.completions.create(model="m", messages=ASKED, stream=True):
            got.append(chunk.choices[0].delta.content)
    assert got == ["", "a ", "b "]
    assert (server.stats.failed, server.stats.completion_tokens) == (1, 2)


@pytest.mark.parametrize("messages", [[], [1], None])
def test_a_bad_body_is_refused(start, messages):
    with pytest.raises(openai.BadRequestError, match="messages"):
        client(start()).chat.completions.create(model="m", messages=messages)


def test_counts_a_stream_that_the_client_left(start):
    server = start(text="w " * 10_000, rate=200)
    stream = client(server).chat.completions.create(model="m", messages=ASKED, stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: server.stats.cancelled == 1)
    assert (server.stats.active, server.stats.answered) == (0, 0)


async def test_serves_many_connections_at_once(start):
    server = start(delay=0.01)
    async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0) as api:
        asked = (api.chat.completions.create(model="m", messages=ASKED) for _ in range(20))
        answers = await asyncio.gather(*asked)
    assert {answer.choices[0].message.content for answer in answers} == {"ok"}
    assert len({answer.id for answer in answers}) == 20


def test_stopping_frees_the_port_and_drops_streams(start):
    server = start(text="w " * 10_000, rate=200)
    stream = iter(client(server).chat.completions.create(model="m", messages=ASKED, stream=True))
    next(stream)
    server.stop()
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    start(port=server.port)
