"""voting: who is asked, what counts as the same answer, and what the result says when something is lacking."""

import asyncio

import pytest

from mixture.errors import InvalidQuery, NoAnswer
from mixture.providers.scripted import scripted
from mixture.streams import drive
from mixture.types import Answered, ExpertCard, Message, Price, Query, Quorum, Report, ResponseFormat, Sampling, Tool

ASKED = "How many legs do 3 spiders have?"


def failing(name, error="ExpertUnavailable", **more):
    return scripted(name, failure={"error": error, "message": f"{name} is down", **more})


async def test_the_majority_wins_and_everything_is_told_in_order(run):
    done = await run(
        "voting", scripted("a", "22"), scripted("b", "24 legs"), scripted("c", "It is **24**."), asked=ASKED
    )
    assert done.told == [
        ("routed", "a", "b", "c"),
        ("proposed", "a", "22"),
        ("proposed", "b", "24 legs"),
        ("proposed", "c", "It is **24**."),
        ("end", "b", "24 legs", "stop"),
    ]
    assert done.completion.agreement == pytest.approx(2 / 3)
    assert done.completion.quorum == Quorum(3, 3, 2)
    assert done.completion.degraded is None
    assert (await run("voting", scripted("a"), scripted("b"), stream=False)).told[-1] == ("proposed", "b", "ok")


async def test_proposals_are_asked_for_all_at_once_and_told_as_they_finish(run):
    gate = asyncio.Event()
    slow, fast = scripted("slow", "24", gate=gate), scripted("fast", "24")
    task = asyncio.ensure_future(run("voting", slow, fast, asked=ASKED))
    await asyncio.gather(slow.reached(started=1), fast.reached(finished=1))
    gate.set()
    assert (await task).told[1:3] == [("proposed", "fast", "24"), ("proposed", "slow", "24")]


async def test_of_equal_answers_the_cheaper_expert_s_is_given_then_the_first_listed_one_s(run):
    priced = (scripted("a", "24.", price=Price(9, 9)), scripted("b", "24", price=Price(1, 1)))
    assert (await run("voting", *priced, asked=ASKED)).completion.expert == "b"
    assert (await run("voting", scripted("a", "24."), scripted("b", "24"), asked=ASKED)).completion.expert == "a"


async def test_a_draw_goes_to_the_cheaper_expert(run):
    done = await run(
        "voting", scripted("a", "1", price=Price(9, 9)), scripted("b", "2", price=Price(1, 1)), asked=ASKED
    )
    assert (done.completion.expert, done.completion.quorum) == ("b", Quorum(2, 2, 1))


async def test_n_is_spread_over_the_experts(run):
    a, b = scripted("a", "24"), scripted("b", "24")
    query = Query((Message("user", ASKED),), Sampling(seed=7), stream=True)
    done = await run("voting", a, b, query=query, n=5)
    assert [asked.sampling.n for asked in (*a.queries, *b.queries)] == [3, 2], "one call for all of one expert"
    assert done.completion.quorum == Quorum(5, 5, 5)
    assert {asked.purpose for asked in a.queries} == {"proposer"}
    assert all(asked.stream for asked in a.queries)  # so that it is known what a call had produced when it is stopped
    whole = scripted("a", "24")
    await run("voting", whole, b, query=query, n=3, early_stop=False)
    assert not any(asked.stream for asked in whole.queries)
    single = scripted("a", "24", abilities=frozenset({"seed"}))
    assert (await run("voting", single, b, query=query, n=5)).completion.quorum == Quorum(5, 5, 5)
    assert sorted(asked.sampling.seed for asked in single.queries) == [7, 8, 9], "one that gives no choices is varied"
    fewer = await run("voting", a, b, scripted("c", "24"), asked=ASKED, n=2)
    assert fewer.told[0] == ("routed", "a", "b")


async def test_one_expert_asked_several_times_is_an_ensemble_when_n_says_so(run):
    done = await run("voting", scripted("a", ("24", "12", "24")), asked=ASKED, n=3)
    assert done.completion.quorum == Quorum(3, 3, 2)
    assert done.completion.degraded is None


async def test_a_single_expert_answers_live_and_the_result_says_degraded(run):
    done = await run("voting", scripted("a", "one two"))
    assert done.told == [("routed", "a"), ("delta", "a", "one "), ("delta", "a", "two"), ("end", "a", "", "stop")]
    assert "only one expert" in done.completion.degraded


async def test_several_choices_can_not_be_voted_on(run):
    query = Query((Message("user", ASKED),), Sampling(n=2), stream=True)
    done = await run("voting", scripted("a"), scripted("b"), query=query)
    assert len(done.completion.choices) == 2
    assert "several choices" in done.completion.degraded


async def test_a_missing_proposal_is_said(run):
    done = await run("voting", scripted("a", "24"), failing("b"), scripted("c", "24"), asked=ASKED)
    assert ("failed", "b", "b is down") in done.told
    assert done.completion.degraded == "b did not answer (b is down)"
    assert done.completion.quorum == Quorum(3, 2, 2)


async def test_fewer_than_needed_is_said(run):
    done = await run("voting", scripted("a", "24"), failing("b"), asked=ASKED)
    assert done.completion.text == "24"
    assert "1 of 2 proposals came, 2 are needed" in done.completion.degraded
    enough = await run("voting", scripted("a", "24"), failing("b"), asked=ASKED, min_successful_responses=1)
    assert "needed" not in enough.completion.degraded


