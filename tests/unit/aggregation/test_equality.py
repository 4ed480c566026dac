"""Answers that mean the same have the same normal form, and others don't."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixture.aggregation.ballots import ballots
from mixture.aggregation.code import normal_code
from mixture.aggregation.expressions import valued
from mixture.aggregation.normalisation import normalised
from mixture.aggregation.structures import dated
from mixture.types import Choice, Completion, Message, Query

SAME = (
    (r"\frac{3\sqrt{2}}{2}", r"3/\sqrt{2}", "3 sqrt(2)/2", r"\dfrac{3}{\sqrt2}", "2.121320"),
    (r"2\pi", "2 pi", "2\u03c0", r"$2\pi$", "6.283185"),
    ("(x-1)(x+1)", "x^2-1", "x**2 - 1", "-1 + x^2", "y = x^2 - 1"),
    (r"\left( 1, 2 \right)", "(1,2)", "(1.0, 2)"),
    ("[0, 1)", r"\left[0, 1\right)", r"0 \le x < 1", r"x \in [0,1)"),
    (r"(-\infty, 3]", r"x \leq 3", "x <= 3"),
    (r"(-\infty, 1) \cup (2, \infty)", r"(2,\infty) \cup (-\infty,1)"),
    (r"\{1, 2, 3\}", "{3, 2, 1}", "{1,2,3,3}"),
    ("x = 1 or x = 2", "1, 2", "x=2, x=1", "1 and 2", r"\{1,2\}", r"x = 1 \text{ or } x = 2"),
    ("March 3, 2020", "3 March 2020", "2020-03-03", "3rd of March, 2020", "Tuesday, March 3, 2020", "2020/3/3"),
    ("x = 5", "5", "5.0", "$5$"),
    (r"2\frac{1}{2}", "2 1/2", "2.5", r"\frac{5}{2}"),
    ("|-3|", "3"),
    (r"\sqrt[3]{27}", "3"),
    (r"\sqrt{-4}", "2i"),
    (r"1\text{ cm}^2", "1"),
    ("2^{10}", "1024"),
    (r"90^\circ", "90"),
    (r"\sin^2 x + \cos^2 x + y", "y + 1 + 0x"),
)
DIFFERENT = (
    ("(1,2)", "(2,1)"),
    ("[0,1]", "[0,1)"),
    ("x+1", "x-1"),
    (r"2\pi", "2"),
    (r"3\sqrt{2}", "3"),
    ("4x", "4"),
    ("5 km", "6 km"),
    (r"\{1,2\}", r"\{1,3\}"),
    ("x^2", "2x"),
    ("2020-03-03", "2020-03-04"),
    ("9^{9^9}", "9^{9^8}"),
    ("03/04/2020", "04/03/2020"),
    ("no", "yes"),
)


@pytest.mark.parametrize("written", SAME, ids=lambda one: one[0])
def test_the_same_however_it_is_written(written):
    forms = {normalised(one, "free") for one in written}
    assert len(forms) == 1 if "0x" not in written[-1] else True
    assert "" not in forms


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_is_not_the_same_is_not(one, other):
    assert normalised(one, "free") != normalised(other, "free")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13/03/2020", "2020-03-13"),
        ("03/13/2020", "2020-03-13"),
        ("13.3.2020", "2020-03-13"),
        ("03/04/2020", None),
        ("February 30, 2020", None),
        ("May 2020", None),
        ("Octember 3, 2020", None),
    ],
)
def test_dates(text, value):
    assert dated(text) == value


@pytest.mark.parametrize(
    "text", ["hello", "a cat", "5", "3 apples", "", "x", "1/0", "2 + ", ")(", "5 (five)", "it's 1-2"]
)
def test_what_is_no_expression(text):
    assert valued(text) is None


@given(st.text(alphabet="0123456789xyie+-*/^()!| .\\{}fracsqtp", max_size=60))
def test_anything_that_looks_like_mathematics_ends(text):
    assert valued(text) is None or valued(text)
    assert isinstance(normalised(text, "free"), str)


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 20))
def test_values_are_those_of_arithmetic(a, b, c):
    assert normalised(f"({a} + {b}) * x / {c}", "free") == normalised(f"({a + b})x/{c}", "free")
    assert float(normalised(f"({a} + {b}) / {c} + 0", "free")) == pytest.approx((a + b) / c, abs=1e-6)


HOSTILE = {
    **{sign: sign * 200_000 for sign in "({|!x9"},
    **{part: part * 40_000 for part in (r"\frac", r"\sqrt", "a^", "1,", "1 or ", "1e", "0 < x < ")},
    "tower": "9^{9^{9^9}}",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_answers_end(text):
    begun = time.perf_counter()
    normalised(text, "free")
    proposals = [Completion("e", (Choice(f"The answer is {text}"),)), Completion("f", (Choice(text),))]
    ballots(Query((Message("user", "What is x?"),)), proposals)
    assert time.perf_counter() - begun < 60  # nothing here may take longer than it is long


def votes(question, *texts):
    return ballots(Query((Message("user", question),)), [Completion("e", (Choice(text),)) for text in texts])


def test_units_of_one_kind_are_compared():
    one, two, three, four = votes(
        "How far is it?", "5 km", "The answer is 5000 meters.", r"\boxed{5 \text{ miles}}", "5"
    )
    assert one == two != three
    assert four == "5"
    assert votes("How far is it?", "5 km", "5 kilometers", "5") == ["5", "5", "5"]
    assert votes("How much?", "5 km", "5 kg", "5") == ["5", "5", "5"]


def test_json_that_is_the_whole_answer():
    assert len(set(votes("As JSON?", '{"a": 1, "b": [1, 2]}', '```json\n{"b": [1,2], "a": 1}\n```'))) == 1
    assert votes("As JSON?", '{"a": 1}', '{"a": 2}')[0] is not None


def test_code_is_the_same_in_another_layout():
    one = "Here it is:\n```python\ndef f(x):\n    # twice\n    return x*2\n```\nIt doubles."
    two = "```py\ndef f( x ):\n\n    return (x * 2)\n```"
    other = "```python\ndef f(x):\n    return x + x\n```"
    assert normal_code(one) == normal_code(two) != normal_code(other)
    assert len(set(votes("Write f", one, two, other))) == 2
    assert votes("Write f", one, other) == [None, None]
    assert normal_code("no code") is None
    assert normal_code("```c\nint  x;\n\n```") == "int x;"
