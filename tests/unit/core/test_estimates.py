"""Estimates: what would be done, with nobody asked."""

import pytest

from mixture import Mixture
from mixture.api.estimates import estimate_fields
from mixture.errors import BudgetExceeded, NoAnswer, UnknownModel
from mixture.models import Wishes

CHEAP, DEAR = {"input": 0.1, "output": 0.3}, {"input": 3, "output": 15}
EXPERTS = [
    {"name": "coder", "provider": "scripted", "price": DEAR, "skills": ["code"]},
    {"name": "sage", "provider": "scripted", "price": CHEAP, "skills": ["science"]},
    {"name": "mini", "provider": "scripted", "price": CHEAP},
    {"name": "free", "provider": "scripted"},
]
PYTHAGORAS = (
    "Explain the significance of the Pythagorean theorem in modern physics and provide a Python code example that "
    "demonstrates its application"
)
SUM = "Ann has 3 boxes with 7 pens each and gives away 4 of them. How many pens are left?"


@pytest.fixture
def mixture():
    return Mixture.from_config({"experts": EXPERTS, "aliases": {"jury": {"strategy": "voting", "n": 5}}})


def innermost(expert):
    """The expert inside its wrappers."""
    while hasattr(expert, "inner"):
        expert = expert.inner
    return expert


async def told(mixture, asked, model="auto", wishes=None):
    found = estimate_fields(await mixture.estimate(asked, model, wishes or Wishes()))
    assert not any(innermost(expert).queries for expert in mixture.panel.experts.values())
    return found


async def test_a_compound_request(mixture):
    found = await told(mixture, PYTHAGORAS)
    assert (found["strategy_requested"], found["strategy"]) == ("auto", "decomposition")
    assert [(task["skill"], task["experts"][0]) for task in found["plan"]] == [("science", "sage"), ("code", "coder")]
    assert [(call["expert"], call["role"]) for call in found["calls"]] == [
        ("sage", "subtask 1"),
        ("coder", "subtask 2"),
        ("coder", "aggregator"),
    ]
    assert found["expected_cost_usd"] == pytest.approx(sum(call["cost_usd"] for call in found["calls"]))


async def test_it_says_what_then_happens(mixture):
    for asked in (PYTHAGORAS, SUM, "hello", "Describe the sea"):
        found = await told(mixture, asked)
        report = (await Mixture.from_config(mixture.config).answer(asked)).report
        assert report.strategy_executed == found["strategy"]
        assert [call.expert for call in report.calls][: len(found["calls"])] == [
            call["expert"] for call in found["calls"] if call["certain"]
        ]


async def test_candidates_signals_and_unknown_prices(mixture):
    found = await told(mixture, SUM, "jury")
    assert (found["strategy"], found["expected_calls"]) == ("voting", 5)
    assert {one["expert"]: one["cost_usd"] is None for one in found["candidates"]}["free"]
    assert (found["signals"]["task"], found["cost_complete"]) == ("math", False)
    assert sum(call["expert"] == "coder" for call in found["calls"]) == 2
    assert next(call["cost_usd"] for call in found["calls"] if call["expert"] == "free") is None


@pytest.mark.parametrize(
    "model", ["task_based", "specialist", "decomposition", "voting", "cascade", "best_of_n", "mini"]
)
async def test_every_model_has_an_estimate(mixture, model):
    for asked in (PYTHAGORAS, SUM):
        found = await told(mixture, asked, model)
        assert found["calls"]
        assert found["strategy"] == ("expert" if model == "mini" else model)


async def test_an_expert_that_plans_is_named_and_not_asked(mixture):
    config = {"experts": EXPERTS, "decomposer": {"expert": "mini"}}
    found = await told(Mixture.from_config(config), PYTHAGORAS)
    assert found["not_asked"] == ["mini would be asked for a plan; rules made it here"]
    assert len(found["plan"]) == 2


async def test_errors_are_those_of_the_request_itself(mixture):
    with pytest.raises(UnknownModel):
        await mixture.estimate("hello", "nobody")
    with pytest.raises(BudgetExceeded):
        await mixture.estimate("hello", "mini", Wishes(max_cost_usd=1e-9))
    with pytest.raises(NoAnswer):
        await Mixture.from_config({"experts": [], "discover": False}).estimate("hello")


async def test_a_mixture_of_agents_says_what_then_happens(mixture):
    aliases = {
        "panel": {"strategy": "mixture_of_agents", "proposer_models": ["sage", "mini"], "aggregator_model": "coder"},
        "layered": {"strategy": "mixture_of_agents", "proposer_models": ["sage", "mini"], "layers": 2},
        "judged": {"strategy": "best_of_n", "experts": ["sage", "mini", "coder"], "n": 2, "judge": "coder"},
    }
    mixture = Mixture.from_config({"experts": EXPERTS, "aliases": aliases})
    for model, roles in (
        ("panel", ["proposer"] * 2 + ["writer"]),
        ("layered", ["proposer"] * 4 + ["writer"]),
        ("judged", ["proposer"] * 2 + ["judge"] * 2),
    ):
        found = await told(mixture, "Describe the sea", model)
        assert [call["role"] for call in found["calls"]] == roles
        assert found["expected_calls"] == len(roles)
    found = await told(mixture, "Describe the sea", "panel")
    done = (await Mixture.from_config(mixture.config).answer("Describe the sea", "panel")).report
    assert [call.expert for call in done.calls] == [call["expert"] for call in found["calls"]]
    writer, proposer = found["calls"][-1]["cost_usd"], found["calls"][0]["cost_usd"]
    assert writer > DEAR["input"] / CHEAP["input"] * proposer, "its prompt holds the proposals"
