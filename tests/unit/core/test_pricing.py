"""Prices that are not known or were read long ago are warned of; unknown is never nothing."""

import datetime

import pytest

from commands.experts import price_warnings
from mixture.catalogue import resolve
from mixture.config import ExpertConfig, parse
from mixture.description import expert_facts, price_facts
from mixture.pricing import price_warning
from mixture.types import ExpertCard, Price

TODAY = datetime.date(2026, 11, 28)


@pytest.mark.parametrize(
    ("price", "warned"),
    [
        (None, "not known"),
        (Price(1.0, 1.0), None),
        (Price(1.0, 1.0, date=TODAY - datetime.timedelta(90)), None),
        (Price(1.0, 1.0, date=TODAY - datetime.timedelta(91)), "91 days ago, on 2026-08-29"),
        (Price(0.0, 0.0, date=datetime.date(2020, 1, 1)), None),
    ],
)
def test_what_is_warned_of(price, warned):
    found = price_warning(ExpertCard("a", "openai", price=price), TODAY)
    assert (found is None) if warned is None else (warned in found)


def test_the_catalogue_s_day_and_an_override():
    expert = ExpertConfig(name="gpt-5", provider="openai", api_key="k")
    assert resolve(expert).price.date == datetime.date(2025, 11, 13)
    own = ExpertConfig(name="gpt-5", provider="openai", api_key="k", price={"input": 1, "output": 2})
    assert resolve(own).price.date is None
    config = parse({"experts": [e.model_dump(exclude_unset=True) for e in (expert,)]}, {})
    (line,) = price_warnings(config, {})
    assert line.startswith("gpt-5: read ")


def test_what_is_unknown_is_said_once_and_only_where_it_is_news():
    paid = [
        {"name": f"paid{n}", "provider": "openai", "base_url": "https://m.example/v1", "model": "m"} for n in range(9)
    ]
    unpaid = [
        {"name": "scripted", "provider": "scripted"},
        {"name": "symbolic", "provider": "symbolic"},
        {"name": "extractive", "provider": "extractive"},
        {"name": "persona", "provider": "persona", "expert": "scripted", "system_prompt": "Be brief."},
        {"name": "engine", "provider": "vllm", "model": "/m", "engine": {"usd_per_gpu_hour": 2.0}},
    ]
    assert price_warnings(parse({"experts": unpaid}, {}), {}) == []
    (line,) = price_warnings(parse({"experts": [*unpaid, *paid]}, {}), {})
    assert line.startswith("paid0, paid1, paid2, paid3, paid4, paid5, paid6, paid7 and 1 more: not known")
    assert price_facts(resolve(ExpertConfig(name="scripted", provider="scripted")).price) is None, (
        "unknown is never zero"
    )


def test_the_list_of_models_tells_it():
    assert "not known" in expert_facts(ExpertCard("a", "openai"))["price_warning"]
