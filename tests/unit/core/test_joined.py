"""Chunks of one batch, put together."""

from __future__ import annotations

from mixture.streams import Collector, joined
from mixture.types import Chunk, ToolCall, Usage


def test_text_of_one_choice_is_joined_up_to_its_end():
    batch = [Chunk("a"), Chunk("b", logprobs=({"token": "b"},)), Chunk("c", usage=Usage(1, 3), finish_reason="stop")]
    (one,) = joined(batch)
    assert (one.text, one.finish_reason, one.usage, one.logprobs) == ("abc", "stop", Usage(1, 3), ({"token": "b"},))
    assert joined([]) == []


def test_of_counts_the_last_one_stands():
    batch = [Chunk("a", usage=Usage(1, 1)), Chunk("b", usage=Usage(1, 2)), Chunk("c")]
    assert joined(batch) == [Chunk("abc", usage=Usage(1, 2))]
    assert joined([Chunk("a"), Chunk("b", usage=Usage(1, 2))]) == [Chunk("ab", usage=Usage(1, 2))]


def test_what_is_not_text_keeps_its_place():
    call, rest = ToolCall("1", "f", "{", 0), ToolCall("", "", "}", 0)
    batch = [Chunk("a"), Chunk(tool_calls=(call,)), Chunk(tool_calls=(rest,)), Chunk("b", index=1), Chunk("c")]
    made = joined(batch)
    assert [(chunk.index, chunk.text, chunk.tool_calls) for chunk in made] == [
        (0, "a", (call,)), (0, "", (rest,)), (1, "b", ()), (0, "c", ()),
    ]  # fmt: skip


def test_the_whole_stays_the_same():
    batch = [Chunk(text, index=number % 2) for number, text in enumerate("abbacdd")] + [Chunk(finish_reason="stop")]
    before, after = Collector(), Collector()
    for chunk in batch:
        before.add(chunk)
    for chunk in joined(batch):
        after.add(chunk)
    assert before.completion("e") == after.completion("e")
