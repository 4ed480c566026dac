"""What a configuration may say of engines, and what becomes of it."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import pytest

from deployments.engine.arguments import default_gpus, engine_arguments, environment, reserved, scaled
from deployments.engine.scaling import BUSY, NEEDED, by_load, wanted
from deployments.loads import Reports
from mixture.config import ConfigError, EngineConfig, parse
from mixture.providers import Context, create
from mixture.providers.vllm import arguments
from mixture.types import EngineLoad

HOUSE = {"name": "house", "provider": "vllm", "model": "/models/house"}


def fault(*experts):
    with pytest.raises(ConfigError) as raised:
        parse({"experts": list(experts)}, {})
    return raised.value.message


@pytest.mark.parametrize(
    ("experts", "said"),
    [
        ([{"name": "a", "provider": "vllm"}], "`vllm` needs `model`"),
        ([HOUSE | {"base_url": "http://h/v1"}], "that runs already is `provider: vllm-server`"),
        ([{"name": "a", "provider": "scripted", "engine": {}}], "`engine` belongs to `provider: vllm`"),
        ([HOUSE | {"engine": {"gpus": 2}}], "experts[0].engine: gpus: is for each worker"),
        ([HOUSE | {"engine": {"gpus": 0.5, "tensor_parallel_size": 2}}], "need whole GPUs each"),
        ([HOUSE | {"engine": {"max_len": 2}}], "experts[0].engine.max_len: unknown field"),
        ([HOUSE | {"engine": {"replicas": 2, "autoscaling_config": {}}}], "exclude each other"),
        (
            [HOUSE | {"engine": {"autoscaling_config": {"min_replicas": 2}}}],
            "max_replicas is 1, below min_replicas: 2",
        ),
        ([HOUSE, {"name": "a", "provider": "lora", "model": "/a"}], "an adapter needs `expert`"),
        ([HOUSE, {"name": "a", "provider": "lora", "expert": "house"}], "`lora` needs `model`"),
        ([HOUSE, {"name": "a", "provider": "lora", "expert": "nobody", "model": "/a"}], "unknown expert 'nobody'"),
        (
            [{"name": "s", "provider": "scripted"}, {"name": "a", "provider": "lora", "expert": "s", "model": "/a"}],
            "'s' is no `provider: vllm` expert",
        ),
    ],
)
def test_faults_name_the_field(experts, said):
    assert said in fault(*experts)


def test_arguments_that_have_a_field_and_those_that_nobody_knows(monkeypatch):
    monkeypatch.setattr(arguments, "names", lambda: frozenset({"enforce_eager", "dtype"}))
    (expert,) = parse({"experts": [HOUSE | {"engine": {"arguments": {"enforce_eager": True}}}]}, {}).experts
    create(expert, Context())
    wrong = {"arguments": {"enforce_eagerly": True, "dtype": "auto"}}
    (expert,) = parse({"experts": [HOUSE | {"engine": wrong}]}, {}).experts
    with pytest.raises(ConfigError) as raised:
        create(expert, Context())
    assert raised.value.message.splitlines() == [
        "experts.house.engine.arguments.enforce_eagerly: vLLM has no such engine argument",
        "experts.house.engine.arguments.dtype: is set with engine.dtype",
    ]


def test_the_engine_s_arguments():
    engine = EngineConfig(max_model_len=512, arguments={"seed": 3})
    made = engine_arguments("/m", engine, 1.0, ())
    assert made == {
        "model": "/m",
        "max_model_len": 512,
        "dtype": "auto",
        "tensor_parallel_size": 1,
        "pipeline_parallel_size": 1,
        "distributed_executor_backend": "uni",
        "seed": 3,
    }
    cpu = engine_arguments("/m", engine, 0.0, (4, 12))
    assert (cpu["enforce_eager"], cpu["kv_cache_memory_bytes"]) == (True, 1 << 30)
    assert (cpu["enable_lora"], cpu["max_loras"], cpu["max_lora_rank"]) == (True, 2, 16)
    assert engine_arguments("/m", engine, 0.4, ())["gpu_memory_utilization"] == 0.36
    eager = EngineConfig(arguments={"enforce_eager": False})
    assert engine_arguments("/m", eager, 0.0, ())["enforce_eager"] is False


def test_what_a_replica_reserves():
    one = reserved(EngineConfig(accelerator_type="H100"), 1.0)["ray_actor_options"]
    assert (one["num_gpus"], one["num_cpus"], one["accelerator_type"]) == (1.0, 0.1, "H100")
    assert reserved(EngineConfig(), 0.25)["ray_actor_options"]["num_gpus"] == 0.25
    together = reserved(EngineConfig(tensor_parallel_size=2, pipeline_parallel_size=2), 1.0)
    assert together["ray_actor_options"]["num_gpus"] == 4
    apart = reserved(EngineConfig(pipeline_parallel_size=2, placement="SPREAD", cpus=2), 1.0)
    assert apart["placement_group_strategy"] == "SPREAD"
    assert apart["placement_group_bundles"] == [{"CPU": 2.0, "GPU": 1.0}, {"CPU": 1.0, "GPU": 1.0}]
    assert "num_gpus" not in apart["ray_actor_options"]
    assert (
        engine_arguments("/m", EngineConfig(pipeline_parallel_size=2, placement="PACK"), 1.0, ())[
            "distributed_executor_backend"
        ]
        == "ray"
    )


def test_the_environment_is_the_user_s_before_ours():
    cpu = environment(EngineConfig(cpus=3, env={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}), 0.0)
    assert cpu["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"
    assert (cpu["OMP_NUM_THREADS"], cpu["HF_HUB_OFFLINE"]) == ("1", "1")
    assert environment(EngineConfig(cpus=3), 0.0)["OMP_NUM_THREADS"] == "3"
    assert "HF_HUB_OFFLINE" not in environment(EngineConfig(), 1.0)
    assert "OMP_NUM_THREADS" not in environment(EngineConfig(), 1.0)


def test_how_many_replicas():
    assert scaled(EngineConfig()) == {"num_replicas": 1}
    assert scaled(EngineConfig(replicas=3)) == {"num_replicas": 3}
    scaling = {"min_replicas": 0, "max_replicas": 4, "upscaling_factor": 2.0}
    made = scaled(EngineConfig(max_num_seqs=32, autoscaling_config=scaling))["autoscaling_config"]
    assert (made["min_replicas"], made["target_ongoing_requests"], made["upscaling_factor"]) == (0, 16, 2.0)
    assert made["downscaling_factor"] == 0.5
    own = EngineConfig(autoscaling_config={"target_ongoing_requests": 5, "downscaling_factor": 1.0})
    assert scaled(own)["autoscaling_config"]["target_ongoing_requests"] == 5
    assert scaled(own)["autoscaling_config"]["downscaling_factor"] == 1.0


def test_serve_takes_what_is_said():
    from ray.serve.config import AutoscalingConfig

    made = AutoscalingConfig(**scaled(EngineConfig(autoscaling_config={"max_replicas": 3}))["autoscaling_config"])
    assert made.policy.policy_function is not None


@pytest.mark.parametrize(
    ("requests", "busy", "replicas"),
    [
        (0, [], 0),
        (0, [0.0], 0),
        (64, [0.4, 0.4], 2.0),
        (2, [1.6], 2.0),  # two long requests fill the KV cache
        (96, [1.6], 3.0),
    ],
)
def test_replicas_by_requests_and_by_the_engines_own_load(requests, busy, replicas):
    assert wanted(requests, 32, busy) == pytest.approx(replicas)


def test_the_policy_reads_what_serve_tells_it():
    config = SimpleNamespace(get_target_ongoing_requests=lambda: 4)
    told = SimpleNamespace(total_num_requests=8, aggregated_metrics={BUSY: {"a": 2.0, "b": 1.2}}, config=config)
    assert by_load(told) == (pytest.approx(4.0), {})
    untold = SimpleNamespace(total_num_requests=8, aggregated_metrics=None, config=config)
    assert by_load(untold) == (2.0, {})


def test_replicas_that_answered_lately_keep_one_up_and_ask_for_no_more():
    assert [math.ceil(wanted(0, 5, [NEEDED] * replicas)) for replicas in (1, 2, 50)] == [1, 1, 1]
    assert wanted(0, 5, [0.0]) == 0


@pytest.mark.parametrize(
    ("load", "busy"),
    [
        (EngineLoad(), 0.0),
        (EngineLoad(running=4, places=16), 0.25),
        (EngineLoad(running=4, places=16, kv_use=0.9), 0.9),
        (EngineLoad(running=16, waiting=16, places=16), 2.0),
        (EngineLoad(running=2, waiting=4, places=16, kv_use=1.0), 3.0),  # the cache is the limit
        (EngineLoad(waiting=3, places=16), 3.0),
    ],
)
def test_how_busy_an_engine_is(load, busy):
    assert load.busy == busy


def test_the_first_report_is_known_at_once():
    reports = Reports()
    assert reports.engine() is None
    reports.note(EngineLoad(replica="a", running=1))
    assert reports.engine() is not None


def test_reports_of_replicas_add_up_and_grow_old(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("deployments.loads.time.monotonic", lambda: clock.now)
    reports = Reports()
    assert reports.engine() is None
    reports.note(EngineLoad("a", running=9, places=16))
    reports.note(EngineLoad("a", running=2, places=16, kv_use=0.5))
    clock.now += 3
    reports.note(EngineLoad("b", running=6, waiting=1, places=16, prefix_hits=7))
    total = reports.engine()
    assert (total.running, total.waiting, total.places, total.kv_use, total.prefix_hits) == (8, 1, 32, 0.25, 7)
    clock.now += 3
    assert reports.engine().running == 6
    clock.now += 3
    assert reports.engine() is None


def test_what_was_asked_since_a_report_counts(monkeypatch):
    clock, own = SimpleNamespace(now=100.0), Counter({"a": 2})
    monkeypatch.setattr("deployments.loads.time.monotonic", lambda: clock.now)
    reports = Reports(own)
    reports.note(EngineLoad("a", running=5, places=8))

    def seen():
        clock.now += 0.2
        load = reports.engine()
        return load.running, load.waiting

    assert seen() == (5, 0)
    own["a"] += 6  # by the report alone the engine still looks half empty
    assert seen() == (8, 3)
    own["a"] = 0
    assert seen() == (3, 0)
    own["a"] = 1
    reports.note(EngineLoad("a", running=2, waiting=4, places=8))  # its cache is full with two
    own["a"] += 1
    assert seen() == (2, 5)


def test_gpus_are_taken_where_there_are_some():
    assert default_gpus(EngineConfig(), {"GPU": 2.0}) == 1.0
    assert default_gpus(EngineConfig(), {"CPU": 2.0}) == 0.0
    assert default_gpus(EngineConfig(gpus=0), {"GPU": 2.0}) == 0.0


async def test_the_library_says_where_engines_run():
    from mixture.errors import ExpertUnavailable
    from mixture.streams import complete
    from mixture.types import Message, Query

    config = parse({"experts": [HOUSE, {"name": "a", "provider": "lora", "expert": "house", "model": "/a"}]}, {})
    house = create(config.experts[0], Context())
    for made in (house, create(config.experts[1], Context(experts={"house": house}))):
        with pytest.raises(ExpertUnavailable, match="engines run under Ray Serve") as raised:
            await complete(made, Query((Message("user", "hello"),)))
        assert raised.value.code == "engine_not_running"
