"""What answers are worth, by each scorer."""

import json

import pytest

from mixture.errors import InvalidQuery
from mixture.evaluation.attempts import Attempt
from mixture.evaluation.items import Item, RowFault
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means, scorer_of
from mixture.evaluation.scorers.judge import NoVerdict
from mixture.evaluation.scorers.meaning import Similar
from mixture.evaluation.scorers.own import Own
from mixture.types import Message


def item(reference=None, prompt="?", **extras):
    return Item(0, "i", (Message("user", prompt),), reference, "", extras)


async def worth(spec, answer, reference=None, **extras):
    return (await scorer_of(spec).score(item(reference, **extras), answer)).value


@pytest.mark.parametrize(
    ("spec", "answer", "reference", "value"),
    [
        ("exact", "Paris", "paris.", 1),
        ("exact", "I think so.\nThe answer is: Paris", "Paris", 1),
        ("exact", '{"reasoning": "long", "answer": "Paris"}', "Paris", 1),
        ("exact", "London", "Paris", 0),
        ("exact:strict", "Paris", "paris", 0),
        ("exact:strict", " Paris\n", "Paris", 1),
        ("numeric", "She has 3 + 4 = 7 apples.", "7", 1),
        ("numeric", "#### 1,234", "1234", 1),
        ("numeric", '{"reasoning": "2 and 5", "answer": "$18.00"}', "# 18", 1),
        ("numeric", "The answer is 1/3", "0.333333", 1),
        ("numeric", "no idea", "7", 0),
        ("numeric", "8", "7", 0),
        ("numeric:0.05", "103", "100", 1),
        ("numeric:0.05", "106", "100", 0),
        ("numeric", "The answer is -5", "-5", 1),
        ("choice", "The answer is (C).", "C", 1),
        ("choice", "C", "C", 1),
        ("choice", "C. the third one", "c", 1),
        ("choice", "A is wrong, and so is B. The correct option is **D**", "D", 1),
        ("choice", "\\boxed{\\text{B}}", "B", 1),
        ("choice", "Answer: J", "J", 1),
        ("choice", "It can't be said.", "A", 0),
        ("choice", "The answer is (A).", "B", 0),
        ("math", "so \\boxed{\\dfrac{1}{2}}", "\\frac12", 1),
        ("math", "The answer is $\\sqrt{8}$", "2\\sqrt{2}", 1),
        ("math", "\\boxed{(x+1)^2}", "x^2+2x+1", 1),
        ("math", "\\boxed{\\{1, 2\\}}", "\\{2,1\\}", 1),
        ("math", "\\boxed{3}", "4", 0),
        ("regex:^yes", "well\nyes it is", None, 1),
        ("regex:^yes", "no, yes", None, 0),
        (r"regex:final: (\w+)", "final: a\nfinal: B", "b", 1),
        (r"regex:final: (\w+)", "final: b\nfinal: a", "b", 0),
    ],
)  # fmt: skip
async def test_values(spec, answer, reference, value):
    assert await worth(spec, answer, reference) == value


@pytest.mark.parametrize(
    ("spec", "reference"), [("numeric", None), ("numeric", "many"), ("exact", None), ("schema", None)]
)
async def test_an_item_that_can_not_be_graded(spec, reference):
    with pytest.raises(RowFault):
        await worth(spec, "5", reference)


@pytest.mark.parametrize(
    "spec",
    ["fuzzy", "numeric:x", "exact:loose", "regex", "regex:(", "schema:none.json", "code:0", "code:x", "similarity:2",
     "judge", "judge:m", "no.such:function", "json:nothing"],
)  # fmt: skip
def test_scorers_that_do_not_exist(spec):
    with pytest.raises(InvalidQuery):
        scorer_of(spec)


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"n": 1}', 1),
        ('Here:\n```json\n{"n": 2}\n```', 1),
        ('{"n": "1"}', 0),
        ("{}", 0),
        ("n = 1", 0),
        ("[" * 9999, 0),
    ],
)
async def test_json_schemas(tmp_path, answer, value):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA))
    assert await worth(f"schema:{file}", answer) == value
    assert await worth("schema", answer, schema=json.dumps(SCHEMA)) == value


CHECK = "def check(f):\n    assert f(2) == 4\n    assert f(-1) == 1\n"
STUB = 'def square(x):\n    """x times x"""\n'


