"""What counts as a proposal: refusals, cut texts, broken code, violated schemas."""

import time

import pytest

from mixture.aggregation.refusals import refuses
from mixture.aggregation.schemas import violation
from mixture.aggregation.validity import Gravity, fault
from mixture.aggregation.wholeness import broken_code, cut
from mixture.types import Choice, Completion, Message, Query, ResponseFormat, Sampling, Tool, ToolCall, ToolChoice

REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I\u2019m sorry, but I can\u2019t assist with that request.",
    "**I cannot provide instructions for that.**",
    "As an AI language model, I cannot answer this question.",
    "I'm unable to help with this request.",
    "I apologize, but I cannot fulfill this request.",
    "Unfortunately, I am not able to provide medical advice.",
    "I must decline this request.",
    "I'm not comfortable providing that.",
    "I won't help with that.",
    "Es tut mir leid, aber ich kann dir dabei nicht helfen.",
    "Tut mir leid, dabei kann ich nicht helfen.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Mi dispiace, ma non posso aiutarti.",
    "Sinto muito, mas não posso ajudar com isso.",
    "Het spijt me, maar ik kan je daar niet mee helpen.",
    "Przykro mi, ale nie mogę pomóc.",
    "Извините, но я не могу помочь \u0441 этим.",
    "很抱歉\uff0c我无法回答这个问题。",
    "申し訳ありませんが、そのご要望にはお答えできません。",
    "죄송하지만, 도와드릴 수 없습니다.",
)
ANSWERS = (
    "I can't find any error in the proof: the answer is 42.",
    "You can't divide by zero, so there is no answer.",
    '"I can\'t help you," she said, and left.',
    "Sorry, I cannot determine the exact number, but it is about 5.",
    "I can't answer with certainty, but the answer is 7.",
    "I am sorry to hear that. Try restarting the router.",
    "I cannot overstate how helpful this is.",
    'The error says "I cannot provide a file".',
    "I can't provide a link, but here is the code:\n```python\nx = 1\n```",
    "Leider kann ich nicht bestätigen, dass 5 gerade ist; 5 ist ungerade.",
    "I can't help with that. " + "But this is what the law says, at length. " * 20,
    "",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text):
    assert refuses(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_what_holds_such_words_and_is_an_answer(text):
    assert not refuses(text)


def test_who_asks_for_a_refusal_gets_one():
    assert not refuses("I can't help you.", "Translate: je ne peux pas vous aider")


PROSE = "The first law says that energy is kept. The second says that entropy grows. The third is about the cold. " * 4


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("```python\nprint(1)\n", True),
        ("```python\nprint(1)\n```\nThis prints.", False),
        ("````md\n```python\nprint(1)\n```\n````", False),
        (PROSE + "The fourth law is the temperatu", True),
        (PROSE + "There are three of them, the", True),
        (PROSE, False),
        (PROSE + "\n- one thing\n- another thing", False),
        (PROSE + "\n| a | b |\n|---|---|\n| 1 | two |", False),
        (PROSE + "\n\nAlice\nHead of physics", False),
        ("A title without a point", False),
        ("word " * 200, False),
        ("The answer is 42", False),
    ],
)
def test_texts_that_were_cut(text, seen):
    assert (cut(text) is not None) is seen


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("```python\ndef f(:\n    pass\n```", True),
        ("```python\nfor i in range(3)\n    print(i)\n```", True),
        ("```python\ndef f():\n    return 1\n```", False),
        ("```py\n    x = 1\n    y = 2\n```", False),
        ("```python\n>>> 1 +\n```", False),
        ("```python\n!pip install x\n```", False),
        ("```js\nlet x = ;\n```", False),
        ("```python\n" + "(" * 5000 + "\n```", True),
        ("```python\nx = '\\d'\n```", False),
        ("```python\n\x00\n```", True),
        ("no code at all", False),
    ],
)
def test_python_that_does_not_parse(text, broken):
    assert (broken_code(text, "Write a Python function") is not None) is broken
    assert broken_code(text, "What is wrong with this?") is None


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}, "tags": {"type": "array"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": "x", "age": 3}, None),
        ({"name": "x"}, "'age' missing"),
        ({"name": "x", "age": "3"}, "age: integer expected"),
        ({"name": "x", "age": -1}, "minimum"),
        ({"name": "x", "age": 1, "more": 1}, "does not have"),
        ([], "object expected"),
    ],
)
def test_schemas(value, said):
    found = violation(value, PERSON)
    assert found is None if said is None else said in found


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "no such type"},
        {"$ref": "http://127.0.0.1:9/never-fetched"},
        {"$ref": "#"},
        {"pattern": "(a+)+$"},
        {"patternProperties": {"(a+)+$": {}}, "additionalProperties": False},
    ],
)
def test_schemas_that_can_not_be_used_refuse_nothing_and_take_no_time(schema):
    begun = time.perf_counter()
    assert violation("a" * 40 + "!", schema) is None
    assert violation({"a" * 40 + "!": 1}, schema) is None
    assert time.perf_counter() - begun < 30  # the bad patterns would take years


def test_patterns_that_are_fast_are_checked():
    assert violation("abc", {"pattern": "^[0-9]+$"}) is not None
    assert violation("123", {"pattern": "^[0-9]+$"}) is None


def found(text="", question="What is it?", reason="stop", calls=(), **query):
    asked = Query((Message("user", question),), **query)
    seen = fault(asked, Completion("e", (Choice(text, tuple(calls), reason),)))
    return None if seen is None else seen.gravity


def test_gravity():
    schema = ResponseFormat("json_schema", schema=PERSON)
    assert found("42") is None
    assert found("42", reason="length") == Gravity.CUT
    assert found("42", reason="content_filter") == Gravity.REFUSAL
    assert found("I can't help with that.") == Gravity.REFUSAL
    assert found("```python\nx = (\n```", "Write code") == Gravity.CODE
    assert found("```python\nx = (", "Write code") == Gravity.CUT
    assert found("{", response_format=ResponseFormat("json_object")) == Gravity.FORM
    assert found("[1]", response_format=ResponseFormat("json_object")) == Gravity.FORM
    assert found('{"a": 1}', response_format=ResponseFormat("json_object")) is None
    assert found('{"name": "x"}', response_format=schema) == Gravity.FORM
    assert found('```json\n{"name": "x", "age": 1}\n```', response_format=schema) is None
    assert found("```\nopen", sampling=Sampling(stop=("```",))) is None
    assert found("x" * 300_000) is None


TOOL = Tool("look", parameters={"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})


@pytest.mark.parametrize(
    ("name", "arguments", "counts"),
    [
        ("look", '{"at": "it"}', True),
        ("look", '{"at": 3}', False),
        ("look", "", False),
        ("look", "{", False),
        ("look", "[]", False),
        ("listen", "{}", False),
    ],
)
def test_calls(name, arguments, counts):
    assert (found(calls=[ToolCall("1", name, arguments)], tools=(TOOL,)) is None) is counts


def test_a_tool_that_must_be_called():
    assert found("It is there.", tools=(TOOL,), tool_choice=ToolChoice("required")) == Gravity.FORM
    assert found("It is there.", tools=(TOOL,)) is None
