"""What rows of known benchmarks mean, and what is said of those that mean nothing."""

import pytest

from mixture.errors import InvalidQuery
from mixture.evaluation.items import RowFault
from mixture.evaluation.layouts import LAYOUTS, layout_of
from mixture.types import Message

CHOICES = ["one", "two", "three", "four"]
LETTERED = "Which?\nA. one\nB. two\nC. three\nD. four"


@pytest.mark.parametrize(
    ("layout", "row", "prompt", "reference", "domain"),
    [
        ("gsm8k", {"question": "How many?", "answer": "2 + 3\n#### 1,005"}, "How many?", "1,005", "gsm8k"),
        ("gsm8k", {"question": "How many?", "gold": "# 18"}, "How many?", "18", "gsm8k"),
        ("math", {"problem": "x?", "solution": "so \\boxed{\\frac{1}{2}}.", "type": "Algebra"}, "x?", "\\frac{1}{2}",
         "Algebra"),
        ("math", {"question": "x?", "gold": "-15"}, "x?", "-15", "math"),
        ("mmlu", {"question": "Which?", "choices": CHOICES, "answer": 2, "subject": "law"}, LETTERED, "C", "law"),
        ("mmlu", {"question": "Which?", "choices": CHOICES, "answer": "b"}, LETTERED, "B", ""),
        ("mmlu", {"question": "Which?", "choices": CHOICES, "answer": "four"}, LETTERED, "D", ""),
        ("mmlu-pro", {"question": "Which?", "options": '["one", "two", "three", "four"]', "answer": "D",
                      "category": "physics"}, LETTERED, "D", "physics"),
        ("mmlu-pro", {"question": "Which?", "options": [*CHOICES, "N/A"], "answer_index": 0}, LETTERED, "A", ""),
        ("pairs", {"instruction": "Write", "output": "Text", "dataset": "koala"}, "Write", "Text", "koala"),
    ],
)  # fmt: skip
def test_known_layouts(layout, row, prompt, reference, domain):
    item = LAYOUTS[layout].item(5, row)
    assert (item.prompt, item.reference, item.domain, item.position) == (prompt, reference, domain, 5)


def test_programs():
    row = {"task_id": "HumanEval/0", "prompt": "def f():", "test": "def check(c): pass", "entry_point": "f"}
    item = LAYOUTS["code"].item(0, row)
    assert (item.id, item.extras["entry_point"]) == ("HumanEval/0", "f")
    mbpp = LAYOUTS["code"].item(0, {"text": "Write", "test_list": ["assert f(1)", "assert f(2)"], "code": "def f"})
    assert mbpp.extras["tests"] == "assert f(1)\nassert f(2)"


@pytest.mark.parametrize(
    ("layout", "row", "said"),
    [
        ("gsm8k", {"answer": "1"}, "question: missing or empty"),
        ("gsm8k", {"question": ["a"], "answer": "1"}, "question: a text is expected, not list"),
        ("gsm8k", {"question": float("nan"), "answer": 1}, "question: missing"),
        ("gsm8k", {"question": "\ud800", "answer": 1}, "surrogate"),
        ("math", {"problem": "x?", "solution": "it is 5"}, "no .boxed answer"),
        ("mmlu", {"question": "q", "choices": "no list", "answer": 1}, "choices: a list is expected"),
        ("mmlu", {"question": "q", "choices": ["a"], "answer": 0}, "a list of 2 to 26"),
        ("mmlu", {"question": "q", "choices": CHOICES, "answer": 4}, "'4' is none of the 4"),
        ("mmlu", {"question": "q", "choices": CHOICES}, "'None' is none of"),
        ("code", {"prompt": "def f():"}, "test: missing"),
        ("pairs", {"instruction": "Write"}, "output: missing"),
    ],
)
def test_rows_that_mean_nothing(layout, row, said):
    with pytest.raises(RowFault, match=said):
        LAYOUTS[layout].item(0, row)


def test_columns_of_ones_own():
    layout = layout_of(None, {"prompt": "Frage", "reference": "Antwort"}, template="Q: {prompt}", system="Be brief.")
    item = layout.item(0, {"Frage": 12, "Antwort": 3.5, "domain": "d", "item": "i"})
    assert item.messages == (Message("system", "Be brief."), Message("user", "Q: 12"))
    assert (item.reference, item.domain, item.id) == ("3.5", "d", "i")
    with pytest.raises(RowFault, match="Antwort: missing"):
        layout.item(0, {"Frage": "x"})
    assert layout_of(None, {}).item(0, {"prompt": "x"}).reference is None


def test_conversations():
    layout = layout_of(None, {})
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert layout.item(0, {"messages": messages}).prompt == "c"
    for wrong in ("text", [{"role": "tool", "content": "x"}], [], [{"role": "user", "content": 5}]):
        with pytest.raises(RowFault, match="messages"):
            layout.item(0, {"messages": wrong})


def test_items_without_an_id_are_known_by_what_is_asked():
    layout = layout_of(None, {})
    first, again, other = (layout.item(place, {"prompt": text}).id for place, text in enumerate(["a", "a", "b"]))
    assert first == again != other


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gsm", {}), "unknown layout"),
        (("gsm8k", {"prompt": "q"}), "leave out either"),
        ((None, {"question": "q"}), "unknown meaning"),
    ],
)
def test_layouts_that_do_not_exist(arguments, said):
    with pytest.raises(InvalidQuery, match=said):
        layout_of(*arguments)


def test_a_template_has_a_place_for_the_prompt():
    with pytest.raises(InvalidQuery, match="prompt"):
        layout_of(None, {}, template="no place")
