"""A real server over an engine on a GPU. `make test-gpu` runs these where there is one, and skips them with a reason
elsewhere; `MIXTURE_TEST_DEVICE=cpu` runs them on the CPU with a tiny model, to see that they are in order.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gpu import large_model
from tests.serve.real import start

ON_CPU = os.environ.get("MIXTURE_TEST_DEVICE") == "cpu"
SHAPE = large_model.SMALL if ON_CPU else large_model.BILLION
ON = {"gpus": 0, "kv_cache_bytes": 64 << 20} if ON_CPU else {"gpus": 0.45}
HOUR = 2.0


def pytest_collection_modifyitems(items):
    if why := large_model.missing(ON_CPU):
        told = why if ON_CPU else f"{why}; MIXTURE_TEST_DEVICE=cpu tries the same with a tiny model"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=told))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return large_model.make(tmp_path_factory.mktemp("weights") / "model", SHAPE)


@pytest.fixture(scope="session")
def engines(weights, tmp_path_factory):
    """`mixture serve` over two engines that share one GPU, and one for a GPU that nobody has."""

    def engine(**more):
        return {"max_model_len": SHAPE.window, "max_num_seqs": 64, "env": {"HF_HUB_OFFLINE": "1"}, **ON, **more}

    def expert(name, **more):
        return {"name": name, "provider": "vllm", "model": str(weights), "num_retries": 0, "engine": engine(**more)}

    experts = [
        expert("house", usd_per_gpu_hour=HOUR, tokens_per_second=1000),
        expert("twin"),
        expert("nowhere", gpus=1, accelerator_type="A-GPU-THAT-NOBODY-HAS"),
    ]
    # With the cache the same question at the same time would be computed once.
    args = {"experts": experts, "cache": {"exact": "off"}}
    config = {"applications": [{"name": "mixture", "import_path": "deployments.app:build", "args": args}]}
    running = start(tmp_path_factory.mktemp("engines"), config)
    try:
        running.wait_until("Ready in", seconds=540)
        yield running
    finally:
        running.stop()
