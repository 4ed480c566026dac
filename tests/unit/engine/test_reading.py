"""From an engine's outputs to chunks: pure mapping, over objects of the same shape as vLLM's."""

from __future__ import annotations

from types import SimpleNamespace as Like

import pytest

from deployments.engine.answers import Aborted, Reading
from mixture.types import ToolCall, Usage


def request(**more):
    return Like(**{"logprobs": False, "top_logprobs": 0, "parallel_tool_calls": True, **more})


def output(*pieces, finished=False, prompt=(1, 2, 3), cached=0):
    return Like(
        outputs=list(pieces), finished=finished, prompt_token_ids=list(prompt) or None, num_cached_tokens=cached
    )


def piece(text, tokens=(7,), reason=None, index=0, logprobs=None):
    return Like(text=text, token_ids=list(tokens), finish_reason=reason, index=index, logprobs=logprobs)


def plain(**more):
    return Reading(request(**more), lambda: None, None)


def test_deltas_become_chunks_with_the_tokens_so_far():
    reading = plain()
    first = list(reading.read(output(piece("a"), cached=2)))
    nothing = list(reading.read(output(piece("", tokens=()), prompt=())))
    last = list(reading.read(output(piece("b", (8, 9), "stop"), finished=True, prompt=())))
    assert [(chunk.text, chunk.usage) for chunk in first] == [("a", Usage(3, 1, cached_tokens=2))]
    assert nothing == []
    assert (last[0].text, last[0].finish_reason) == ("b", "stop")
    assert last[0].usage == Usage(3, 3, cached_tokens=2)


def test_each_choice_ends_once_and_all_are_counted():
    reading = plain()
    made = [
        *reading.read(output(piece("a"), piece("x", index=1))),
        *reading.read(output(piece("b", reason="length"))),
        *reading.read(output(piece("", (), "length"), piece("y", reason="stop", index=1), finished=True)),
    ]
    assert [(chunk.index, chunk.text, chunk.finish_reason) for chunk in made] == [
        (0, "a", None), (1, "x", None), (0, "b", "length"), (1, "y", "stop"),
    ]  # fmt: skip
    assert [chunk.usage for chunk in made] == [None, Usage(3, 2), Usage(3, 3), Usage(3, 4)]


def test_the_end_is_told_also_where_nothing_more_is_said():
    reading = plain()
    (end,) = reading.read(output(piece("", (), "stop"), finished=True))
    assert (end.finish_reason, end.usage) == ("stop", Usage(3, 0))


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_what_the_engine_broke_off_is_no_answer(reason):
    with pytest.raises(Aborted):
        list(plain().read(output(piece("a", reason=reason), finished=True)))


def test_a_whole_answer_is_a_chunk_a_choice():
    made = list(plain().whole(output(piece("a", (1, 2), "stop"), piece("b", (3,), "length", 1), finished=True)))
    assert [(chunk.text, chunk.finish_reason) for chunk in made] == [("a", "stop"), ("b", "length")]
    assert [chunk.usage for chunk in made] == [None, Usage(3, 3)]


def likely(logprob, text):
    return Like(logprob=logprob, decoded_token=text)


def test_logprobs_are_in_openai_s_form():
    reading = Reading(request(logprobs=True, top_logprobs=1), lambda: None, Like(decode=lambda token: f"<{token}>"))
    found = {7: likely(float("-inf"), None), 8: likely(-0.25, "é")}
    (chunk,) = reading.read(output(piece("x", (7,), "stop", logprobs=[found]), finished=True))
    assert chunk.logprobs == (
        {
            "token": "<7>",
            "logprob": -9999.0,
            "bytes": [60, 55, 62],
            "top_logprobs": [{"token": "é", "logprob": -0.25, "bytes": [195, 169]}],
        },
    )


class Parser:
    """Reads `name(arguments)` as calls, and says nothing of what begins with `~`, which is reasoning."""

    def parse_delta(self, delta_text, delta_token_ids, request, prompt_token_ids=None, *, finished):
        if delta_text.startswith("~"):
            return None
        if "(" not in delta_text:
            return Like(content=delta_text, tool_calls=[])
        name, arguments = delta_text.rstrip(")").split("(")
        calls = [Like(index=at, id=None, function=Like(name=name, arguments=arguments)) for at in range(2)]
        return Like(content=None, tool_calls=calls)

    def parse(self, model_output, request, enable_auto_tools=False, model_output_token_ids=()):
        call = Like(id=None, name="f", arguments="{}")
        return "thought", None, [call, call] if enable_auto_tools else []

    def count_reasoning_tokens(self, token_ids):
        return sum(token == 0 for token in token_ids)


def test_calls_are_told_from_text_and_reasoning_is_counted():
    reading = Reading(request(), Parser, None)
    assert list(reading.read(output(piece("~hm", (0, 0))))) == []
    (chunk,) = reading.read(output(piece("f({})", (5,), "stop"), finished=True))
    assert (chunk.text, chunk.finish_reason) == ("", "tool_calls")
    assert [(call.name, call.arguments, call.index) for call in chunk.tool_calls] == [("f", "{}", 0), ("f", "{}", 1)]
    assert all(call.id.startswith("call_") for call in chunk.tool_calls)
    assert chunk.usage == Usage(3, 3, reasoning_tokens=2)


@pytest.mark.parametrize("streams", [True, False])
def test_one_call_where_only_one_is_wanted(streams):
    reading = Reading(request(parallel_tool_calls=False), Parser, None)
    read = reading.read if streams else reading.whole
    (chunk,) = read(output(piece("f({})", (5,), "stop"), finished=True))
    assert [call.index for call in chunk.tool_calls] == [0]


def test_a_call_that_was_cut_off_says_so():
    reading = Reading(request(), Parser, None)
    (chunk,) = reading.read(output(piece("f({", (5,), "length"), finished=True))
    assert chunk.finish_reason == "length"


def test_a_fragment_has_a_name_and_an_id_only_when_it_begins():
    class Continuing(Parser):
        def parse_delta(self, delta_text, *rest, **named):
            return Like(content=None, tool_calls=[Like(index=0, id=None, function=Like(name=None, arguments="1}"))])

    (chunk,) = Reading(request(), Continuing, None).read(output(piece("1}")))
    assert chunk.tool_calls == (ToolCall("", "", "1}", 0),)
