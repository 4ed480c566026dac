"""What a token of an engine of ours costs: from hours of GPUs and measured throughput, never nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from mixture import Mixture
from mixture.assembly import Hosts
from mixture.config import EngineConfig, parse
from mixture.description import price_facts
from mixture.mixture import Models
from mixture.providers import Context, create
from mixture.providers.scripted import scripted
from mixture.providers.vllm.cost import Throughput, derived
from mixture.routing.candidates import candidate
from mixture.routing.objective import choose
from mixture.types import EngineLoad, Message, Price, Query
from tests.unit.engine.models import model

HOUR = {"usd_per_gpu_hour": 3.6, "tokens_per_second": 1000}


def test_the_price_follows_from_the_hour_and_the_speed():
    made = derived(EngineConfig(gpus=1, **HOUR))
    assert made.output == pytest.approx(1.0)  # $3.6 an hour, 3.6 million tokens an hour
    assert (made.input, made.cached_input) == (pytest.approx(0.1), pytest.approx(0.01))
    assert made.derived
    assert derived(EngineConfig(gpus=1, **HOUR), 2000).output == pytest.approx(0.5)
    assert derived(EngineConfig(gpus=0.5, **HOUR)).output == pytest.approx(0.5)
    assert derived(EngineConfig(gpus=1, tensor_parallel_size=4, **HOUR)).output == pytest.approx(4.0)
    assert derived(EngineConfig(gpus=0, **HOUR)).output == pytest.approx(1.0)


def test_what_is_not_known_is_not_nothing():
    assert derived(EngineConfig(usd_per_gpu_hour=3.6)) is None
    assert derived(EngineConfig(tokens_per_second=1000)) is None
    assert derived(EngineConfig(), 1000) is None


def test_throughput_counts_time_with_work_only():
    clock = SimpleNamespace(now=0.0)
    seen = Throughput(lambda: clock.now)
    for _ in range(60):
        clock.now += 0.1
        seen.note(0, 20, working=True)
    assert seen.tokens_per_s == pytest.approx(200, rel=0.01)
    clock.now += 0.1
    seen.note(0, 20, working=False)
    clock.now += 1000.0  # nobody asks
    seen.note(500, 0, working=True)
    assert seen.tokens_per_s == pytest.approx(200, rel=0.01)


def test_throughput_follows_the_load_and_weighs_prompts():
    clock = SimpleNamespace(now=0.0)
    seen = Throughput(lambda: clock.now)
    seen.note(0, 0, working=True)
    clock.now += 1
    seen.note(0, 100, working=True)
    assert seen.tokens_per_s is None  # too little to tell
    for _ in range(600):
        clock.now += 1
        seen.note(1000, 900, working=True)
    assert seen.tokens_per_s == pytest.approx(1000, rel=0.02)


def engine(tmp_path, **more):
    made = {"gpus": 1, **HOUR, **more}
    folder = tmp_path / "m"
    if not folder.exists():
        model(folder)
    return {"name": "house", "provider": "vllm", "model": str(folder), "engine": made}


def test_the_card_has_the_derived_price_and_a_configured_one_goes_before_it(tmp_path):
    def card(expert):
        return create(parse({"experts": [expert]}, {}).experts[0], Context()).card

    assert price_facts(card(engine(tmp_path)).price) == {
        "input": pytest.approx(0.1),
        "output": pytest.approx(1.0),
        "cached_input": pytest.approx(0.01),
        "derived": True,
    }
    own = card(engine(tmp_path) | {"price": {"input": 2, "output": 3}})
    assert own.price == Price(2, 3)
    assert card(engine(tmp_path, tokens_per_second=None)).price is None


async def test_measured_throughput_changes_the_price_from_the_next_request_on(tmp_path):
    config = parse({"experts": [engine(tmp_path), {"name": "api", "provider": "scripted"}]}, {})
    made = create(config.experts[0], Context()).card
    hosted = scripted("house", "the answer", price=made.price)
    hosted.engine = EngineLoad("r", running=1, places=8)
    m = Mixture.from_config(config, hosts=Hosts(experts={"house": hosted}))
    before = (await m.answer("hello", "house")).report
    assert before.calls[0].derived
    m.reprice()
    assert m.panel.experts["house"].card.price == made.price  # nothing measured yet
    hosted.engine = replace(hosted.engine, tokens_per_s=4000.0)
    held = m.models
    m.reprice()
    assert isinstance(m.models, Models)
    assert m.models is not held
    after = (await m.answer("hello", "house")).report
    assert after.cost_usd == pytest.approx(before.cost_usd / 4)
    assert m.describe()["experts"]["house"]["price_usd_per_million_tokens"]["derived"] is True
    hosted.engine = replace(hosted.engine, tokens_per_s=4001.0)
    held = m.models
    m.reprice()
    assert m.models is held  # too little to matter


async def test_the_objective_weighs_it_against_an_api(tmp_path):
    """A busy engine computes more for its hour than an idle one, and of two that are as good the cheaper is asked."""
    config = parse({"experts": [engine(tmp_path), {"name": "api", "provider": "scripted"}]}, {})
    hosted = scripted("house", "the answer", price=create(config.experts[0], Context()).card.price)
    hosted.engine = EngineLoad("r", running=1, places=8)
    m = Mixture.from_config(config, hosts=Hosts(experts={"house": hosted}))
    api = replace(m.panel.experts["api"].card, price=Price(0.05, 0.5))
    query = Query((Message("user", "hello"),))

    def first():
        house = m.panel.experts["house"].card
        return choose([candidate(card, query, 10, quality=0.9) for card in (api, house)]).order[0]

    assert first() == "api"
    hosted.engine = replace(hosted.engine, tokens_per_s=8000.0)
    m.reprice()
    assert first() == "house"
