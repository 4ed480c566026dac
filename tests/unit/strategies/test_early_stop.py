"""Ensembles end when the rest can't change their answer or their time is over; what is lacking is asked for again."""

import asyncio
import time

import pytest

from mixture.aggregation.majority import Majority
from mixture.aggregation.reliability import Reliability, Standing
from mixture.envelope import within
from mixture.errors import BudgetExceeded, ExpertUnavailable, NoAnswer
from mixture.metering import metered
from mixture.providers.scripted import scripted
from mixture.types import (
    Adjusted,
    Choice,
    Completion,
    Limits,
    Message,
    Price,
    Query,
    Quorum,
    ResponseFormat,
    Sampling,
)

ASKED = "How many legs do 3 spiders have?"
CHEAP, DEAR = Price(1, 1), Price(100, 100)


def held(name, text="24", **more):
    """An expert that never begins to answer."""
    return scripted(name, text, gate=asyncio.Event(), **more)


def failing(name, error="ExpertUnavailable", **more):
    return scripted(name, failure={"error": error, "message": f"{name} is down", **more})


def adjusted(done):
    return [(event.kind, *event.experts) for event in done.events if isinstance(event, Adjusted)]


def by(deadline, **more):
    return Query((Message("user", ASKED),), limits=Limits(deadline=time.time() + deadline), stream=True, **more)


async def test_a_decided_vote_stops_the_others(run):
    late = held("d"), held("e")
    done = await run("voting", *(scripted(name, "24") for name in "abc"), *late, asked=ASKED, wrapped=True)
    assert done.completion.text == "24"
    assert done.completion.degraded is None
    assert done.completion.quorum == Quorum(5, 3, 3)
    assert adjusted(done) == [("cancelled", "d", "e")]
    assert [expert.counts.cancelled for expert in late] == [1, 1]


async def test_calls_that_were_stopped_are_metered(run):
    slow = scripted("c", "word " * 1_000, rate=200, price=CHEAP)
    gate = asyncio.Event()
    fast = scripted("a", "24", gate=gate), scripted("b", "24", gate=gate)
    with metered(calls := []):
        task = asyncio.ensure_future(run("voting", *fast, slow, asked=ASKED, wrapped=True))
        await slow.reached(tokens=3)
        gate.set()
        assert (await task).completion.text == "24"
    (stopped,) = [call for call in calls if call.expert == "c"]
    assert (stopped.outcome, stopped.usage.estimated) == ("cancelled", True)
    assert stopped.usage.completion_tokens >= 3
    assert stopped.cost_usd > 0


async def test_nobody_is_stopped_while_the_vote_can_still_turn(run):
    gate = asyncio.Event()
    last = scripted("c", "30", gate=gate), scripted("d", "30", gate=gate)
    task = asyncio.ensure_future(run("voting", scripted("a", "24"), scripted("b", "24"), *last, asked=ASKED))
    await asyncio.gather(*(expert.reached(started=1) for expert in last))
    gate.set()
    done = await task
    assert done.completion.quorum == Quorum(4, 4, 2)
    assert adjusted(done) == []


async def test_weights_decide_when_a_vote_is_decided(run):
    heavy = scripted("a", "24")
    done = await run("voting", heavy, held("b"), scripted("c", "24"), held("d"), asked=ASKED, weights={"a": 9})
    assert adjusted(done) == [("cancelled", "b", "d")]


async def test_the_threshold_and_the_least_number_are_waited_for(run):
    gate = asyncio.Event()
    for options in ({"voting_threshold": 0.9}, {"min_successful_responses": 4}, {"early_stop": False}):
        last = scripted("d", "24", gate=gate)
        task = asyncio.ensure_future(
            run("voting", *(scripted(name, "24") for name in "abc"), last, asked=ASKED, **options)
        )
        await last.reached(started=1)
        gate.set()
        assert (await task).completion.quorum == Quorum(4, 4, 4)


async def test_a_share_that_agrees_is_enough_where_it_is_set(run):
    five = scripted("a", "24"), scripted("b", "24"), held("c"), held("d"), held("e")
    done = await run("voting", *five, asked=ASKED, early_stop=0.9)
    assert adjusted(done) == [("cancelled", "c", "d", "e")]
    best = await run("best_of_n", *five[:2], held("c"), asked=ASKED, early_stop=0.9)
    assert adjusted(best) == [("cancelled", "c")]
    assert best.completion.degraded is None


