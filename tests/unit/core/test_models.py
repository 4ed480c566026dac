"""What a model name stands for, with and without a request's wishes."""

import pytest

from mixture import Mixture
from mixture.errors import InvalidQuery, UnknownModel
from mixture.models import Wishes
from mixture.types import ImagePart, Message, Query, ResponseFormat, Sampling, Tool

EXPERTS = [
    {"name": "a", "provider": "scripted", "options": {"text": "24"}},
    {"name": "b", "provider": "scripted", "options": {"text": "24"}, "abilities": ["tools", "json"]},
    {"name": "c", "provider": "scripted", "options": {"text": "12"}, "abilities": []},
]
ALIASES = {
    "audit": {"strategy": "voting", "experts": ["a", "b"], "description": "two heads"},
    "fast": {"expert": "c"},
}
ASKED = "How many legs do 3 spiders have?"


@pytest.fixture
def mixture():
    return Mixture.from_config({"experts": EXPERTS, "aliases": ALIASES})


@pytest.mark.parametrize(
    ("model", "executed", "kind"),
    [
        ("a", "expert", "expert"),
        ("mixture/a", "expert", "expert"),
        ("auto", "auto", "strategy"),
        ("mixture/auto", "auto", "strategy"),
        ("voting", "voting", "strategy"),
        ("audit", "voting", "alias"),
        ("fast", "expert", "alias"),
    ],
)
def test_names(mixture, model, executed, kind):
    target = mixture.models.resolve(model)
    assert (target.executed, target.kind) == (executed, kind)


def test_auto_is_the_configured_default():
    mixture = Mixture.from_config({"experts": EXPERTS, "strategy": "cascade"})
    assert mixture.models.resolve("auto").executed == "cascade"


@pytest.mark.parametrize(("model", "hint"), [("votnig", "did you mean 'voting'?"), ("x" * 10_000, "GET /v1/models")])
def test_an_unknown_name(mixture, model, hint):
    with pytest.raises(UnknownModel) as raised:
        mixture.models.resolve(model)
    assert hint in raised.value.message
    assert len(raised.value.message) < 300
    assert raised.value.param == "model"


def test_an_alias_asks_its_experts_only(mixture):
    assert set(mixture.models.resolve("audit").experts) == {"a", "b"}
    assert set(mixture.models.resolve("fast").experts) == {"c"}


async def test_wishes_change_strategy_and_experts_for_one_request(mixture):
    answer = await mixture.answer(ASKED, "auto", Wishes(strategy="voting", experts=("a", "c"), n=3))
    assert answer.report.strategy_requested == "auto"
    assert answer.report.strategy_executed == "voting"
    assert sorted(call.expert for call in answer.report.calls) == ["a", "c"], "both choices of a come in one call"
    again = await mixture.answer(ASKED, "audit", Wishes(voting_threshold=1.0))
    assert {call.expert for call in again.report.calls} == {"a", "b"}
    assert (await mixture.answer(ASKED, "voting", Wishes(strategy="auto"))).report.strategy_executed == "task_based"


@pytest.mark.parametrize(
    ("model", "wishes", "param"),
    [
        ("auto", Wishes(strategy="nonsense"), "mixture.strategy"),
        ("auto", Wishes(experts=("a", "nobody")), "mixture.experts"),
        ("auto", Wishes(experts=()), "mixture.experts"),
        ("voting", Wishes(n=0), "mixture.n"),
        ("voting", Wishes(voting_threshold=2.0), "mixture.voting_threshold"),
        ("a", Wishes(strategy="voting"), "mixture"),
        ("fast", Wishes(n=2), "mixture"),
    ],
)
def test_wishes_that_can_not_be_had(mixture, model, wishes, param):
    with pytest.raises(InvalidQuery) as raised:
        mixture.models.resolve(model, wishes)
    assert raised.value.param == param


TOOLS = Query((Message("user", ASKED),), tools=(Tool("look"),))


async def test_only_those_who_can_are_asked(mixture):
    answer = await mixture.answer(TOOLS, "voting")
    assert {call.expert for call in answer.report.calls} == {"a", "b"}


@pytest.mark.parametrize(
    ("model", "query", "param", "hint"),
    [
        ("c", TOOLS, "tools", "c does not support tools (models that can: a, b)"),
        ("fast", TOOLS, "tools", "models that can: a, b"),
        ("b", Query(TOOLS.messages, Sampling(logprobs=True)), "logprobs", "models that can: a"),
        ("b", Query((Message("user", (ImagePart("data:x"),)),)), "messages", "images (models that can: a"),
        ("c", Query(TOOLS.messages, response_format=ResponseFormat("json_object")), "response_format", "a, b"),
        ("c", Query(TOOLS.messages, Sampling(seed=1, stop=("x",))), "seed", "a"),
    ],
)
def test_what_an_expert_can_not_do_is_a_clear_error(mixture, model, query, param, hint):
    with pytest.raises(InvalidQuery) as raised:
        mixture.models.panel(mixture.models.resolve(model), query, mixture.panel)
    assert raised.value.param == param
    assert hint in raised.value.message


def test_when_nobody_can():
    mixture = Mixture.from_config({"experts": EXPERTS[2:]})
    with pytest.raises(InvalidQuery, match="no configured expert can"):
        mixture.models.panel(mixture.models.resolve("auto"), TOOLS, mixture.panel)


def test_options_go_from_the_server_s_over_the_strategy_s_to_the_alias_s():
    from mixture.config import StrategyOptions
    from mixture.models import merged

    base = StrategyOptions(n=3, voting_threshold=0.5, fallback_order=("a",))
    assert merged(base, StrategyOptions(n=5)) == StrategyOptions(n=5, voting_threshold=0.5, fallback_order=("a",))


async def test_the_server_s_maps_reach_the_strategies():
    config = {"experts": EXPERTS, "specialist_map": {"math": "c"}, "fallback_order": ["b", "a"]}
    mixture = Mixture.from_config(config)
    assert (await mixture.answer(ASKED, "task_based")).report.route.experts == ("c", "b", "a")
    assert (await mixture.answer(ASKED, "cascade")).report.route.experts == ("b", "a")
