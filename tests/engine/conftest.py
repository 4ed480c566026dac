"""A real server over real engines: vLLM on the CPU, with models that are made here. `make test-engine` runs these."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engine import tiny_model
from tests.serve.real import start

ENGINE = {
    "max_model_len": tiny_model.WINDOW,
    "max_num_seqs": 16,
    "gpus": 0,
    "kv_cache_bytes": 64 << 20,
    "tool_parser": "hermes",
    "env": {"HF_HUB_OFFLINE": "1"},
    # A random model would write white space between tokens of JSON for ever.
    "arguments": {"structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True}},
}

FROM_ZERO = {
    "min_replicas": 0,
    "max_replicas": 2,
    "target_ongoing_requests": 1000,  # so that only the engine's own load asks for a second one
    "upscale_delay_s": 0,
    "downscale_delay_s": 3,
    "metrics_interval_s": 1,
    "look_back_period_s": 3,
}


def pytest_collection_modifyitems(items):
    if find_spec("vllm") is None:
        why = pytest.mark.skip(reason="vLLM is not installed here; `make test-engine` makes an environment that has it")
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(why)


def vllm(name, model, **more):
    engine = {**ENGINE, **more.pop("engine", {})}
    return {"name": name, "provider": "vllm", "model": str(model), "engine": engine, "num_retries": 0, **more}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Two models of different weights, one of another size, and an adapter for the first and for the last."""
    folder = tmp_path_factory.mktemp("models")
    tiny = tiny_model.make(folder / "tiny", seed=0)
    tiny_model.make(folder / "other", seed=7)
    tiny_model.make_adapter(folder / "adapter", str(tiny))
    tiny_model.make_adapter(folder / "misfit", "a-larger-one", hidden=128)
    return folder


@pytest.fixture(scope="session")
def engines(models, tmp_path_factory):
    """`mixture serve` over two engines, an adapter, and what can't run."""
    config = {
        "applications": [
            {
                "name": "mixture",
                "import_path": "deployments.app:build",
                "args": {
                    "experts": [
                        vllm("tiny", models / "tiny", skills=["general"]),
                        vllm("other", models / "other", skills=["general"], engine={"replicas": 2}),
                        vllm("sleepy", models / "other", engine={"autoscaling_config": FROM_ZERO, "max_num_seqs": 4}),
                        {"name": "adapted", "provider": "lora", "expert": "tiny", "model": str(models / "adapter")},
                        {"name": "misfit", "provider": "lora", "expert": "tiny", "model": str(models / "misfit")},
                        vllm("absent", models / "nowhere"),
                        vllm("cramped", models / "tiny", engine={"kv_cache_bytes": 4096}),
                        vllm("gpu", models / "tiny", engine={"gpus": 1}),
                        {"name": "says", "provider": "scripted", "options": {"text": "still here"}},
                    ],
                    "aliases": {
                        "both": {"strategy": "voting", "experts": ["tiny", "other"]},
                        "impatient": {
                            "strategy": "cascade",
                            "experts": ["sleepy", "says"],
                            "fallback_order": ["sleepy", "says"],
                            "max_latency_ms": 5_000,
                        },
                    },
                },
            }
        ],
    }
    running = start(tmp_path_factory.mktemp("engines"), config)
    try:
        running.wait_until("Ready in", seconds=240)
        yield running
    finally:
        running.stop()
