"""Answers to questions that mean the same: found, refused, judged, switched off."""

import asyncio

import pytest

from mixture import Mixture
from mixture.caching import CacheWish
from mixture.caching.meaning.trust import Trust, upper_bound
from mixture.models import Wishes
from mixture.trace import Trace
from mixture.types import Caller, Message, Query, Sampling


def mixture_of(text="the answer", **semantic):
    experts = [{"name": "a", "provider": "scripted", "options": {"text": text}}]
    return Mixture.from_config({"experts": experts, "cache": {"semantic": {"mode": "on", "recheck": 0, **semantic}}})


def asked(text, *before, request_id=None, **sampling):
    messages = [Message("user" if place % 2 == 0 else "assistant", said) for place, said in enumerate(before)]
    sampling = Sampling(temperature=0, **sampling)
    return Query((*messages, Message("user", text)), sampling=sampling, request_id=request_id)


async def kind(mixture, query, caller=None):
    trace = Trace(caller=caller) if caller is not None else Trace()
    answer = await mixture.answer(query, "a", trace=trace)
    return "miss" if answer.report.recalled is None else answer.report.recalled.kind


async def test_a_question_that_means_the_same_gets_the_same_answer():
    mixture = mixture_of()
    assert await kind(mixture, asked("How can I repair a flat tyre?")) == "miss"
    trace = Trace()
    answer = await mixture.answer(asked("How do I fix a flat tyre?"), "a", trace=trace)
    assert (answer.text, answer.report.recalled.kind, trace.cache) == ("the answer", "semantic", "semantic")
    assert 0.6 < answer.report.recalled.similarity < 1
    assert answer.report.calls == ()


@pytest.mark.parametrize(
    "other",
    [
        asked("How can I repair two flat tyres?"),
        asked("How can I not repair a flat tyre?"),
        asked("Why can I repair a flat tyre?"),
        asked("How can I repair a flat tyre?", "My bike is broken", "Sorry to hear that"),
        asked("How do I fix a flat tyre?", max_tokens=5),
    ],
)
async def test_what_differs_is_another_question(other):
    mixture = mixture_of()
    await kind(mixture, asked("How can I repair a flat tyre?"))
    assert await kind(mixture, other) == "miss"


async def test_another_caller_s_questions_are_not_looked_at():
    mixture = mixture_of()
    await kind(mixture, asked("How can I repair a flat tyre?"), Caller("one"))
    assert await kind(mixture, asked("How do I fix a flat tyre?"), Caller("two")) == "miss"
    assert await kind(mixture, asked("How do I fix a flat tyre?"), Caller("one")) == "semantic"


async def test_it_is_off_unless_it_is_configured():
    mixture = mixture_of(mode="off")
    await kind(mixture, asked("How can I repair a flat tyre?"))
    assert await kind(mixture, asked("How do I fix a flat tyre?")) == "miss"


async def test_a_request_can_do_without():
    mixture = mixture_of()
    await kind(mixture, asked("How can I repair a flat tyre?"))
    wishes = Wishes(cache=CacheWish(semantic=False))
    answer = await mixture.answer(asked("How do I fix a flat tyre?"), "a", wishes)
    assert answer.report.recalled is None


async def test_an_answer_that_is_judged_wrong_is_not_given_again():
    mixture = mixture_of()
    await kind(mixture, asked("How can I repair a flat tyre?"))
    assert await kind(mixture, asked("How do I fix a flat tyre?", request_id="r1")) == "semantic"
    semantic = mixture.cache.semantic
    assert not semantic.noted("somebody else", "r1", 0.0)
    assert semantic.noted("local", "r1", 0.0)
    assert not semantic.noted("local", "r1", 1.0)
    assert await kind(mixture, asked("How do I mend a flat tyre?")) == "miss"
    (facts,) = semantic.trust.facts().values()
    assert facts["threshold"] > 0.6


async def test_a_share_of_the_hits_is_asked_again_at_nobody_s_cost():
    mixture = mixture_of(text=["Patch the tube.", "Buy a new car."], recheck=1)
    await kind(mixture, asked("How can I repair a flat tyre?"))
    trace = Trace()
    await mixture.answer(asked("How do I fix a flat tyre?"), "a", trace=trace)
    assert trace.calls == []
    await asyncio.gather(*mixture.cache._behind)
    (facts,) = mixture.cache.semantic.trust.facts().values()
    assert (facts["judged"], facts["threshold"] > 0.6) == (0, True)


async def test_shadow_measures_and_gives_nothing():
    mixture = mixture_of(text=["Patch the tube.", "Patch the tube.", "Sell it."], mode="shadow")
    await kind(mixture, asked("How can I repair a flat tyre?"))
    assert await kind(mixture, asked("How do I fix a flat tyre?")) == "miss"
    (facts,) = mixture.cache.semantic.trust.facts().values()
    assert (facts["judged"], facts["false"]) == (1, 0)


def test_bounds_are_those_of_clopper_and_pearson():
    # Exact binomial tail probabilities: 1 - 0.05 ** (1 / n) where nothing was wrong.
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert (upper_bound(0, 0), upper_bound(4, 4)) == (1.0, 1.0)
    assert 0.04 < upper_bound(2, 50) < 0.13


def test_a_threshold_rises_above_false_hits():
    trust = Trust(0.6, 0.02)
    for _ in range(30):
        trust.judge("law", 0.95, right=True)
    trust.judge("law", 0.7, right=False)
    domain = trust.domain("law")
    assert (0.7 < domain.threshold < 0.71, domain.off) == (True, False)
    assert trust.domain("chat").threshold == 0.6


def test_a_false_hit_of_what_could_not_be_more_alike_switches_its_domain_off_and_not_for_ever():
    trust = Trust(0.6, 0.02)
    trust.judge("law", 1.0, right=False)
    assert (trust.domain("law").off, trust.domain("law").threshold) == (True, 0.6)
    for _ in range(60):
        trust.judge("law", 0.8, right=True)
    assert not trust.domain("law").off


def test_a_domain_is_switched_off_where_no_threshold_helps_and_comes_back():
    trust = Trust(0.6, 0.02)
    for score in (0.99, 1.0, 1.0):
        trust.judge("law", score, right=False)
    assert trust.domain("law").off
    assert not trust.domain("chat").off
    for _ in range(400):
        trust.judge("law", 1.0, right=True)
    facts = trust.facts()["law"]
    assert not facts["off"]
    assert 0 < facts["false_hit_rate"] < facts["upper_bound"] <= 0.02
