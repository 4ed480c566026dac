"""The catalogue's data hold together, and presets are filled into configurations."""

from __future__ import annotations

import datetime

import pytest

from mixture.catalogue import presets, resolve
from mixture.config import ConfigError, ExpertConfig, PriceConfig
from mixture.providers import PROVIDERS

KEYS = {preset.key: f"key-of-{name}" for name, preset in presets().items() if preset.key}


def expert(provider: str, **fields) -> ExpertConfig:
    return ExpertConfig(**{"name": "m", "provider": provider, **fields})


def test_the_providers_of_the_readme_are_here():
    names = {"openai", "anthropic", "deepseek", "mistral", "groq", "together", "openrouter"}
    assert set(presets()) == names | {"ollama", "vllm-server", "llama.cpp", "lmstudio"}
    assert {preset.provider for preset in presets().values()} <= set(PROVIDERS)


@pytest.mark.parametrize("name", presets())
def test_a_preset_holds_together(name):
    preset = presets()[name]
    assert preset.url({}) == preset.base_url
    assert (preset.probe is None) == (preset.location == "external")
    assert preset.location == "local" or preset.key
    assert all(set(model.abilities or preset.abilities) for model in preset.models.values())
    for model in preset.models.values():
        if model.price is not None:
            assert model.price.source.startswith("https://")
            assert datetime.date(2025, 1, 1) < model.price.date < datetime.date(2027, 1, 1)
            assert 0 < (model.price.cached_input or model.price.input) <= model.price.input <= model.price.output
    for offer in preset.offer:
        config = resolve(expert(name, name=offer.name, model=offer.model), KEYS)
        assert config.abilities
        assert (config.price is None) == (name == "openrouter")


@pytest.mark.parametrize("name", presets())
def test_what_is_resolved_stays(name):
    config = resolve(expert(name), KEYS)
    assert resolve(config) == config
    assert config.provider in PROVIDERS
    assert config.options["preset"] == name


def test_a_preset_is_filled_in():
    config = resolve(expert("mistral", model="mistral-large-2512"), {"MISTRAL_API_KEY": " k "})
    assert (config.provider, config.base_url, config.api_key) == ("openai", "https://api.mistral.ai/v1", "k")
    assert config.price == PriceConfig(input=0.5, cached_input=0.05, output=1.5, date=datetime.date(2026, 6, 9))
    assert config.location == "external"
    assert config.options["fields"]["seed"] == "random_seed"


def test_what_the_user_says_wins():
    price = PriceConfig(input=9, output=9)
    said = expert(
        "openai",
        model="gpt-6-sol",
        api_key="mine",
        price=price,
        context_window=5,
        abilities=(),
        location="local",
        options={"fields": {"top_p": "nucleus"}},
    )
    config = resolve(said, KEYS)
    assert (config.api_key, config.price, config.context_window) == ("mine", price, 5)
    assert (config.abilities, config.location) == ((), "local")
    assert config.options["fields"]["top_p"] == "nucleus"
    assert config.options["fields"]["max_tokens"] == "max_completion_tokens"


def test_an_unknown_model_has_no_price_and_the_usual_abilities():
    config = resolve(expert("openai", model="gpt-99"), KEYS)
    assert config.price is None
    assert set(config.abilities) == {"tools", "json", "n", "stop", "seed", "logprobs"}


def test_an_address_of_the_users_gets_no_key_of_ours():
    config = resolve(expert("openai", model="gpt-6-sol", base_url="https://elsewhere.example/v1"), KEYS)
    assert (config.api_key, config.price, config.location) == (None, None, "external")
    assert "fields" not in config.options


@pytest.mark.parametrize("name", ["openai", "anthropic", "deepseek"])
def test_a_missing_key_says_what_to_set(name):
    with pytest.raises(ConfigError) as caught:
        resolve(expert(name), {})
    assert caught.value.param == "experts.m.api_key"
    assert presets()[name].key in caught.value.message


@pytest.mark.parametrize(
    ("said", "url", "local"),
    [
        ("http://localhost:9999", "http://localhost:9999/v1", True),
        ("127.0.0.1:9999", "http://127.0.0.1:9999/v1", True),
        ("http://[::1]:9999/v1/", "http://[::1]:9999/v1", True),
        ("https://gpu.example/ollama/v1", "https://gpu.example/ollama/v1", False),
        ("gpu-box:11434", "http://gpu-box:11434/v1", False),
    ],
)
def test_a_local_server_may_be_elsewhere(said, url, local):
    config = resolve(expert("ollama"), {"OLLAMA_BASE_URL": said})
    assert (config.base_url, config.location) == (url, "local" if local else "external")
    # Only what runs on this machine is known to bill nothing.
    assert config.price == (PriceConfig(input=0, output=0) if local else None)


def test_other_providers_are_left_alone():
    config = expert("scripted", options={"text": "x"})
    assert resolve(config, KEYS) is config
