"""What requests mean: both protocols in, one query out."""

import orjson
import pytest

from mixture.api.anthropic_messages import parse_messages
from mixture.api.embeddings import encode_embeddings, parse_embeddings
from mixture.api.openai_chat import parse_chat
from mixture.errors import InvalidQuery, UnknownModel
from mixture.types import ImagePart, Message, TextPart, Tool, ToolCall, ToolChoice

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
PICTURE = "data:image/png;base64,AAAA"


def test_one_conversation_in_both_protocols():
    openai = parse_chat(
        orjson.dumps(
            {
                "model": "m",
                "max_tokens": 9,
                "stop": ["END"],
                "temperature": 0.5,
                "messages": [
                    {"role": "system", "content": "Be short."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is it?"},
                            {"type": "image_url", "image_url": {"url": PICTURE}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {
                                "id": "c1",
                                "type": "function",
                                "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                            }
                        ],
                    },
                    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
                ],
                "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
                "tool_choice": "required",
            }
        )
    )
    anthropic = parse_messages(
        orjson.dumps(
            {
                "model": "m",
                "max_tokens": 9,
                "stop_sequences": ["END"],
                "temperature": 0.5,
                "system": [{"type": "text", "text": "Be short.", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is it?"},
                            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "hm", "signature": "s"},
                            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Oslo"}},
                        ],
                    },
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
                ],
                "tools": [{"name": "weather", "input_schema": SCHEMA}],
                "tool_choice": {"type": "any"},
            }
        )
    )
    assert openai == anthropic
    assert openai.query.messages == (
        Message("system", "Be short."),
        Message("user", (TextPart("What is it?"), ImagePart(PICTURE))),
        Message("assistant", "", (ToolCall("c1", "weather", '{"city":"Oslo"}'),)),
        Message("tool", "rain", tool_call_id="c1"),
    )
    assert openai.query.tools == (Tool("weather", None, SCHEMA),)
    assert openai.query.needs == {"tools", "vision", "stop"}


def test_results_of_tools_stand_before_what_the_user_adds():
    content = [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "no"}], "is_error": True},
        {"type": "text", "text": "and now?"},
    ]
    asked = parse_messages(
        orjson.dumps({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": content}]})
    )
    assert asked.query.messages == (Message("tool", "Error: no", tool_call_id="c1"), Message("user", "and now?"))


def chat(**fields):
    return parse_chat(orjson.dumps({"messages": [{"role": "user", "content": "hi"}], **fields}))


def test_no_model_means_auto():
    assert chat().model == "auto"


def test_max_completion_tokens_goes_before_max_tokens():
    assert chat(max_tokens=3, max_completion_tokens=4).query.sampling.max_tokens == 4


def test_what_is_passed_through_and_what_is_left():
    asked = chat(
        top_k=5, min_p=0.1, reasoning_effort="low", user="me", metadata={"a": "b"}, store=False, logit_bias={"1": 2}
    )
    assert asked.query.sampling.extra == {"top_k": 5, "min_p": 0.1, "reasoning_effort": "low", "logit_bias": {"1": 2.0}}


def test_allowed_tools_leave_only_those():
    tools = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "b"}}]}
    asked = chat(tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert [tool.name for tool in asked.query.tools] == ["b"]
    assert asked.query.tool_choice == ToolChoice("required")


def test_a_named_tool_must_exist():
    tools = [{"type": "function", "function": {"name": "a"}}]
    with pytest.raises(InvalidQuery, match="no function 'b'"):
        chat(tools=tools, tool_choice={"type": "function", "function": {"name": "b"}})


def test_wishes():
    asked = chat(
        mixture={"strategy": "voting", "experts": ["a"], "max_latency_ms": 500, "expose_proposals": True, "cache": None}
    )
    assert (asked.wishes.strategy, asked.wishes.experts, asked.wishes.max_latency_ms) == ("voting", ("a",), 500.0)
    assert asked.wishes.expose_proposals


def test_an_answer_can_be_sent_back_as_it_came():
    back = {
        "role": "assistant",
        "content": "42",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
    }
    asked = parse_chat(orjson.dumps({"messages": [{"role": "user", "content": "hi"}, back]}))
    assert asked.query.messages[1] == Message("assistant", "42")


def test_embeddings():
    asked = parse_embeddings(orjson.dumps({"model": "all-MiniLM-L6-v2", "input": "hello", "encoding_format": "base64"}))
    assert asked.texts == ("hello",)
    assert orjson.loads(encode_embeddings(asked, [[1.0, 0.0]]))["data"][0]["embedding"] == "AACAPwAAAAA="
    with pytest.raises(InvalidQuery, match="token numbers"):
        parse_embeddings(orjson.dumps({"model": "all-MiniLM-L6-v2", "input": [[1, 2]]}))
    with pytest.raises(InvalidQuery, match="leave it out"):
        parse_embeddings(orjson.dumps({"model": "all-MiniLM-L6-v2", "input": "x", "dimensions": 5}))
    with pytest.raises(UnknownModel):
        parse_embeddings(orjson.dumps({"model": "other", "input": "x"}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "input: is empty"),
        ([], "input: is empty"),
        (["a", ""], "input[1]: is empty"),
        (["a"] * 3000, "input: 3000 items"),
        ([1, 2], "input: token numbers"),
        (["a", None], "input[1]: should be"),
    ],
)
def test_texts_to_embed_that_are_none(given, said):
    with pytest.raises(InvalidQuery) as refused:
        parse_embeddings(orjson.dumps({"model": "all-MiniLM-L6-v2", "input": given}))
    assert refused.value.message.startswith(said)
