"""What goes to Anthropic's API, and what comes back from it."""

from __future__ import annotations

from dataclasses import replace
from typing import get_type_hints

import pytest
from anthropic._constants import ANTHROPIC_API_VERSION
from anthropic.types import Message as SDKMessage
from anthropic.types import RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

from mixture import errors
from mixture.config import ExpertConfig
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
from tests.contract.dialects import AnthropicDialect
from tests.contract.subjects import CALLS, KEY, anthropic
from tests.contract.upstream import response, sending, streamed

DIALECT = AnthropicDialect()
HELLO = Query((Message("user", "Hello"),))


@pytest.fixture
async def expert(place):
    made = anthropic(place)
    place.upstream.answers(DIALECT.whole("Hello"))
    yield made
    await made.close()


async def asked(expert, upstream, query: Query) -> dict:
    await complete(expert, query)
    TypeAdapter(MessageCreateParamsNonStreaming).validate_python(upstream.asked)
    assert set(upstream.asked) <= set(get_type_hints(MessageCreateParamsNonStreaming))
    return upstream.asked


async def test_everything_of_the_query_is_sent(expert, upstream):
    query = Query(
        messages=(
            Message("system", "Be brief."),
            Message("user", (TextPart("What is this?"), ImagePart("data:image/png;base64,AAAA"))),
            Message("user", (ImagePart("https://example.org/cat.jpg"),)),
            Message(
                "assistant",
                "I look.",
                tool_calls=(ToolCall("call_1", "look", '{"x": 1}'), ToolCall("call_2", "look", "not json")),
            ),
            Message("tool", "A cat", tool_call_id="call_1"),
            Message("tool", "", tool_call_id="call_2"),
            Message("system", "In English."),
            Message("user", "And?"),
        ),
        sampling=Sampling(
            temperature=1, top_p=0.9, max_tokens=50, stop=("END",), extra={"top_k": 5, "user": "u", "logit_bias": {}}
        ),
        tools=(Tool("look", "Looks", {"properties": {"x": {"type": "integer"}}}, True), Tool("bare")),
        tool_choice=ToolChoice("function", "look"),
    )
    body = await asked(expert, upstream, query)
    assert body == {
        "model": "subject",
        "system": "Be brief.\n\nIn English.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.jpg"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"x": 1}},
                    {"type": "tool_use", "id": "call_2", "name": "look", "input": {"arguments": "not json"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_1",
                        "content": [{"type": "text", "text": "A cat"}],
                    },
                    {"type": "tool_result", "tool_use_id": "call_2", "content": []},
                    {"type": "text", "text": "And?"},
                ],
            },
        ],
        "max_tokens": 50,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "tools": [
            {
                "name": "look",
                "description": "Looks",
                "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
                "strict": True,
            },
            {"name": "bare", "input_schema": {"type": "object"}},
        ],
        "tool_choice": {"type": "tool", "name": "look"},
    }


async def test_what_is_not_asked_for_is_not_sent(expert, upstream):
    content = [{"type": "text", "text": "Hello"}]
    expected = {"model": "subject", "messages": [{"role": "user", "content": content}], "max_tokens": 4096}
    assert await asked(expert, upstream, HELLO) == expected
    headers = upstream.requests[-1].headers
    assert (headers["anthropic-version"], headers["authorization"]) == (ANTHROPIC_API_VERSION, f"Bearer {KEY}")


async def test_a_system_message_alone_is_said_as_a_turn(expert, upstream):
    body = await asked(expert, upstream, Query((Message("system", "Say hello."),)))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]
    assert "system" not in body