async def test_too_little_agreement_is_said(run):
    three = (scripted("a", "1"), scripted("b", "2"), scripted("c", "3"))
    done = await run("voting", *three, asked=ASKED, voting_threshold=0.5)
    assert done.completion.degraded == "33% of the answers agree, 50% are required"
    assert (await run("voting", *three, asked=ASKED, voting_threshold=0.3)).completion.degraded is None
    assert (await run("voting", *three, asked=ASKED)).completion.degraded == "no two of the 3 answers agree"


async def test_who_declines_was_not_asked(run):
    done = await run("voting", scripted("a", "24"), failing("b", "Declined"), scripted("c", "24"), asked=ASKED)
    assert done.completion.quorum == Quorum(2, 2, 2)
    assert done.completion.degraded is None
    assert not any("b" in event[:2] for event in done.told[1:])


async def test_an_empty_answer_does_not_count(run):
    done = await run("voting", scripted("a", "  "), scripted("b", "24"), scripted("c", "24"), asked=ASKED)
    assert ("failed", "a", "a gave an empty answer") in done.told
    assert done.completion.quorum == Quorum(3, 2, 2)


async def test_all_failed(run):
    done = await run("voting", failing("a"), failing("b", "InvalidQuery"))
    assert isinstance(done.error, NoAnswer)
    assert sorted(done.error.causes) == [("a", "a is down"), ("b", "b is down")]
    refused = await run("voting", failing("a", "InvalidQuery"), failing("b", "InvalidQuery"))
    assert isinstance(refused.error, InvalidQuery)
    assert isinstance((await run("voting")).error, NoAnswer)


async def test_an_expert_with_a_bug_does_not_end_the_vote(run):
    class Faulty:
        card = ExpertCard("faulty", "test")

        async def stream(self, query):
            raise KeyError("oops")
            yield

    done = await run("voting", Faulty(), scripted("a", "24"), scripted("b", "24"), asked=ASKED, wrapped=True)
    assert done.completion.quorum == Quorum(3, 2, 2)


async def test_tool_calls_are_voted_on_and_come_from_one_proposal(run):
    def calling(name, arguments):
        return scripted(name, "", tool_calls=({"name": "weather", "arguments": arguments},))

    query = Query((Message("user", "How is the weather?"),), tools=(Tool("weather"),), stream=True)
    done = await run(
        "voting",
        calling("a", '{"city": "Rome"}'),
        calling("b", '{"unit": "C", "city": "Oslo"}'),
        calling("c", '{"city":"Oslo","unit":"C"}'),
        query=query,
    )
    assert [(call.name, call.arguments) for call in done.completion.tool_calls] == [
        ("weather", '{"unit": "C", "city": "Oslo"}')
    ]
    assert done.completion.finish_reason == "tool_calls"
    assert done.completion.quorum == Quorum(3, 3, 2)
    text = await run("voting", calling("a", "{}"), scripted("b", "Sunny."), scripted("c", "It rains."), query=query)
    assert not text.completion.tool_calls


async def test_json_is_voted_on_by_what_it_says(run):
    query = Query((Message("user", "Who?"),), response_format=ResponseFormat("json_object"), stream=True)
    answers = ('{"a": 1, "b": "x"}', '{"b":"x","a":2}', '```json\n{"b": "x", "a": 1.0}\n```', "no json")
    done = await run("voting", *(scripted(name, text) for name, text in zip("abcd", answers, strict=True)), query=query)
    assert done.completion.text == answers[0]
    assert done.completion.quorum == Quorum(4, 3, 2)
    assert "d does not count: its proposal is not valid JSON" in done.completion.degraded


async def test_a_persona_does_not_vote_beside_the_expert_that_it_is(run):
    def persona(name, base):
        made = scripted(name, "24")
        made.base = base
        return made

    a, b = scripted("a", "24"), scripted("b", "24")
    done = await run("voting", a, b, persona("finance", a), asked=ASKED)
    assert done.told[0] == ("routed", "a", "b")
    alone = await run("voting", a, persona("finance", a), asked=ASKED)
    assert alone.told[0] == ("routed", "a", "finance")
    listed = await run("voting", a, b, persona("finance", a), asked=ASKED, experts=("a", "finance"))
    assert listed.told[0] == ("routed", "a", "finance")


@pytest.mark.parametrize("name", ["voting", "best_of_n", "specialist"])
async def test_closing_stops_every_call(panel, name):
    from mixture.config import StrategyOptions
    from mixture.strategies import create

    gate = asyncio.Event()
    experts = [scripted("a", gate=gate, skills=("finance",)), scripted("b", gate=gate, skills=("code",))]
    made, strategy = panel(*experts, wrapped=True), create(name, StrategyOptions())
    asked = "Explain what inflation is and write a Python function that reverses a list"
    events = drive(
        lambda emit: strategy(Query((Message("user", asked),), stream=True), made, emit),
        lambda completion: Answered(completion, Report("", "")),
    )
    await anext(events)
    await asyncio.gather(*(expert.reached(started=1) for expert in experts))
    await events.aclose()
    assert [expert.counts.cancelled for expert in experts] == [1, 1]
