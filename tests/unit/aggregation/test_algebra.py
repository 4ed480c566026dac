"""What values can't tell, SymPy decides: in a process of its own, in bounded time."""

import asyncio
import time

import pytest

from mixture.aggregation import equality, make_aggregator
from mixture.aggregation.composing import Composing
from mixture.aggregation.equality import Arbiter
from mixture.aggregation.majority import Majority
from mixture.aggregation.normalisation import normalised
from mixture.providers.symbolic.workers import Bounds
from mixture.types import Choice, Completion, Message, Query

SAME = [
    ("(x+1)^2", "x^2+2x+1"),
    (r"\sin(2x)", r"2\sin x\cos x"),
    (r"\sin^2 x + \cos^2 x", "1"),
    (r"\sqrt{x^2}", "|x|"),
    (r"\ln(x^2)", r"2\ln|x|"),
    (r"x^{1/2}", r"\sqrt{x}"),
    (r"\frac{1}{\sqrt{x}+1}", r"\frac{\sqrt{x}-1}{x-1}"),
    (r"\sqrt{5+2\sqrt6}", r"\sqrt2+\sqrt3"),
    (r"x^{2/3}", r"\sqrt[3]{x^2}"),
    ("2^{100}", "1267650600228229401496703205376"),
    ("9^{20}", "3^{40}"),
    ("25!", r"24! \cdot 25"),
    (r"\pi", "3.141593"),
    (r"\{|x|, 1\}", r"\{1, \sqrt{x^2}\}"),
    (r"(\ln(xy), 2^{100})", r"(\ln(yx), 2^{100})"),
    (r"x = \pm 2", r"\{-2, 2\}"),
    (r"1 \pm \sqrt{3}", r"1+\sqrt3, 1-\sqrt3"),
    (r"\begin{pmatrix} 1 & \frac{4}{2} \\ 3 & 4 \end{pmatrix}", r"\left(\begin{array}{cc}1&2\\3&2^2\end{array}\right)"),
]
DIFFERENT = [
    (r"2\sqrt{x^2}", "2x"),
    (r"\ln(x^2)", r"2\ln x"),
    ("|x-5|", "5-x"),
    (r"\sqrt{x}\sqrt{y}", r"\sqrt{xy}"),
    (r"\arctan x + \arctan(1/x)", r"\frac{\pi}{2}"),
    ("355/113", r"\pi"),
    ("2^{100}", "1267650600228229401496703205377"),
    (r"(\sqrt{x^2}+1, 1)", "(x+1, 1)"),
    (r"[0, 2\sqrt{x^2})", "[0, 2x)"),
    (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    ("9^{9^9}", "9^{9^8}"),
]
HOSTILE = [
    ("9**9**9", "9**9**8"),
    ("((" * 19 + "x" + "))" * 19, "(" * 200 + "x" + ")" * 200),
    ("100!^{100!}", "99!^{100!}"),
    (r"\sqrt{" * 12 + "x" + "}" * 12, r"\sqrt{" * 13 + "x" + "}" * 13),
    ("+".join(rf"\sqrt{{{n}}}" for n in range(2, 30)), "+".join(rf"\sqrt{{{n}}}" for n in range(29, 1, -1))),
    ("|" + "|+|".join(f"x-{n}" for n in range(20)) + "|", "+".join(f"|x-{n}|" for n in range(19, -1, -1))),
    (r"(x+y+z+a+b+c)^{99}\sqrt{x}", r"\sqrt{x}(x+y+z+a+b+c)^{98}(x+y+z+a+b+c)"),
]


def said(*texts):
    return [Completion(f"e{n}", (Choice(rf"The answer is \boxed{{{text}}}"),)) for n, text in enumerate(texts)]


QUERY = Query((Message("user", "Which one is it?"),))


async def agreed(*texts):
    """How many of the texts give the answer that most of them give."""
    arbiter = Arbiter(Bounds(seconds=20, processes=1))
    aggregator = Majority(arbiter=arbiter)
    try:
        return (await aggregator.aggregate(QUERY, said(*texts))).agreed
    finally:
        await aggregator.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Time enough for a machine that does much else, and nothing known from before."""
    monkeypatch.setattr(equality, "SECONDS", 60.0)
    monkeypatch.setattr(equality, "MOST", 100)
    equality._facts.clear()


@pytest.fixture(scope="module")
def verdicts():
    """All pairs, decided by one process."""

    async def decide():
        aggregator = Majority(arbiter=Arbiter(Bounds(seconds=20, processes=1)))
        found = {}
        for pair in SAME + DIFFERENT:
            found[pair] = (await aggregator.aggregate(QUERY, said(*pair))).agreed == 2
        await aggregator.close()
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(equality, "SECONDS", 120.0)
        return asyncio.run(decide())


@pytest.mark.parametrize("pair", SAME, ids=str)
def test_the_same(verdicts, pair):
    assert verdicts[pair]


@pytest.mark.parametrize("pair", DIFFERENT, ids=str)
def test_not_the_same(verdicts, pair):
    assert not verdicts[pair]


async def test_support_is_counted_by_what_was_found():
    aggregator = Composing(Majority(arbiter=Arbiter(Bounds(seconds=20, processes=1))))
    try:
        assert await aggregator.supports(QUERY, said("355/113", r"\pi", "pi")) == [0.0, 0.5, 0.5]
    finally:
        await aggregator.close()
    equality._facts.clear()
    assert await Majority().supports(QUERY, said("355/113", r"\pi", "pi")) == [1.0, 1.0, 1.0]


def test_a_vote_is_counted_by_what_was_found():
    texts = [r"2\sqrt{x^2}", "2x", "2|x|", "x+x", r"|2x|"]
    assert asyncio.run(agreed(*texts)) == 3


def test_hostile_answers_take_no_longer_than_they_may():
    async def decide():
        arbiter = Arbiter(Bounds(seconds=2, processes=1))
        await arbiter._warm()
        begun = time.perf_counter()
        for pair in HOSTILE:
            await Majority(arbiter=arbiter).aggregate(QUERY, said(*pair))
        await arbiter.close()
        return time.perf_counter() - begun

    assert asyncio.run(decide()) < 60 * len(HOSTILE)  # that it ends is what is asked


def test_a_request_does_not_wait_for_the_process_to_start(monkeypatch):
    async def decide():
        aggregator = make_aggregator(None)
        monkeypatch.setattr(equality, "SECONDS", 0.0)
        first = (await aggregator.aggregate(QUERY, said(r"2\sqrt{x^2}", "2x"))).agreed
        await aggregator._votes._arbiter._warming  # it goes on starting while nobody waits
        monkeypatch.setattr(equality, "SECONDS", 60.0)
        second = (await aggregator.aggregate(QUERY, said(r"2\sqrt{x^2}", "2x"))).agreed
        await aggregator.close()
        return first, second

    assert asyncio.run(decide()) == (2, 1)


def test_what_needs_no_algebra_starts_nothing():
    async def decide():
        aggregator = make_aggregator(None)
        for pair in [("5", "6"), ("1/2", "0.5"), (r"2\pi", r"\pi + \pi"), ("yes", "no"), ("x^2", "x*x")]:
            await aggregator.aggregate(QUERY, said(*pair))
        return aggregator._votes._arbiter._warming

    assert asyncio.run(decide()) is None


def test_signs_of_plus_or_minus_make_sets():
    assert normalised("2 \u00b1 1", "free") == normalised("3, 1", "free") == "{1, 3}"