async def test_best_of_n_does_not_vote_and_waits_for_all(run):
    done = await run("best_of_n", *(scripted(name, "24") for name in "abc"), asked=ASKED)
    assert (done.completion.quorum, adjusted(done)) == (Quorum(3, 3, 3), [])


async def test_a_batch_of_a_cascade_ends_when_it_agrees(run):
    done = await run("cascade", scripted("a", "24"), scripted("b", "24"), held("c"), asked=ASKED, n=3, lead=2)
    assert (done.completion.text, adjusted(done)) == ("24", [("cancelled", "c")])


def said(*answers):
    return [Completion(name, (Choice(answer),)) for name, answer in zip("abcdef", answers, strict=False)]


@pytest.mark.parametrize(
    ("answers", "pending", "decided"),
    [
        (["24", "24"], "c", True),
        (["24", "24"], "cd", False),
        (["24", "24", "30"], "d", False),  # it could become a draw
        (["24", "24", "24", "30"], "e", True),
        (["24"], "b", False),
        (["24", "30"], "", True),
    ],
)
async def test_when_a_vote_is_decided(answers, pending, decided):
    query = Query((Message("user", ASKED),))
    assert (await Majority().aggregate(query, said(*answers), pending=pending)).decided is decided


async def test_learned_weights_decide_too():
    query = Query((Message("user", ASKED),))
    learned = Reliability({"a": Standing(0.9, 100, 4.0), "d": Standing(0.9, 100, 9.0)}, common=1.0)
    majority = Majority(reliability=learned)
    assert (await majority.aggregate(query, said("24", "30"), "learned", pending=["c"])).decided
    assert not (await majority.aggregate(query, said("24", "30"), "learned", pending=["d"])).decided


async def test_at_the_soft_deadline_the_answer_goes_on_with_what_came(run):
    slow = held("c")
    done = await run("voting", scripted("a", "24"), scripted("b", "30"), slow, query=by(3), wrapped=True)
    assert done.completion.text == "24"
    assert "c did not answer (it was not done when the time for proposals was over)" in done.completion.degraded
    assert (adjusted(done), slow.counts.cancelled) == ([("cancelled", "c")], 1)


async def test_without_any_answer_the_soft_deadline_does_not_count(run):
    done = await run("voting", held("a"), held("b"), query=by(0.1), wrapped=True)
    assert done.error.status == 504


async def test_too_few_answers_are_an_error_where_it_is_asked_for(run):
    done = await run("voting", scripted("a", "24"), failing("b"), asked=ASKED, on_partial="reject")
    assert isinstance(done.error, NoAnswer)
    assert (done.error.status, done.error.code) == (502, "too_few_answers")
    assert done.error.message == "1 of 2 proposals came, 2 are needed (b: b is down)"
    declined = await run("voting", scripted("a", "24"), failing("b", "Declined"), asked=ASKED, on_partial="reject")
    assert declined.error.status == 422


async def test_spare_experts_are_asked_where_it_is_asked_for(run):
    experts = scripted("a", "24"), failing("b"), scripted("c", "24"), scripted("d", "24")
    done = await run("voting", *experts, asked=ASKED, n=2, on_partial="retry")
    assert adjusted(done) == [("retried", "c")]
    assert done.completion.quorum == Quorum(3, 2, 2)
    assert experts[3].counts.started == 0


async def test_without_spares_those_who_failed_are_asked_again(run):
    again = failing("b", calls=1)
    done = await run("voting", scripted("a", "24"), again, asked=ASKED, on_partial="retry")
    assert (adjusted(done), again.counts.started) == ([("retried", "b")], 2)
    assert done.completion.quorum.answered == 2


def limited(dollars, **more):
    query = Query((Message("user", ASKED),), Sampling(max_tokens=100), stream=True, **more)
    return {"query": query, "max_cost_usd": dollars, "wrapped": True}


