"""What goes to a server that speaks OpenAI's protocol, and what such servers really answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from mixture import errors
from mixture.config import ConfigError, ExpertConfig
from mixture.providers import Context, create
from mixture.streams import complete
from mixture.types import (
    ImagePart,
    Message,
    Query,
    ResponseFormat,
    Sampling,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from tests.contract.dialects import OpenAIDialect, data
from tests.contract.subjects import CALLS, openai
from tests.contract.upstream import response, sending, streamed

DIALECT = OpenAIDialect()
HELLO = Query((Message("user", "Hello"),))
FULL = Query(
    messages=(
        Message("system", "Be brief."),
        Message("user", (TextPart("What is this?"), ImagePart("data:image/png;base64,AAAA", "low"))),
        Message("assistant", "", tool_calls=(ToolCall("call_1", "look", '{"x": 1}'),)),
        Message("tool", "A cat", tool_call_id="call_1"),
        Message("user", "And?", name="ann"),
    ),
    sampling=Sampling(
        temperature=0.5,
        top_p=0.9,
        max_tokens=50,
        stop=("END",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        n=2,
        logprobs=True,
        top_logprobs=3,
        extra={"reasoning_effort": "low", "model": "not-this-one"},
    ),
    tools=(Tool("look", "Looks", {"type": "object", "properties": {"x": {"type": "integer"}}}, True), Tool("bare")),
    tool_choice=ToolChoice("function", "look"),
    response_format=ResponseFormat("json_schema", "thing", {"type": "object"}, True),
)


@pytest.fixture
async def expert(place):
    made = openai(place)
    place.upstream.answers(DIALECT.whole("Hello"))
    yield made
    await made.close()


def test_the_stand_in_says_what_the_sdk_knows():
    """The wire bytes of these tests, held against the official types."""
    _, _, body = DIALECT.whole("Hello", CALLS).partition(b"\r\n\r\n")
    TypeAdapter(ChatCompletion).validate_json(body)
    for event in DIALECT.pieces(["Hello"], CALLS)[:-1]:
        TypeAdapter(ChatCompletionChunk).validate_json(event.removeprefix(b"data: "))


async def test_everything_of_the_query_is_sent(expert, upstream):
    await complete(expert, FULL)
    assert upstream.asked == {
        "model": "subject",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}
                ],
            },
            {"role": "tool", "content": "A cat", "tool_call_id": "call_1"},
            {"role": "user", "content": "And?", "name": "ann"},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "reasoning_effort": "low",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks",
                    "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}},
                    "strict": True,
                },
            },
            {"type": "function", "function": {"name": "bare", "parameters": {}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "thing", "schema": {"type": "object"}, "strict": True},
        },
    }
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(upstream.asked)


async def test_what_is_not_asked_for_is_not_sent(expert, upstream):
    await complete(expert, HELLO)
    assert upstream.asked == {"model": "subject", "messages": [{"role": "user", "content": "Hello"}]}


async def test_a_stream_asks_for_its_usage(expert, upstream):
    upstream.answers(sending(*streamed(DIALECT.pieces(["Hello"]))))
    await complete(expert, replace(HELLO, stream=True))
    assert upstream.asked["stream"] is True
    assert upstream.asked["stream_options"] == {"include_usage": True}


async def test_fields_go_under_the_names_that_the_upstream_wants(place):
    fields = {"max_tokens": "max_completion_tokens", "temperature": None, "seed": "random_seed"}
    config = ExpertConfig(name="m", provider="openai", base_url=f"{place.upstream.url}/v1", options={"fields": fields})
    expert = create(config, Context())
    place.upstream.answers(DIALECT.whole("Hello"))
    await complete(expert, replace(HELLO, sampling=Sampling(temperature=1, max_tokens=9, seed=3)))
    asked = place.upstream.asked
    assert (asked["max_completion_tokens"], asked["random_seed"]) == (9, 3)
    assert not {"max_tokens", "temperature", "seed"} & set(asked)
    assert "authorization" not in place.upstream.requests[0].headers
    await expert.close()


async def test_several_choices(expert, upstream):
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
        for i, (text, reason) in enumerate([("one", "stop"), ("two", "length")])
    ]
    upstream.answers(response({"choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}))
    completion = await complete(expert, HELLO)
    assert [(c.text, c.finish_reason) for c in completion.choices] == [("one", "stop"), ("two", "length")]
    assert completion.usage == Usage(1, 2)


async def test_several_choices_in_pieces(expert, upstream):
    events = [DIALECT.piece({"content": f"{i}{word}"}, index=i) for word in "ab" for i in (0, 1)]
    events += [DIALECT.piece({}, "stop", 1), DIALECT.piece({}, "length", 0), b"data: [DONE]\n\n"]
    upstream.answers(sending(*streamed(events)))
    completion = await complete(expert, replace(HELLO, stream=True))
    assert [(c.text, c.finish_reason) for c in completion.choices] == [("0a0b", "length"), ("1a1b", "stop")]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("function_call", "tool_calls"),
        ("model_length", "length"),
        ("eos", "stop"),
        (None, "stop"),
    ],
)
async def test_reasons_of_their_own(expert, upstream, word, reason):
    upstream.answers(response({"choices": [{"message": {"content": "x"}, "finish_reason": word}]}))
    assert (await complete(expert, HELLO)).finish_reason == reason


@pytest.mark.parametrize("word", ["error", "abort", "insufficient_system_resource"])
async def test_a_failure_given_as_a_reason(expert, upstream, word):
    upstream.answers(response({"choices": [{"message": {"content": "x"}, "finish_reason": word}]}))
    with pytest.raises(errors.ExpertUnavailable):
        await complete(expert, HELLO)
    upstream.answers(sending(*streamed([DIALECT.piece({"content": "x"}), DIALECT.piece({}, word)])))
    with pytest.raises(errors.StreamBroken):
        await complete(expert, replace(HELLO, stream=True))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Rate limit exceeded", "code": 429}, errors.RateLimited),
        ({"message": "Provider returned error", "code": 502}, errors.ExpertUnavailable),
        ({"message": "You exceeded your quota", "type": "insufficient_quota"}, errors.ExpertUnavailable),
        ({"message": "x", "code": "context_length_exceeded"}, errors.InvalidQuery),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_with_status_200(expert, upstream, error, kind, stream):
    body = {"error": error}
    upstream.answers(sending(*streamed([data(body)])) if stream else response(body))
    with pytest.raises(errors.MixtureError) as caught:
        await complete(expert, replace(HELLO, stream=stream))
    assert type(caught.value) is kind


async def test_an_account_without_money_is_ours_to_mend(expert, upstream):
    upstream.answers(
        response({"error": {"message": "x", "type": "insufficient_quota", "code": "insufficient_quota"}}, 429)
    )
    with pytest.raises(errors.ExpertUnavailable) as caught:
        await complete(expert, HELLO)
    assert not isinstance(caught.value, errors.RateLimited)
    assert "balance" in caught.value.message


async def test_reasoning_is_not_the_answer(expert, upstream):
    message = {"role": "assistant", "content": "", "reasoning_content": "I think."}
    upstream.answers(response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
    assert (await complete(expert, HELLO)).text == ""
    events = [DIALECT.piece({"reasoning_content": "I think."}), DIALECT.piece({}, "stop"), b"data: [DONE]\n\n"]
    upstream.answers(sending(*streamed(events)))
    assert (await complete(expert, replace(HELLO, stream=True))).text == ""


async def test_a_refusal_is_text(expert, upstream):
    message = {"role": "assistant", "content": None, "refusal": "No."}
    upstream.answers(response({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))
    assert (await complete(expert, HELLO)).text == "No."
    upstream.answers(sending(*streamed([DIALECT.piece({"refusal": "No."}), DIALECT.piece({}, "stop")])))
    assert (await complete(expert, replace(HELLO, stream=True))).text == "No."


async def test_content_in_parts(expert, upstream):
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Yes"}, {"type": "text", "text": "."}]
    upstream.answers(response({"choices": [{"index": 0, "message": {"content": parts}, "finish_reason": "stop"}]}))
    assert (await complete(expert, HELLO)).text == "Yes."


async def test_calls_without_index_or_id(expert, upstream):
    call = {"function": {"name": "look", "arguments": '{"x"'}}
    events = [
        DIALECT.piece({"tool_calls": [call]}),
        DIALECT.piece({"tool_calls": [{"function": {"arguments": ": 1}"}}]}),
        DIALECT.piece({"tool_calls": [{"id": "b", "function": {"name": "see", "arguments": {"y": 2}}}]}),
        DIALECT.piece({}, "tool_calls"),
    ]
    upstream.answers(sending(*streamed(events)))
    first, second = (await complete(expert, replace(HELLO, stream=True))).tool_calls
    assert (first.name, first.arguments) == ("look", '{"x": 1}')
    assert first.id
    assert (second.id, second.name, second.arguments) == ("b", "see", '{"y":2}')


async def test_logprobs_and_annotations(expert, upstream):
    entry = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}
    note = {"type": "url_citation", "url_citation": {"url": "https://example.org", "start_index": 0, "end_index": 2}}
    choice = {
        "index": 0,
        "message": {"content": "Hi", "annotations": [note]},
        "logprobs": {"content": [entry], "refusal": None},
        "finish_reason": "stop",
    }
    upstream.answers(response({"choices": [choice]}))
    answered = (await complete(expert, HELLO)).choices[0]
    assert (answered.logprobs, answered.annotations) == ((entry,), (note,))
    piece = {"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [entry]}, "finish_reason": None}
    upstream.answers(sending(*streamed([data({"choices": [piece]}), DIALECT.piece({}, "stop")])))
    assert (await complete(expert, replace(HELLO, stream=True))).choices[0].logprobs == (entry,)


async def test_usage_may_come_with_every_piece_or_never(expert, upstream):
    counts = [{"prompt_tokens": 5, "completion_tokens": i} for i in (1, 2)]
    events = [data({"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": count}) for count in counts]
    upstream.answers(sending(*streamed([*events, DIALECT.piece({}, "stop"), b"data: [DONE]\n\n"])))
    assert (await complete(expert, replace(HELLO, stream=True))).usage == Usage(5, 2)
    upstream.answers(sending(*streamed([DIALECT.piece({"content": "x"}), b"data: [DONE]\n\n"])))
    completion = await complete(expert, replace(HELLO, stream=True))
    assert (completion.text, completion.finish_reason, completion.usage) == ("x", "stop", Usage())


async def test_deepseek_counts_its_cache_in_its_own_way(expert, upstream):
    counts = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8}
    upstream.answers(response({"choices": [{"message": {"content": "x"}}], "usage": counts}))
    assert (await complete(expert, HELLO)).usage == Usage(9, 1, 8)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"base_url": "localhost:8000"}, "experts.m.base_url"),
        ({"base_url": "http://x", "options": {"fieldz": {}}}, "experts.m.options.fieldz"),
        ({}, "experts.m.api_key"),
    ],
)
def test_a_wrong_configuration_names_the_field(config, field):
    with pytest.raises(ConfigError) as caught:
        create(ExpertConfig(name="m", provider="openai", **config), Context())
    assert (caught.value.param, field in caught.value.message) == (field, True)