@pytest.mark.parametrize(
    ("choice", "extra", "expected"),
    [
        (None, {}, None),
        (ToolChoice("auto"), {}, {"type": "auto"}),
        (ToolChoice("required"), {}, {"type": "any"}),
        (ToolChoice("none"), {"parallel_tool_calls": False}, {"type": "none"}),
        (None, {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ],
)
async def test_tool_choices(expert, upstream, choice, extra, expected):
    query = replace(HELLO, tools=(Tool("look"),), tool_choice=choice, sampling=Sampling(extra=extra))
    assert (await asked(expert, upstream, query)).get("tool_choice") == expected


async def test_an_answer_by_a_schema(expert, upstream):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
    wish = ResponseFormat("json_schema", "person", schema)
    body = await asked(
        expert, upstream, replace(HELLO, response_format=wish, sampling=Sampling(extra={"reasoning_effort": "low"}))
    )
    assert body["output_config"]["effort"] == "low"
    sent = body["output_config"]["format"]
    assert sent["type"] == "json_schema"
    assert (sent["schema"]["additionalProperties"], sent["schema"]["required"]) == (False, ["age"])


async def test_json_without_a_schema_is_declined_so_that_another_expert_can_answer(expert, upstream):
    with pytest.raises(errors.Declined) as caught:
        await complete(expert, replace(HELLO, response_format=ResponseFormat("json_object")))
    assert (caught.value.expert, upstream.requests) == ("subject", [])


def test_the_stand_in_says_what_the_sdk_knows():
    """The wire bytes of these tests, held against the official types."""
    _, _, body = DIALECT.whole("Hello", CALLS).partition(b"\r\n\r\n")
    TypeAdapter(SDKMessage).validate_json(body)
    for event in DIALECT.pieces(["Hello"], CALLS):
        if b"ping" not in event and b"message_start" not in event:
            TypeAdapter(RawMessageStreamEvent).validate_json(event.partition(b"data: ")[2])


async def test_without_a_key_none_of_the_environments_is_sent(place, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-environment")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "of-the-environment")
    expert = create(ExpertConfig(name="m", provider="anthropic", base_url=place.upstream.url), Context())
    place.upstream.answers(DIALECT.whole("Hello"))
    await complete(expert, HELLO)
    assert "of-the-environment" not in str(place.upstream.requests[0].headers)
    assert "authorization" not in place.upstream.requests[0].headers
    await expert.close()


async def test_the_length_allowed_is_the_configured_one(place):
    config = ExpertConfig(name="m", provider="anthropic", base_url=place.upstream.url, options={"max_tokens": 7})
    expert = create(config, Context())
    place.upstream.answers(DIALECT.whole("Hello"))
    await complete(expert, HELLO)
    assert place.upstream.asked["max_tokens"] == 7
    await expert.close()


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
async def test_stop_reasons(expert, upstream, word, reason):
    body = {"type": "message", "content": [], "stop_reason": word, "usage": {"input_tokens": 1, "output_tokens": 2}}
    upstream.answers(response(body))
    completion = await complete(expert, HELLO)
    assert (completion.text, completion.finish_reason, completion.usage) == ("", reason, Usage(1, 2))


async def test_thinking_is_not_the_answer(expert, upstream):
    thinking = {"type": "thinking", "thinking": "", "signature": ""}
    start = DIALECT.event("content_block_start", index=0, content_block=thinking)
    delta = {"type": "thinking_delta", "thinking": "Hm."}
    more = DIALECT.event("content_block_delta", index=0, delta=delta)
    stop = DIALECT.event("content_block_stop", index=0)
    first, *rest = DIALECT.pieces([])
    upstream.answers(sending(*streamed([first, start, more, stop, *rest])))
    assert (await complete(expert, replace(HELLO, stream=True))).text == ""


async def test_a_tool_without_arguments_is_called_with_an_empty_object(expert, upstream):
    first, *_, reason, stop = DIALECT.pieces([], [("c", "clock", "{}")])
    block = {"type": "tool_use", "id": "c", "name": "clock", "input": {}}
    begin = DIALECT.event("content_block_start", index=0, content_block=block)
    end = DIALECT.event("content_block_stop", index=0)
    upstream.answers(sending(*streamed([first, begin, end, reason, stop])))
    (call,) = (await complete(expert, replace(HELLO, stream=True))).tool_calls
    assert (call.id, call.name, call.arguments) == ("c", "clock", "{}")


async def test_an_account_without_money_is_ours_to_mend(expert, upstream):
    message = "Your credit balance is too low to access the Anthropic API."
    upstream.answers(response({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400))
    with pytest.raises(errors.ExpertUnavailable) as caught:
        await complete(expert, HELLO)
    assert "balance" in caught.value.message
