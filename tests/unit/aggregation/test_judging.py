"""A judge's question and its verdicts."""

import pytest

from mixture.aggregation.judging import LONGEST_LOSS, Judgement, judging, loss, read
from mixture.types import Choice, Completion, ExpertCard, ImagePart, Message, Query, TextPart, ToolCall

ORDER = (2, 0, 1)


def said(*texts):
    return [Completion(f"e{i}", (Choice(text),)) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "best", "points"),
    [
        ('{"scores": {"A": 1, "B": 9, "C": 3}, "best": "B"}', 0, {2: 1, 0: 9, 1: 3}),
        ('Well.\n```json\n{"scores": {"A": 7.5, "B": 7, "C": 0}, "best": "A"}\n```', 2, {2: 7.5, 0: 7, 1: 0}),
        ('{"best": "C"}', 1, None),
        ("C", 1, None),
        ("**(B)**", 0, None),
    ],
)
def test_verdicts(text, best, points):
    assert read(text, ORDER) == Judgement(best, points)


@pytest.mark.parametrize("text", ["", "A and B", "D", '{"best": "D"}', '{"best": ["A"]}', '{"scores": 3, "best": "A"}'])
def test_what_is_no_verdict(text):
    assert isinstance(read(text, ORDER), str)


def test_length_costs_a_little():
    assert loss(100, [100, 100, 100]) == 0
    assert loss(50, [100, 100, 50]) == 0, "being short earns nothing"
    assert loss(200, [100, 100, 200]) == 0.5
    assert loss(100_000, [100, 100, 100_000]) == LONGEST_LOSS
    even = Judgement(0, {0: 8.0, 1: 7.8})
    assert (even.winner([100, 100]), even.winner([400, 100])) == (0, 1)


def test_the_question_holds_the_conversation_as_material():
    messages = (
        Message("system", "Answer in rhymes."),
        Message("user", "Hi"),
        Message("assistant", "Hello"),
        Message("user", (TextPart("What is this?"), ImagePart("https://x.test/a.png"))),
    )
    asked = judging(
        Query(messages), said("A cat.", "A dog."), (0, 1), ExpertCard("j", "p", abilities=frozenset({"json"}))
    )
    assert [message.role for message in asked.messages] == ["system", "user"]
    text = asked.messages[1].text
    for part in ("system: Answer in rhymes.", "assistant: Hello", "What is this?", "A cat.", "A dog."):
        assert part in text
    assert asked.messages[1].images == messages[3].images
    assert asked.response_format.schema["properties"]["best"]["enum"] == ["A", "B"]
    assert asked.tools == () and asked.purpose == "judge"
    assert judging(Query(messages), said("a", "b"), (0, 1), ExpertCard("j", "p")).response_format is None


def test_calls_of_tools_are_shown_in_words():
    call = Completion("e", (Choice("", (ToolCall("1", "weather", '{"city": "Oslo"}'),), "tool_calls"),))
    asked = judging(Query((Message("user", "?"),)), [call, call], (0, 1), ExpertCard("j", "p"))
    assert '(calls weather with {"city": "Oslo"})' in asked.messages[1].text
