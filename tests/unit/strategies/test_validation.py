"""Proposals that do not count, in every strategy that asks for several."""

import pytest

from mixture.errors import NoAnswer
from mixture.providers.scripted import scripted
from mixture.types import Message, Query, Quorum, ResponseFormat

ASKED = "How many legs does a spider have?"
REFUSAL = "I'm sorry, but I can't help with that."


@pytest.mark.parametrize("name", ["voting", "best_of_n"])
async def test_refusals_and_cut_texts_do_not_vote(run, name):
    experts = (
        scripted("refuses", REFUSAL),
        scripted("other", REFUSAL),
        scripted("cut", "It has 6", finish_reason="length"),
        scripted("good", "It has 8."),
        scripted("fine", "8"),
    )
    done = await run(name, *experts, asked=ASKED)
    assert done.completion.text in ("It has 8.", "8")
    assert done.completion.quorum == Quorum(5, 2, 2)
    assert "refuses does not count: its proposal is a refusal" in done.completion.degraded
    assert "cut does not count: its proposal was cut off at its maximum length" in done.completion.degraded
    assert ("failed", "refuses", "its proposal is a refusal") in done.told


@pytest.mark.parametrize("name", ["voting", "best_of_n"])
async def test_when_none_counts_the_least_bad_are_left_and_it_is_said(run, name):
    experts = (
        scripted("refuses", REFUSAL),
        scripted("cut", "It has 8, because", finish_reason="length"),
        scripted("silent", ""),
    )
    done = await run(name, *experts, asked=ASKED)
    assert done.completion.expert == "cut"
    assert done.completion.quorum == Quorum(3, 0, 0)
    assert "no proposal counts: the least bad one is given" in done.completion.degraded


@pytest.mark.parametrize("name", ["voting", "best_of_n"])
async def test_when_nothing_came_there_is_no_answer(run, name):
    done = await run(name, scripted("a", ""), scripted("b", " "), asked=ASKED)
    assert isinstance(done.error, NoAnswer)


async def test_a_cascade_goes_on_past_what_does_not_count(run):
    experts = (scripted("a", REFUSAL), scripted("b", REFUSAL), scripted("c", "8"), scripted("d", "8"))
    options = {"lead": 2, "fallback_order": ("a", "b", "c", "d")}
    done = await run("cascade", *experts, asked=ASKED, **options)
    assert (done.completion.text, done.completion.quorum) == ("8", Quorum(4, 2, 2))
    only = await run("cascade", *experts[:2], asked=ASKED, **options)
    assert only.completion.text == REFUSAL
    assert "no proposal counts" in only.completion.degraded


async def test_answers_against_the_schema_do_not_vote(run):
    schema = {"type": "object", "properties": {"legs": {"type": "integer"}}, "required": ["legs"]}
    query = Query((Message("user", ASKED),), response_format=ResponseFormat("json_schema", schema=schema), stream=True)
    answers = ('{"legs": "eight"}', '{"legs": "eight"}', '{"legs": 8}')
    done = await run("voting", *(scripted(n, text) for n, text in zip("abc", answers, strict=True)), query=query)
    assert done.completion.text == '{"legs": 8}'
    assert "a does not count: its proposal does not fit the schema (legs: integer expected)" in done.completion.degraded
