"""Several proposals of one expert: in one call where it gives choices, and none of them the same by force."""

from mixture.dispatch.samples import TEMPERATURE
from mixture.mixture import Mixture
from mixture.providers.scripted import scripted
from mixture.simulation import StandIn
from mixture.types import Message, Query, Quorum, Sampling

ASKED = "How many legs do 3 spiders have?"


async def test_one_call_for_all_proposals_of_an_expert_that_gives_choices(run):
    a = scripted("a", ("24", "12", "24"))
    done = await run("voting", a, asked=ASKED, n=3)
    assert (a.counts.started, a.queries[0].sampling.n) == (1, 3)
    assert [event[2] for event in done.told[1:4]] == ["24", "12", "24"]
    assert done.completion.quorum == Quorum(3, 3, 2)
    assert done.completion.text == "24"


async def test_a_choice_that_says_nothing_is_one_proposal_less(run):
    done = await run("voting", scripted("a", ("24", " ", "24")), asked=ASKED, n=3)
    assert done.completion.quorum == Quorum(3, 2, 2)
    assert done.completion.degraded == "a did not answer (a gave an empty answer)"


async def test_a_call_that_fails_is_as_many_proposals_less_and_said_once(run):
    broken = scripted("a", failure={"error": "ExpertUnavailable", "message": "a is down"})
    done = await run("voting", broken, scripted("b", "24"), asked=ASKED, n=4)
    assert done.completion.quorum == Quorum(4, 2, 2)
    assert done.completion.degraded == "a did not answer (a is down)"


async def test_at_temperature_zero_they_would_all_be_the_same(run):
    query = Query((Message("user", ASKED),), Sampling(temperature=0.0))
    a, b = scripted("a", "24"), scripted("b", "24")
    await run("voting", a, b, query=query, n=3)
    assert [asked.sampling.temperature for asked in a.queries] == [TEMPERATURE]
    assert [asked.sampling.temperature for asked in b.queries] == [0.0], "who proposes once is asked as was wished"


async def test_the_prompt_of_one_call_is_paid_for_once():
    with StandIn(text=("24 legs", "12 legs", "24 legs")) as upstream:
        facts = {"name": "a", "provider": "openai", "model": "m", "base_url": upstream.base_url, "api_key": "none"}
        mixture = Mixture.from_config({"experts": [facts], "strategies": {"voting": {"n": 3}}})
        answer = await mixture.answer(ASKED, "voting")
        await mixture.close()
    assert answer.text == "24 legs"
    assert upstream.stats.requests == 1
    assert answer.report.usage.prompt_tokens == upstream.stats.prompt_tokens == 7
    assert answer.report.usage.completion_tokens == upstream.stats.completion_tokens == 6
