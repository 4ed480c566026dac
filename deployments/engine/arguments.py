"""From an expert's configuration to vLLM's arguments and to what Ray reserves for a replica."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.engine.scaling import POLICY
from mixture.config import EngineConfig

FIXED = "MIXTURE_FIXED_CLUSTER"
"""Set where no further nodes will come: `mixture serve` on one machine. What finds no place there never will."""
CPU_CACHE_BYTES = 1 << 30
"""Of the KV cache on a CPU, where vLLM would take most of the machine's memory."""
SEQUENCES = 64
"""Taken as `max_num_seqs` where it is not set, for the target of autoscaling."""
QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""An engine of ours reports to nobody."""


def engine_arguments(model: str, engine: EngineConfig, gpus: float, ranks: tuple[int, ...]) -> dict[str, Any]:
    """The arguments of `AsyncEngineArgs`. `gpus`: of each worker, 0 for the CPU. `ranks`: of the adapters."""
    made: dict[str, Any] = {
        "model": model,
        "max_model_len": engine.max_model_len,
        "dtype": engine.dtype,
        "max_num_seqs": engine.max_num_seqs,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "pipeline_parallel_size": engine.pipeline_parallel_size,
        "kv_cache_memory_bytes": engine.kv_cache_bytes,
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "reasoning_parser": engine.reasoning_parser,  # for grammars, which begin where reasoning ends
    }
    made = {name: value for name, value in made.items() if value is not None}
    made["distributed_executor_backend"] = _executor(engine)
    if gpus == 0:
        made |= {"enforce_eager": True, "kv_cache_memory_bytes": engine.kv_cache_bytes or CPU_CACHE_BYTES}
    elif gpus < 1 and engine.gpu_memory_utilization is None:
        made["gpu_memory_utilization"] = round(0.9 * gpus, 3)
    if ranks:
        made |= {"enable_lora": True, "max_loras": len(ranks), "max_lora_rank": _rank(max(ranks))}
    return made | engine.arguments


def _executor(engine: EngineConfig) -> str:
    """One worker in the engine's own process, several on a node in processes of theirs, over nodes as Ray's actors."""
    if engine.workers == 1:
        return "uni"
    return "mp" if engine.placement == "STRICT_PACK" else "ray"


def _rank(rank: int) -> int:
    """The smallest of the ranks that vLLM knows which is enough."""
    return next((known for known in (8, 16, 32, 64, 128, 256, 320, 512) if known >= rank), rank)


def environment(engine: EngineConfig, gpus: float) -> dict[str, str]:
    """The environment variables of a replica: what the user says goes before what the CPU needs."""
    made = dict(QUIET)
    if gpus == 0:
        # Without binding several engines and gateways can share the processors of one machine.
        made |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(max(1, int(engine.cpus)))}
        if engine.workers == 1:  # on the CPU it is this that keeps the worker in the engine's process
            made["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    return made | engine.env


def reserved(engine: EngineConfig, gpus: float) -> dict[str, Any]:
    """Ray Serve's options that say what a replica reserves, and where."""
    actor: dict[str, Any] = {"num_cpus": engine.cpus, "runtime_env": {"env_vars": environment(engine, gpus)}}
    kind = {"accelerator_type": engine.accelerator_type} if engine.accelerator_type and gpus else {}
    if engine.workers == 1 or engine.placement == "STRICT_PACK" or gpus == 0:
        return {
            "ray_actor_options": {**actor, "num_gpus": gpus * engine.workers, **kind, **_labelled(engine)},
            "max_replicas_per_node": engine.max_replicas_per_node,
        }
    # The replica itself stands in the first bundle; vLLM's Ray executor finds the group and fills the rest.
    first: dict[str, float] = {"CPU": engine.cpus, "GPU": gpus}
    bundles = [first, *({"CPU": 1.0, "GPU": gpus} for _ in range(engine.workers - 1))]
    if kind:
        bundles = [{**bundle, f"accelerator_type:{engine.accelerator_type}": 0.001} for bundle in bundles]
    return {
        "ray_actor_options": actor,
        "placement_group_bundles": bundles,
        "placement_group_strategy": engine.placement,
        **({"placement_group_bundle_label_selector": [engine.labels]} if engine.labels else {}),
    }


def _labelled(engine: EngineConfig) -> dict[str, Any]:
    """Which nodes a replica may go to, and which if there is no room on those."""
    made: dict[str, Any] = {"label_selector": engine.labels} if engine.labels else {}
    if engine.fallback_labels:
        made["fallback_strategy"] = [{"label_selector": labels} for labels in engine.fallback_labels]
    return made


def scaled(engine: EngineConfig) -> dict[str, Any]:
    """Ray Serve's options that say how many replicas there are."""
    wanted = engine.autoscaling_config
    if wanted is None:
        return {"num_replicas": engine.replicas or 1}
    made = {"policy": {"policy_function": POLICY}, **wanted.model_dump()}
    if wanted.target_ongoing_requests is None:
        made["target_ongoing_requests"] = max(1, (engine.max_num_seqs or SEQUENCES) // 2)
    return {"autoscaling_config": made}


def default_gpus(engine: EngineConfig, cluster: Mapping[str, float]) -> float:
    """The GPUs of each worker: as configured, else one where the cluster has any."""
    if engine.gpus is not None:
        return engine.gpus
    return 1.0 if cluster.get("GPU", 0) > 0 else 0.0
