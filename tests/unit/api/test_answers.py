"""What answers look like on the wire, held against the SDKs' own types."""

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message as AnthropicMessage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from mixture.api.anthropic_answers import MessageStream, encode_message
from mixture.api.errors import anthropic_error, openai_error
from mixture.api.openai_answers import ChatStream, encode_chat
from mixture.api.schemas import ChatAnswer, MessageAnswer
from mixture.errors import BudgetExceeded, NoAnswer, Overloaded, RateLimited, UnknownModel
from mixture.trace import Trace
from mixture.types import (
    Answered,
    Call,
    Choice,
    Chunk,
    Completion,
    Delta,
    Proposed,
    Quorum,
    Route,
    Routed,
    ToolCall,
    Usage,
)

USAGE = Usage(100, 20, cached_tokens=30, cache_write_tokens=10, reasoning_tokens=5)
CALL = ToolCall("c1", "weather", '{"city":"Oslo"}')


def traced(completion):
    trace = Trace(requested="jury", executed="voting")
    trace.calls += [
        Call("a", "proposer", USAGE, 0.5, 12.0, "ok"),
        Call("b", "proposer", Usage(1, 2), None, 3.0, "timeout"),
    ]
    trace.note(Routed(Route(("a", "b"), "because")))
    return trace, trace.report(completion)


ANSWERS = [
    Completion("a", (Choice("hello"),), quorum=Quorum(2, 1, 1), degraded="b was not there"),
    Completion("a", (Choice("", (CALL,), "tool_calls"),)),
    Completion("a", (Choice("said", (CALL, ToolCall("c2", "weather", "{}", 1)), "tool_calls"),)),
]


@pytest.mark.parametrize("completion", ANSWERS)
def test_whole_answers_are_what_the_sdks_and_our_document_say(completion):
    trace, report = traced(completion)
    raw = encode_chat("jury", completion, report, trace, expose=False)
    ChatAnswer.model_validate_json(raw)
    answer = ChatCompletion.model_validate_json(raw)
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.completion_tokens) == ("jury", 101, 22)
    raw = encode_message("jury", completion, report, trace, expose=False)
    MessageAnswer.model_validate_json(raw)
    message = AnthropicMessage.model_validate_json(raw)
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (61, 30)


def test_the_report_tells_everything():
    trace, report = traced(ANSWERS[0])
    fields = orjson.loads(encode_chat("jury", ANSWERS[0], report, trace, expose=False))["mixture"]
    assert fields["route"] == {"experts": ["a", "b"], "why": "because", "signals": {}}
    assert (fields["cost_usd"], fields["cost_complete"]) == (0.5, False)
    assert [(e["name"], e["role"], e["outcome"], e["cost_usd"]) for e in fields["experts"]] == [
        ("a", "proposer", "ok", 0.5),
        ("b", "proposer", "timeout", None),
    ]
    assert fields["quorum"] == {"asked": 2, "answered": 1, "agreed": 1}
    assert fields["degraded"] == "b was not there"


def chunks_of(data):
    blocks = [block.removeprefix(b"data: ") for block in data.split(b"\n\n") if block]
    return [ChatCompletionChunk.model_validate_json(block) for block in blocks if block != b"[DONE]"]


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_of_chunks(include_usage):
    completion = Completion("a", (Choice("hello", (CALL,), "tool_calls"),))
    trace, report = traced(completion)
    stream = ChatStream("jury", trace, include_usage=include_usage)
    events = [
        Proposed("a", completion),
        Delta("a", Chunk("hel")),
        Delta("a", Chunk("lo", usage=USAGE)),
        Delta("a", Chunk(tool_calls=(ToolCall("c1", "weather", '{"city"'),))),
        Delta("a", Chunk(tool_calls=(ToolCall("", "", ':"Oslo"}'),), finish_reason="tool_calls")),
        Answered(completion, report),
    ]
    data = stream.opening() + b"".join(stream.event(event) for event in events)
    assert data.endswith(b"data: [DONE]\n\n")
    chunks = chunks_of(data)
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert deltas[0].role == "assistant"
    assert chunks[1].model_extra["mixture"]["type"] == "proposed"
    assert "".join(delta.content or "" for delta in deltas) == "hello"
    fragments = [fragment for delta in deltas for fragment in delta.tool_calls or ()]
    assert "".join(fragment.function.arguments for fragment in fragments) == CALL.arguments
    assert [bool(fragment.id) for fragment in fragments] == [True, False]
    last = [chunk for chunk in chunks if chunk.choices][-1]
    assert (last.choices[0].finish_reason, last.model_extra["mixture"]["strategy_executed"]) == ("tool_calls", "voting")
    assert bool(chunks[-1].usage) == include_usage


