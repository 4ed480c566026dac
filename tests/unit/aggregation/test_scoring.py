"""The scorer: what makes an answer look better or worse."""

import pytest

from mixture.aggregation import make_scorer
from mixture.types import Choice, Completion, Message, Query, ResponseFormat, Tool, ToolCall, ToolChoice

QUERY = Query((Message("user", "Explain how vaccines train the immune system"),))
GOOD = "Vaccines train the immune system: they show it a harmless part of a germ, and it remembers how to answer."


async def score(text, query=QUERY, reason="stop", calls=()):
    return await make_scorer().score(query, Completion("e", (Choice(text, calls, reason),)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, "length"),
        (GOOD, "content_filter"),
        ("I'm sorry, but I can't help with that.", "stop"),
        ("Bananas are yellow.", "stop"),
        (GOOD + "\n```python\nprint(1)", "stop"),
        (GOOD * 5 + " and then", "stop"),
        ("", "stop"),
    ],
)
async def test_a_good_answer_scores_above(text, reason):
    assert 0 <= await score(text, reason=reason) < await score(GOOD) <= 1


async def test_nothing_scores_nothing():
    assert await score("  ") == 0.0


async def test_code_where_code_was_asked_for():
    query = Query((Message("user", "Write code that prints the numbers to ten"),))
    with_code = "This code prints numbers to ten:\n```python\nfor i in range(10): print(i)\n```"
    assert await score(with_code, query) > await score("This code prints numbers to ten: loop and print.", query)


@pytest.mark.parametrize(
    ("name", "arguments", "right"),
    [
        ("look", '{"place": "x"}', True),
        ("look", "{}", False),
        ("look", "[1]", False),
        ("look", "{", False),
        ("x", "{}", False),
    ],
)
async def test_tool_calls_as_they_are_declared(name, arguments, right):
    query = Query(QUERY.messages, tools=(Tool("look", parameters={"required": ["place"]}),))
    assert (await score("", query, "tool_calls", (ToolCall("1", name, arguments),)) == 1.0) is right


async def test_a_tool_that_must_be_called():
    must = Query(QUERY.messages, tools=(Tool("look"),), tool_choice=ToolChoice("required"))
    may = Query(QUERY.messages, tools=(Tool("look"),))
    assert await score(GOOD, must) < await score(GOOD, may)


async def test_json_where_json_was_asked_for():
    form = ResponseFormat("json_schema", schema={"required": ["a"]})
    query = Query(QUERY.messages, response_format=form)
    assert await score('{"a": "immune system vaccines train"}', query) > await score('{"b": "immune vaccines"}', query)
    assert await score('{"b": 1}', query) > await score("no json", query)
    plain = Query(QUERY.messages, response_format=ResponseFormat("json_object"))
    assert await score("[1]", plain) > await score("{", plain)
