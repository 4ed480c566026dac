"""What is told from a model's and an adapter's files, before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mixture.config import ConfigError, EngineConfig, ExpertConfig
from mixture.providers import Context, create
from mixture.providers.vllm.adapters import check, rank_of
from mixture.providers.vllm.memory import GIB, need, too_large
from mixture.providers.vllm.weights import Weights
from tests.unit.engine.models import adapter, model


def expert(name="house", provider="vllm", **fields):
    return ExpertConfig(name=name, provider=provider, **fields)


def lora(folder):
    return expert("adapted", "lora", expert="house", model=str(folder))


def test_a_model_says_what_it_is(tmp_path):
    found = Weights.read(str(model(tmp_path / "m")))
    assert (found.layers, found.kv_heads, found.head_dim, found.window) == (2, 2, 16, 2048)
    assert found.kv_bytes_per_token == 2 * 2 * 2 * 16 * 2
    assert found.size > 2 * 64 * 64 * 2
    assert found.shapes["model.layers.1.self_attn.q_proj.weight"] == (64, 64)
    assert not found.sees
    assert Weights.read(str(model(tmp_path / "v", vision_config={}))).sees
    assert Weights.read("somebody/that-was-never-downloaded") is None


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "can't be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 40), "can't be read as safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no"), "can't be read as safetensors"),
    ],
)
def test_a_folder_without_a_model_says_so(tmp_path, break_it, said):
    folder = model(tmp_path / "m")
    break_it(folder)
    with pytest.raises(ConfigError, match=said):
        Weights.read(str(folder))


def test_what_is_not_there():
    with pytest.raises(ConfigError, match="there is no folder '/nowhere/at/all'"):
        Weights.read("/nowhere/at/all")
    with pytest.raises(ConfigError, match="neither a folder nor a name on the hub"):
        Weights.read("a b/c/d")


def test_the_card_knows_the_window_and_the_abilities(tmp_path):
    folder = model(tmp_path / "m")
    made = create(expert(model=str(folder), engine=EngineConfig(tool_parser="hermes")), Context()).card
    assert (made.context_window, made.location, made.model) == (2048, "local", "m")
    assert made.abilities == {"tools", "json", "n", "stop", "seed", "logprobs"}
    short = create(expert(model=str(folder), engine=EngineConfig(max_model_len=512)), Context()).card
    assert short.context_window == 512
    assert "tools" not in short.abilities
    far = create(expert(model="/on/another/machine"), Context()).card
    assert far.context_window is None


def test_an_adapter_has_its_base_s_abilities(tmp_path):
    base = create(expert(model=str(model(tmp_path / "m")), price={"input": 1, "output": 2}), Context())
    made = create(lora("/adapters/sql"), Context(experts={"house": base})).card
    assert (made.abilities, made.price, made.context_window) == (base.card.abilities, base.card.price, 2048)
    assert made.model == "m+sql"
    with pytest.raises(ConfigError, match=r"experts\.adapted\.expert: unknown expert 'house'"):
        create(lora("/adapters/sql"), Context())


def test_an_adapter_fits_its_base_or_says_why_not(tmp_path):
    base = Weights.read(str(model(tmp_path / "m")))
    check(lora(adapter(tmp_path / "fits")), base)
    assert rank_of(lora(tmp_path / "fits")) == 4
    with pytest.raises(ConfigError, match="made for size 128, that of 'house' is 64: it belongs to another base"):
        check(lora(adapter(tmp_path / "large", size=128)), base)
    with pytest.raises(ConfigError, match=r"changes model\.layers\.0\.mlp\.up, which the weights of 'house' do not"):
        check(lora(adapter(tmp_path / "other", module="mlp.up")), base)
    with pytest.raises(ConfigError, match=r"experts\.adapted\.model: .*adapter_config\.json can't be read"):
        check(lora(tmp_path / "nowhere"), base)
    (tmp_path / "fits" / "adapter_config.json").write_text(json.dumps({"r": "four"}))
    with pytest.raises(ConfigError, match="names no rank"):
        check(lora(tmp_path / "fits"), base)


def large(size_gib):
    """A model of 32 layers and 8 KV heads of 128, two bytes an element: 128 KiB a token."""
    return Weights(None, 32, 8, 128, 2, 131_072, int(size_gib * GIB), False)


def test_the_formula_counts_weights_and_one_request_s_cache():
    wanted = need(large(15), EngineConfig(max_model_len=8192))
    assert wanted.per_token == 131_072
    assert wanted.total == 15 * GIB + GIB + GIB
    halved = need(large(15), EngineConfig(max_model_len=8192, tensor_parallel_size=2))
    assert halved.total == 7.5 * GIB + GIB / 2 + GIB
    assert need(replace(large(15), layers=None), EngineConfig()) is None


def test_what_would_fit_is_said():
    assert too_large(large(15), EngineConfig(max_model_len=8192), 24 * GIB) is None
    told = too_large(large(15), EngineConfig(), 24 * GIB)
    assert "weights 15.0 GiB, KV cache of one request of 131072 tokens 16.0 GiB" in told
    assert told.endswith("with max_model_len: 45824 it would fit")
    assert too_large(large(15), EngineConfig(max_model_len=45824), 24 * GIB) is None
    assert too_large(large(15), EngineConfig(max_model_len=45824 + 512), 24 * GIB) is not None
    assert too_large(large(40), EngineConfig(max_model_len=8192), 24 * GIB).endswith(
        "with tensor_parallel_size: 2 it would fit"
    )
    assert too_large(large(40), EngineConfig(max_model_len=8192, tensor_parallel_size=2), 24 * GIB) is None
    assert too_large(large(15), EngineConfig(max_model_len=8192, gpus=0.5), 24 * GIB, gpus=0.5) is not None
