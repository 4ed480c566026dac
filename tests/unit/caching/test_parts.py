"""Parts of an answer that are kept by themselves: what failed is all that is made again."""

from dataclasses import replace

import pytest

from mixture import Mixture
from mixture.caching import CacheWish
from mixture.models import Wishes
from mixture.types import Message, Query, Sampling

PLAN = "Explain what inflation is and write Python code that computes it"
ZERO = Sampling(temperature=0)


def expert(name, **options):
    skills = options.pop("skills", [])
    return {"name": name, "provider": "scripted", "skills": skills, "options": options, "num_retries": 0}


def calls(answer):
    return [(call.expert, call.purpose, call.outcome) for call in answer.report.calls]


def asking(text):
    return Query((Message("user", text),), sampling=ZERO)


async def test_a_plan_that_failed_in_one_node_makes_that_node_again():
    mixture = Mixture.from_config(
        {
            "experts": [
                expert("words", text="Inflation is a general rise of prices.", skills=["economics"]),
                expert("coder", text="def inflation(a, b): return b / a - 1", skills=["code"], failure={"calls": 1}),
            ],
            "strategies": {"decomposition": {"specialist_map": {"code": "coder"}, "fallback_order": ["coder"]}},
        }
    )
    first = await mixture.answer(asking(PLAN), "decomposition")
    assert first.completion.degraded is not None
    assert calls(first)[:2] == [("words", "subtask 1", "ok"), ("coder", "subtask 2", "error")]
    again = await mixture.answer(asking(PLAN), "decomposition")
    assert again.completion.degraded is None
    assert calls(again) == [("coder", "subtask 2", "ok"), ("coder", "aggregator", "ok")]
    assert [(one.kind, one.experts) for one in again.report.adjustments] == [("recalled", ("words",))]
    assert (await mixture.answer(asking(PLAN), "decomposition")).report.recalled.kind == "exact"


async def test_proposals_of_an_ensemble_are_kept_and_those_that_failed_are_asked_again():
    mixture = Mixture.from_config(
        {
            "experts": [expert("a", text="42"), expert("b", text="42"), expert("c", text="42", failure={"calls": 1})],
            "strategies": {"voting": {"experts": ["a", "b", "c"], "early_stop": False, "n": 3}},
        }
    )
    first = await mixture.answer(asking("What is six times seven?"), "voting")
    assert first.completion.degraded is not None
    assert len(calls(first)) == 3
    again = await mixture.answer(asking("What is six times seven?"), "voting")
    assert calls(again) == [("c", "proposer", "ok")]
    assert again.completion.degraded is None
    assert again.report.adjustments[0].kind == "recalled"
    whole = await mixture.answer(asking("What is six times seven?"), "voting")
    assert (calls(whole), whole.report.recalled.kind) == ([], "exact")


async def test_several_proposals_of_one_expert_are_parts_of_their_own():
    mixture = Mixture.from_config(
        {
            "experts": [
                {**expert("a", text=["one", "two", "three", "four"]), "abilities": ["seed"]},
                expert("b", text="never", failure={}),
            ],
            "strategies": {"best_of_n": {"experts": ["a", "b"], "n": 4}},
        }
    )
    wishes = Wishes(expose_proposals=True, cache=CacheWish())
    query = replace(asking("Name a number"), sampling=Sampling())
    first = await mixture.answer(query, "best_of_n", wishes)
    again = await mixture.answer(query, "best_of_n", wishes)
    assert sum(outcome == "ok" for _, _, outcome in calls(first)) == 2
    assert not any(outcome == "ok" for _, _, outcome in calls(again))
    assert again.text == first.text


@pytest.mark.parametrize(
    ("config", "sampling", "wish"),
    [
        ({"subtasks": False}, ZERO, None),
        ({}, Sampling(), None),
        ({}, ZERO, CacheWish(read=False, write=False)),
    ],
)
async def test_nothing_is_kept_where_it_is_not_wanted(config, sampling, wish):
    mixture = Mixture.from_config(
        {
            "experts": [expert("a", text="42"), expert("b", text="42", failure={})],
            "strategies": {"voting": {"experts": ["a", "b"], "early_stop": False}},
            "cache": config,
        }
    )
    query = replace(asking("What is six times seven?"), sampling=sampling)
    for _ in range(2):
        answer = await mixture.answer(query, "voting", Wishes(cache=wish))
        assert len(calls(answer)) == 2
