"""Whatever bytes come, a parser gives a request or InvalidQuery, and its message helps without echoing much."""

import json

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mixture.api.anthropic_messages import parse_messages
from mixture.api.embeddings import parse_embeddings
from mixture.api.openai_chat import ChatRequest, parse_chat
from mixture.errors import InvalidQuery, UnknownModel

settings.register_profile("parsers", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("parsers")
PARSERS = [parse_chat, parse_messages, parse_embeddings]
VALID = {"model": "plain", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
fields = st.sampled_from(sorted(ChatRequest.model_fields))


def refused_or_parsed(parser, body):
    try:
        parser(body)
    except (InvalidQuery, UnknownModel) as error:
        assert len(error.message) < 700
        assert error.message.isprintable()


@pytest.mark.parametrize("parser", PARSERS)
@given(body=st.binary())
def test_bytes(parser, body):
    refused_or_parsed(parser, body)


@pytest.mark.parametrize("parser", PARSERS)
@given(value=values)
def test_any_json(parser, value):
    refused_or_parsed(parser, json.dumps(value).encode())


@pytest.mark.parametrize("parser", [parse_chat, parse_messages])
@given(more=st.dictionaries(fields | st.text(), values, max_size=4))
def test_any_value_in_any_field(parser, more):
    refused_or_parsed(parser, json.dumps({**VALID, **more}).encode("utf-8", "surrogatepass"))


parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "image", "tool_use", "tool_result", "file", "thinking", "x"])},
    optional=dict.fromkeys(("text", "image_url", "source", "input", "id", "name", "content", "tool_use_id"), values),
)
messages = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "user", "assistant", "tool", "developer"]),
        "content": values | st.lists(parts),
    },
    optional={"tool_calls": values, "tool_call_id": values, "name": values},
)


@pytest.mark.parametrize("parser", [parse_chat, parse_messages])
@given(conversation=st.lists(messages, min_size=1, max_size=4))
def test_any_messages(parser, conversation):
    refused_or_parsed(parser, json.dumps({**VALID, "messages": conversation}).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("more", "param", "words"),
    [
        ({"messages": []}, "messages", "messages: should have at least 1 item, not 0"),
        ({"stop": [""]}, "stop[0]", r"stop\[0\]: should have at least 1 character"),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "string or should be a valid array",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text", "required"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "required"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "required"),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
            "messages[0].content[0].type",
            "not",
        ),
        ({"messages": [{"role": "user", "content": "a\u0001"}]}, "messages[0].content", "U+0001"),
        ({"model": "pla\u0007in"}, "model", "U+0007"),
        ({"temprature": 1}, "temprature", "not a field"),
        ({"temperature": 3}, "temperature", "less than or equal to 2"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0].type", "not supported"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "required"),
        ({"tool_choice": "required"}, "tool_choice", "needs `tools`"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "required"),
        ({"stream_options": {}}, "stream_options", "needs `stream`"),
        ({"top_logprobs": 2}, "top_logprobs", "needs `logprobs`"),
        ({"store": True}, "store", "nothing is stored"),
        ({"functions": []}, "functions", "use `tools`"),
        ({"mixture": {"quality": 1.5}}, "mixture.quality", "less than or equal to 1"),
        ({"mixture": {"quality": "high"}}, "mixture.quality", "number"),
        ({"mixture": {"cache": {"age": 1}}}, "mixture.cache.age", "not a field"),
        ({"mixture": {"cache": {"max_age": -1}}}, "mixture.cache.max_age", "greater than or equal to 0"),
        ({"mixture": {"experts": []}}, "mixture.experts", "at least 1"),
    ],
)
def test_messages_name_the_field_and_the_mending(more, param, words):
    with pytest.raises(InvalidQuery, match=words.replace("+", r"\+")) as refused:
        parse_chat(orjson.dumps({**VALID, **more}))
    assert refused.value.param == param


def test_an_image_url_is_one_that_images_have():
    def asked(url):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        return orjson.dumps({"messages": [{"role": "user", "content": content}]})

    assert parse_chat(asked("data:image/png;base64,AAAA")).query.messages[0].images
    for url in ("file:///etc/passwd", "ftp://x/y.png", "data:text/html;base64,AAAA", "javascript:alert(1)"):
        with pytest.raises(InvalidQuery) as refused:
            parse_chat(asked(url))
        assert refused.value.param == "messages[0].content[0].image_url.url"


def test_deep_schemas_are_refused_by_name():
    schema: dict = {}
    for _ in range(80):
        schema = {"properties": schema}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    with pytest.raises(InvalidQuery, match="deeper than") as refused:
        parse_chat(orjson.dumps({**VALID, "tools": tools}))
    assert refused.value.param == "tools[0].function.parameters"


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 40])
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            '"tools":[{"type":"function","function":{"name":"f","parameters":{"a":[%s]}}}]',
            "tools[0].function.parameters",
        ),
        (
            '"response_format":{"type":"json_schema","json_schema":{"name":"f","schema":{"a":%s}}}',
            "response_format.json_schema.schema",
        ),
    ],
)
def test_numbers_that_no_expert_reads_are_refused_by_name(fields, param, number):
    body = '{"messages":[{"role":"user","content":"x"}],' + fields % number + "}"
    with pytest.raises(InvalidQuery, match="64 bits") as refused:
        parse_chat(body.encode())
    assert refused.value.param == param


def test_a_temperature_is_a_number():
    with pytest.raises(InvalidQuery, match="temperature: should be"):
        parse_chat(b'{"messages":[{"role":"user","content":"x"}],"temperature":NaN}')


def test_terminal_output_may_be_pasted():
    text = "\x1b[31mred\x1b[0m\ttab\r\n\f\b"
    body = orjson.dumps({"messages": [{"role": "user", "content": text}]})
    assert parse_chat(body).query.messages[0].content == text


def test_what_was_sent_is_not_echoed_at_length():
    for more in ({"x" * 100_000: 1}, {"temperature": "y" * 100_000}, {"tool_choice": "z" * 100_000}):
        with pytest.raises(InvalidQuery) as refused:
            parse_chat(orjson.dumps({**VALID, **more}))
        assert len(refused.value.message) < 500
