from __future__ import annotations

import json
from pathlib import Path

import pytest

from mixture.providers.symbolic.reading import read
from mixture.providers.symbolic.refusals import NotMaths, TooLarge
from mixture.providers.symbolic.worker import answer

HERE = Path(__file__).parent
ANSWERS = [tuple(line.split(" | ")) for line in (HERE / "answers.txt").read_text(encoding="utf-8").splitlines()]
"""A question and its whole answer a line."""
DECLINED = (HERE / "declined.txt").read_text(encoding="utf-8").splitlines()
TOO_LARGE = [
    "9**9**9**9",
    "what is 9^9^9^9?",
    "10**10**10",
    "10^10^10",
    "factorial(10**9)",
    "factorial of 1000000",
    "(10^9)!",
    "2^20000",
    "1e99999 + 1",
    "1e999999999 + 1",
    "((((9^9)^9)^9)^9)^9",
    "(-2)^100000",
    "0.5^1000000",
    "3!^3!^3!^3!",
    "(1+1/10)^(10^9)",
    "expand (x+1)^100000",
    "10^9 choose (5*10^8)",
    "sum of k! from k=1 to 100000",
    "product of k^k from k=1 to 10000",
    "7^(7^7) mod 5",
]

DEEP = ["(" * 300 + "1" + ")" * 299, "-" * 500 + "1", "2^" * 250 + "2", "sqrt(" * 90 + "2" + ")" * 90, "1+" * 299 + "1"]
PIECES = ["1+", "(", "x = ", "what is ", "5 in ", "how many ", "sum of ", "9", "1,", " ", "one "]


@pytest.mark.parametrize(("question", "expected"), ANSWERS)
def test_the_whole_answer(question: str, expected: str) -> None:
    task = read(question)
    assert task is not None
    found = answer(json.loads(json.dumps(task.wire())))
    assert (f"{task.reading}{found}" if found.startswith(":") else f"{task.reading} {found}") == expected


@pytest.mark.parametrize("text", DECLINED)
def test_what_is_not_ours_is_not_read(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize("text", TOO_LARGE)
def test_what_is_too_large_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(TooLarge):
        read(text)


@pytest.mark.parametrize("text", DEEP)
def test_deep_nesting_ends_in_a_refusal(text: str) -> None:
    try:
        assert read(text) is None
    except TooLarge as refused:
        assert "deep" in str(refused) or "operators" in str(refused)


@pytest.mark.parametrize("piece", PIECES)
def test_a_huge_text_is_not_looked_at(piece: str) -> None:
    assert read((piece * 200_000)[:200_000]) is None


@pytest.mark.parametrize("question", ["solve sin(x) = 0", "integrate x^x", "simplify x + 1", "factorial of (1/2)"])
def test_what_has_no_closed_answer_is_declined(question: str) -> None:
    task = read(question)
    assert task is not None
    with pytest.raises(NotMaths):
        answer(json.loads(json.dumps(task.wire())))


def test_there_are_enough_questions() -> None:
    assert len(ANSWERS) >= 80
    assert len(DECLINED) >= 60