async def test_a_budget_that_does_not_suffice_means_fewer_proposals(run):
    experts = [
        scripted(name, "24", price=price) for name, price in zip("abcd", (DEAR, CHEAP, CHEAP, None), strict=True)
    ]
    with metered(calls := []):
        done = await run("voting", *experts, **limited(0.0005))
    assert sorted(call.expert for call in calls) == ["b", "c"]
    assert adjusted(done) == [("shrunk", "a", "d")]
    assert done.completion.degraded == "2 of 4 proposals are asked for: 0.0005 USD pay for no more"
    assert done.completion.quorum == Quorum(2, 2, 2)


async def test_a_budget_for_one_means_one_expert(run):
    experts = scripted("a", "24", price=DEAR), scripted("b", "24", price=CHEAP)
    done = await run("best_of_n", *experts, **limited(0.0005))
    assert (done.completion.expert, done.completion.text) == ("b", "24")
    assert done.completion.degraded.startswith("one expert answered instead of several: 1 of 2 proposals")


@pytest.mark.parametrize("name", ["voting", "best_of_n", "cascade"])
async def test_a_budget_for_none_is_an_error_and_no_call(run, name):
    experts = scripted("a", price=DEAR), scripted("b", price=DEAR)
    done = await run(name, *experts, **limited(0.0005), **({"lead": 2} if name == "cascade" else {}))
    assert isinstance(done.error, BudgetExceeded)
    assert [expert.counts.started for expert in experts] == [0, 0]


async def test_each_proposal_gets_its_share(run):
    experts = [scripted(name, "24", price=CHEAP) for name in "abc"]
    query = Query((Message("user", ASKED),), stream=True)
    with within(0.1):
        await run("voting", *experts, query=query, max_cost_usd=0.006, wrapped=True)
    caps = [expert.queries[0].sampling.max_tokens for expert in experts]
    assert len(set(caps)) == 1
    assert 1_900 < caps[0] < 2_000


PARTS = "Explain what inflation is and write a Python function that reverses a list"


def two(price=None, **more):
    return (
        scripted("analyst", "prices rise", skills=("finance",), price=price),
        scripted("coder", "def f(): ...", skills=("code",), price=price, **more),
    )


class OnlyProse:
    """An expert that fails at code."""

    def __init__(self, name, skill):
        self._inner = scripted(name, "prices rise", skills=(skill,))
        self.card = self._inner.card

    def stream(self, query):
        if query.text.lower().startswith("write a python"):
            raise ExpertUnavailable("no code from me", expert=self.card.name)
        return self._inner.stream(query)


@pytest.mark.parametrize("name", ["specialist", "decomposition"])
async def test_a_part_without_an_answer_is_an_error_where_it_is_asked_for(run, name):
    experts = OnlyProse("analyst", "finance"), OnlyProse("coder", "code")
    kept = await run(name, *experts, asked=PARTS, stream=False)
    assert "got no answer" in kept.completion.degraded
    done = await run(name, *experts, asked=PARTS, stream=False, on_partial="reject")
    assert (done.error.code, done.error.status) == ("too_few_answers", 502)
    assert "1 of 2 parts of the request got no answer" in done.error.message


async def test_operations_share_the_budget(run):
    experts = two(CHEAP)
    done = await run("specialist", *experts, asked=PARTS, max_cost_usd=0.01, wrapped=True)
    assert done.completion.text == "prices rise\n\ndef f(): ..."
    caps = [expert.queries[0].sampling.max_tokens for expert in experts]
    assert all(4_000 < cap < 5_000 for cap in caps)


async def test_operations_that_are_too_dear_together_are_answered_by_one_expert(run):
    done = await run("specialist", *two(CHEAP), asked=PARTS, max_cost_usd=0.0009, wrapped=True)
    assert "answering 2 operations apart is expected to cost more" in done.completion.degraded
    assert adjusted(done) == [("shrunk",)]


async def test_an_object_made_field_by_field_waits_for_all():
    asked = Query((Message("user", "Who?"),), response_format=ResponseFormat("json_object"))
    answers = ['{"a": 1, "tags": ["x"]}', '{"a": 1, "tags": ["x"]}', '{"a": 1, "tags": ["x"]}']
    assert not (await Majority().aggregate(asked, said(*answers), pending=["d"])).decided
    assert (await Majority().aggregate(asked, said(*answers))).decided
