"""best_of_n: what is told, what wins, and that the scorer can be replaced."""

import pytest

from mixture.errors import NoAnswer, Overloaded
from mixture.providers.scripted import scripted
from mixture.types import Message, Price, Query, Quorum, Tool

ASKED = "Explain how photosynthesis turns light into sugar"
GOOD = "Photosynthesis turns light into sugar: chlorophyll absorbs it, and its energy makes sugar of carbon dioxide."


async def test_the_best_scored_proposal_wins_and_scores_are_told(run):
    experts = (
        scripted("beside", "Bananas are yellow."),
        scripted("good", GOOD),
        scripted("short", "Photosynthesis makes it."),
    )
    done = await run("best_of_n", *experts, asked=ASKED)
    kinds = [event[0] for event in done.told]
    assert kinds == ["routed", "proposed", "proposed", "proposed", "scored", "scored", "scored", "end"]
    scores = {event.expert: event.score for event in done.events[4:7]}
    assert scores["good"] > scores["short"] > scores["beside"]
    assert done.completion.expert == "good"
    assert done.completion.quorum.answered == 3
    assert done.completion.degraded is None


async def test_agreement_decides_between_answers_that_look_the_same(run):
    experts = (scripted("a", "It is 12."), scripted("b", "It is 24."), scripted("c", "It is 24."))
    done = await run("best_of_n", *experts, asked="How many legs do 3 spiders have?")
    assert done.completion.text == "It is 24."
    assert done.completion.agreement == 0.5
    assert done.completion.quorum == Quorum(3, 3, 2)


async def test_agreement_is_the_aggregators_and_counted_here_where_that_is_gone(run):
    class Partial:
        gone = False

        async def supports(self, query, proposals):
            if self.gone:
                raise Overloaded("the aggregator is not available at the moment")
            return [1.0, 0.0, 0.0]

    experts = (scripted("a", "It is 12."), scripted("b", "It is 24."), scripted("c", "It is 24."))
    asked, parts = "How many legs do 3 spiders have?", {"aggregator": Partial()}
    assert (await run("best_of_n", *experts, asked=asked, parts=parts)).completion.text == "It is 12."
    parts["aggregator"].gone = True
    done = await run("best_of_n", *experts, asked=asked, parts=parts)
    assert done.completion.text == "It is 24."
    assert "the aggregator did not answer" in done.completion.degraded


async def test_the_scorer_can_be_replaced(run):
    class Longest:
        async def score(self, query, completion):
            return len(completion.text) / 100

    experts = (scripted("short", "yes indeed"), scripted("long", "a much longer text that rambles on and on and on"))
    assert (await run("best_of_n", *experts, parts={"scorer": Longest()})).completion.expert == "long"


async def test_of_equals_the_cheaper_one_wins(run):
    experts = (scripted("dear", "same", price=Price(9, 9)), scripted("cheap", "same", price=Price(1, 1)))
    assert (await run("best_of_n", *experts)).completion.expert == "cheap"


async def test_valid_tool_calls_score_above_invalid_ones(run):
    tool = Tool("look", parameters={"type": "object", "required": ["place"]})
    query = Query((Message("user", "look there"),), tools=(tool,), stream=True)
    calls = {"broken": '{"place": ', "lacking": "{}", "right": '{"place": "here"}'}
    experts = [scripted(name, "", tool_calls=({"name": "look", "arguments": text},)) for name, text in calls.items()]
    assert (await run("best_of_n", *experts, query=query)).completion.expert == "right"


async def test_n_proposals_of_one_expert(run):
    done = await run("best_of_n", scripted("a", ("", GOOD, "Plants.")), asked=ASKED, n=3)
    assert done.completion.text == GOOD
    assert "empty answer" in done.completion.degraded


@pytest.mark.parametrize("failures", [1, 2])
async def test_failures(run, failures):
    experts = [scripted(f"f{i}", failure={"error": "RateLimited"}) for i in range(failures)]
    done = await run("best_of_n", *experts, *([scripted("a")] * (2 - failures)))
    if failures == 2:
        assert isinstance(done.error, NoAnswer)
    else:
        assert done.completion.expert == "a"
        assert "2 are needed" in done.completion.degraded


async def test_a_single_expert_is_degraded(run):
    done = await run("best_of_n", scripted("a"))
    assert done.told == [("routed", "a"), ("delta", "a", "ok"), ("end", "a", "", "stop")]
    assert "only one expert" in done.completion.degraded
