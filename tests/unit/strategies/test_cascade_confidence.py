"""cascade with `confidence`: it goes up until the experts agree enough."""

import pytest

from mixture.aggregation.learning import Poll, from_labels
from mixture.aggregation.majority import Majority
from mixture.errors import NoAnswer
from mixture.providers.scripted import scripted
from mixture.types import Price, Quorum

ASKED = "How many legs do 3 spiders have?"


def priced(name, text, dollars):
    return scripted(name, text, price=Price(dollars, dollars))


def failing(name, dollars):
    return scripted(name, failure={"error": "ExpertUnavailable", "message": "down"}, price=Price(dollars, dollars))


async def test_two_cheap_ones_that_agree_are_enough(run):
    dear = priced("dear", "24", 9)
    done = await run("cascade", dear, priced("a", "24 legs", 1), priced("b", "24", 2), asked=ASKED, confidence=0.9)
    assert done.told == [
        ("routed", "a", "b", "dear"),
        ("proposed", "a", "24 legs"),
        ("proposed", "b", "24"),
        ("end", "b", "24", "stop"),
    ]
    assert (done.completion.agreement, done.completion.quorum) == (1.0, Quorum(2, 2, 2))
    assert done.completion.degraded is None
    assert dear.counts.started == 0


async def test_who_disagree_are_settled_by_the_next(run):
    experts = [priced("a", "22", 1), priced("b", "24", 2), priced("c", "24", 3), priced("d", "24", 4)]
    done = await run("cascade", *experts, asked=ASKED, confidence=0.6)
    assert (done.completion.expert, done.completion.quorum) == ("c", Quorum(3, 3, 2))
    assert experts[3].counts.started == 0


async def test_at_the_end_the_dearest_of_equals_and_it_is_said(run):
    experts = [priced("a", "22", 1), priced("b", "23", 2), priced("c", "24", 3)]
    done = await run("cascade", *experts, asked=ASKED, confidence=0.6)
    assert done.completion.expert == "c"
    assert done.completion.degraded == "not reached: an answer is right with 60%"


async def test_who_fails_is_replaced_by_the_next(run):
    experts = [failing("a", 1), priced("b", "24", 2), priced("c", "24", 3), priced("d", "24", 4)]
    done = await run("cascade", *experts, asked=ASKED, confidence=0.9)
    assert done.completion.quorum == Quorum(3, 2, 2)
    assert done.completion.degraded == "a did not answer (down)"
    assert experts[3].counts.started == 0
    lost = await run("cascade", failing("a", 1), failing("b", 2), asked=ASKED, confidence=0.9)
    assert isinstance(lost.error, NoAnswer)


async def test_a_learned_confidence_decides(run):
    rows = [
        Poll({"a": "x", "b": "y"}, "", {"a": 1.0, "b": 0.0}) if i % 10 else Poll({"a": "y"}, "", {"a": 0.0})
        for i in range(300)
    ]
    parts = {"aggregator": Majority(None, from_labels(rows))}
    experts = [priced("a", "24", 1), priced("b", "22", 2), priced("c", "22", 3)]
    options = {"asked": ASKED, "confidence": 0.6, "weights": "learned", "parts": parts}
    done = await run("cascade", *experts, **options)
    assert done.completion.expert == "a"
    assert done.completion.confidence > 0.6
    assert experts[2].counts.started == 0
    alone = await run("cascade", *experts, **options, n=1)
    assert alone.completion.quorum == Quorum(1, 1, 1)


async def test_until_one_answer_is_ahead(run):
    experts = [priced(name, text, 1) for name, text in zip("abcdef", ("1", "2", "2", "1", "1", "1"), strict=True)]
    done = await run("cascade", *experts, asked=ASKED, lead=2, fallback_order=tuple("abcdef"))
    assert done.completion.expert == "a"
    assert done.completion.quorum == Quorum(6, 6, 4)
    assert done.events[0].route.why == "in the configured order, until an answer is 2 votes ahead"
    early = await run("cascade", *experts, asked=ASKED, lead=1, fallback_order=tuple("abcdef"))
    assert early.completion.quorum == Quorum(1, 1, 1)
    never = await run("cascade", *experts[:2], asked=ASKED, lead=2, fallback_order=("a", "b"))
    assert (never.completion.expert, never.completion.degraded) == ("a", "not reached: an answer is 2 votes ahead")


@pytest.mark.parametrize("stream", [True, False])
async def test_one_expert_is_a_plain_cascade(run, stream):
    done = await run("cascade", priced("a", "24", 1), asked=ASKED, confidence=0.9, stream=stream)
    assert (done.completion.text, done.completion.confidence) == ("24", None)


async def test_of_equal_answers_the_first_in_the_configured_order_counts_whatever_it_costs(run):
    experts = [scripted(name, text, price=Price(cost, cost)) for name, text, cost in (("a", "7", 2), ("b", "8", 1))]
    question = "How many days does a week have?"
    done = await run("cascade", *experts, asked=question, fallback_order=("a", "b"), lead=2, n=2, early_stop=False)
    assert done.completion.text == "7"