@pytest.mark.parametrize("kind", [ChatStream, MessageStream])
def test_an_answer_that_was_not_written_live_is_sent_whole(kind):
    completion = Completion("a", (Choice("hello"),))
    trace, report = traced(completion)
    assert b'"hello"' in kind("jury", trace).event(Answered(completion, report))


def test_texts_of_proposals_are_shown_only_when_asked():
    completion = Completion("a", (Choice("private thoughts"),))
    trace = Trace()
    for kind in (ChatStream, MessageStream):
        assert b"private" not in kind("m", trace).event(Proposed("a", completion))
        assert b"private" in kind("m", trace, expose=True).event(Proposed("a", completion))


def test_blocks_of_a_message_stream_open_and_close_in_turn():
    completion = Completion("a", (Choice("hi", (CALL,), "tool_calls"),))
    trace, report = traced(completion)
    stream = MessageStream("m", trace)
    events = [Delta("a", Chunk("hi")), Delta("a", Chunk(tool_calls=(CALL,))), Answered(completion, report)]
    data = stream.opening() + b"".join(stream.event(event) for event in events)
    blocks = [orjson.loads(block.partition(b"data: ")[2]) for block in data.split(b"\n\n") if block]
    assert [(b["type"], b.get("index")) for b in blocks] == [
        ("message_start", None),
        ("content_block_start", 0),
        ("content_block_delta", 0),
        ("content_block_stop", 0),
        ("content_block_start", 1),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
        ("message_delta", None),
        ("message_stop", None),
    ]


QUOTED = [
    {
        "type": "url_citation",
        "url_citation": {"start_index": 0, "end_index": 3, "title": "a.md", "url": "a.md#char=5,6"},
    },
    {"type": "url_citation", "url_citation": {"start_index": 4, "end_index": 7, "title": "b.md", "url": "b.md"}},
    {"type": "url_citation", "url_citation": {"title": None, "url": "a.md#char=7,8"}},
    {"type": "proposal_support", "proposal_support": {"start_index": 0, "end_index": 7, "proposals": [1]}},
    {"type": "file_citation", "file_citation": "not an object"},
]


@pytest.mark.parametrize("live", [True, False])
def test_what_cites_a_source_is_a_citation_of_anthropic_s(live):
    completion = Completion("a", (Choice("one two", annotations=tuple(QUOTED)),))
    trace, report = traced(completion)
    stream, snapshot = MessageStream("m", trace), None
    events = [Delta("a", Chunk("one two"))] if live else []
    data = stream.opening() + b"".join(stream.event(event) for event in [*events, Answered(completion, report)])
    blocks = [orjson.loads(block.partition(b"data: ")[2]) for block in data.split(b"\n\n") if block]
    for block in blocks:
        snapshot = accumulate_event(event=block, current_snapshot=snapshot, json_bufs={})
    whole = AnthropicMessage.model_validate_json(encode_message("m", completion, report, trace, expose=False))
    for message in (snapshot, whole):
        cited = [(c.type, c.cited_text, c.source, c.search_result_index) for c in message.content[0].citations]
        assert cited == [
            ("search_result_location", "one", "a.md#char=5,6", 0),
            ("search_result_location", "two", "b.md", 1),
            ("search_result_location", "", "a.md#char=7,8", 0),
        ]
    assert next(block for block in blocks if block["type"] == "message_delta")["annotations"] == QUOTED
    assert whole.content[0].annotations == QUOTED


def test_arguments_that_are_no_json_are_kept():
    completion = Completion("a", (Choice("", (ToolCall("c", "f", "{oops"),), "tool_calls"),))
    trace, report = traced(completion)
    message = orjson.loads(encode_message("m", completion, report, trace, expose=False))
    assert message["content"][0]["input"] == {"invalid_json": "{oops"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (UnknownModel("x", param="model"), "not_found_error"),
        (RateLimited("x"), "rate_limit_error"),
        (BudgetExceeded("x"), "billing_error"),
        (Overloaded("x"), "overloaded_error"),
        (NoAnswer("x"), "api_error"),
    ],
)
def test_errors(error, kind):
    assert orjson.loads(openai_error(error))["error"] == {
        "message": "x",
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    assert orjson.loads(anthropic_error(error, "r"))["error"]["type"] == kind