@pytest.mark.parametrize(
    ("answer", "value", "why"),
    [
        ("Here it is:\n```python\ndef square(x):\n    return x * x\n```", 1, None),
        ("```python\n    return x * x\n```", 1, None),
        ("return x * x", 1, None),
        ("def square(x):\n    return x", 0, "AssertionError"),
        ("def square(x)\n    return x", 0, "SyntaxError: expected ':'"),
        ("import sys\ndef square(x):\n    return x\nsys.exit(0)", 0, "it ended before its tests had"),
        ("def square(x):\n    raise SystemExit(0)", 0, "it ended before its tests had"),
    ],
)
async def test_programs(answer, value, why):
    found = await scorer_of("code").score(item(tests=CHECK, entry_point="square", stub=STUB), answer)
    assert (found.value, found.why) == (value, why)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("while True: pass", "did not end within"),
        ("import time\ntime.sleep(60)", "did not end within"),
        ("import os\nwhile True:\n    os.fork()", None),
        ("import os\nos.fork()\nos.setsid()\nimport time\ntime.sleep(60)", "did not end within"),
        ("x = ' ' * 10**11", "MemoryError"),
        ("open('big', 'w').write('x' * 10**9)", None),
        ("print('x' * 10**9)", None),
    ],
    ids=["loops", "sleeps", "forks", "hides", "memory", "file", "output"],
)
async def test_programs_that_take_too_much_are_ended(answer, why):
    found = await scorer_of("code:2").score(item(tests="assert True"), answer)
    assert found.value == 0.0
    assert why is None or why in found.why


async def test_a_user_s_own_function(tmp_path, monkeypatch):
    (tmp_path / "mine_scorers.py").write_text("def half(answer, item):\n    return 0.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert await worth("mine_scorers:half", "x") == 0.5
    assert await worth("python:mine_scorers:half", "x") == 0.5

    async def later(answer, item):
        return answer == item.reference

    assert (await Own(later).score(item("x"), "x")).value == 1.0
    assert await Own(lambda answer, item: None).score(item(), "x") == Score(None)
    for wrong, error in ((2, ValueError), ("yes", TypeError), (float("nan"), ValueError)):
        with pytest.raises(error):
            await Own(lambda answer, item, wrong=wrong: wrong).score(item(), "x")


class Letters:
    async def embed(self, texts):
        return [[1.0, 0.0] if "a" in text else [0.6, 0.8] for text in texts]


async def test_similarity():
    assert (await Similar(Letters()).score(item("a"), "a")).value == 1.0
    assert (await Similar(Letters()).score(item("a"), "b")).value == pytest.approx(0.6)
    assert (await Similar(Letters(), least=0.7).score(item("a"), "b")).value == 0.0
    assert (await Similar(Letters()).score(item("a"), " ")).value == 0.0


def judging(verdict):
    """A judge that says `verdict` of (first, second), seen as they stand."""

    async def ask(messages, model):
        text = messages[-1].text
        first = "answer" if text.index("GOOD") < text.index("PLAIN") else "reference"
        return Attempt(text=verdict(first))

    return scorer_of("judge:m", Means(ask))


@pytest.mark.parametrize(
    ("verdict", "value"),
    [
        (lambda first: json.dumps({"best": "A" if first == "answer" else "B"}), 1.0),
        (lambda first: json.dumps({"best": "B" if first == "answer" else "A"}), 0.0),
        (lambda first: json.dumps({"best": "A"}), 0.5),
        (lambda first: json.dumps({"scores": {"A": 7, "B": 7}, "best": "A"}), 0.5),
    ],
    ids=["answer", "reference", "whatever stands first", "tie"],
)
async def test_a_judge_sees_both_orders(verdict, value):
    assert (await judging(verdict).score(item("PLAIN"), "GOOD")).value == value


async def test_a_judge_pays_nothing_for_length():
    def verdict(first):
        scores = (8.1, 8) if first == "answer" else (8, 8.1)
        return json.dumps({"scores": dict(zip("AB", scores, strict=True)), "best": "A" if first == "answer" else "B"})

    assert (await judging(verdict).score(item("PLAIN"), "GOOD " * 10)).value == 0.0
    assert (await judging(verdict).score(item("PLAIN"), "GOOD ")).value == 1.0


async def test_a_judge_that_says_nothing_is_an_error():
    with pytest.raises(NoVerdict, match="can't be read"):
        await judging(lambda first: "hm").score(item("PLAIN"), "GOOD")

    async def gone(messages, model):
        return Attempt(error="away")

    with pytest.raises(NoVerdict, match="away"):
        await scorer_of("judge:m", Means(gone)).score(item("PLAIN"), "GOOD")
