"""Whether an engine has the memory that it needs, told before it is started."""

from __future__ import annotations

from mixture.config import EngineConfig
from mixture.providers.vllm.shortage import free_memory, shortage
from mixture.providers.vllm.weights import Weights
from tests.unit.engine.models import model

PER_TOKEN = 2 * 2 * 2 * 16 * 2
"""Bytes of the KV cache: key and value, two layers, two heads of 16, two bytes each."""


def test_a_cache_that_holds_no_whole_request_is_named_with_what_would_fit(tmp_path):
    weights = Weights.read(str(model(tmp_path / "m")))
    engine = EngineConfig(max_model_len=1000, kv_cache_bytes=PER_TOKEN * 500)
    told = shortage(weights, engine, None)
    assert told == (
        f"kv_cache_bytes: {PER_TOKEN * 500} bytes are too few for one request of 1000 tokens, which takes "
        f"{PER_TOKEN * 1000}; with max_model_len: 500 it would fit"
    )
    assert shortage(weights, EngineConfig(max_model_len=500, kv_cache_bytes=PER_TOKEN * 500), None) is None
    smaller = EngineConfig(max_model_len=1000, kv_cache_bytes=PER_TOKEN * 500, arguments={"kv_cache_dtype": "fp8"})
    assert shortage(weights, smaller, None) is None


def test_more_than_the_machine_has_free_is_named(tmp_path):
    weights = Weights.read(str(model(tmp_path / "m")))
    engine = EngineConfig(kv_cache_bytes=64 << 30)
    assert shortage(weights, engine, float(8 << 30)) == (
        "it needs 64.0 GiB for weights and KV cache, and 8.0 GiB of memory are free"
    )
    assert shortage(weights, engine, None) is None


def test_free_memory_is_read_where_it_stands():
    assert free_memory("MemTotal: 10 kB\nMemAvailable:    4 kB\n") == 4096
    assert free_memory("nothing of the kind") is None
