"""Whether the engines that a configuration asks for find their place, on this machine or on a cluster that a file
describes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mixture.config import Config, ConfigError, EngineConfig, ExpertConfig, document
from mixture.providers.vllm.adapters import check
from mixture.providers.vllm.memory import GIB, need, too_large
from mixture.providers.vllm.nodes import Node
from mixture.providers.vllm.room import most, remaining, unplaced
from mixture.providers.vllm.weights import Weights

GIGABYTES: Mapping[str, int] = {
    "T4": 16, "P4": 8, "P100": 16, "V100": 16, "A10G": 24, "L4": 24, "L40S": 48, "A100": 40, "A100-40G": 40,
    "A100-80G": 80, "H100": 80, "H20": 96, "H200": 141, "B200": 180,
}  # fmt: skip
"""Memory of GPUs by Ray's names of them, in 10^9 bytes, by their makers' data sheets (V100 and A100: the smaller)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where engines are to run: the nodes, and the bytes of a GPU by its type where known."""

    name: str
    nodes: Sequence[Node]
    memory: Mapping[str, float] = field(default_factory=dict)

    def memory_of(self, kind: str | None) -> float | None:
        """Bytes of one GPU of a type; without a type, of the smallest that is known."""
        if kind is not None:
            return self.memory.get(kind) or (GIGABYTES[kind] * 1e9 if kind in GIGABYTES else None)
        return min(self.memory.values(), default=None)


def this_machine() -> Place:
    """Processors and GPUs of this machine."""
    gpus = _gpus()
    resources = {"CPU": float(os.cpu_count() or 1), "GPU": float(len(gpus))}
    resources |= {f"accelerator_type:{kind}": 1.0 for kind, _ in gpus}
    return Place("this machine", [Node.of(resources)], dict(gpus))


def _gpus() -> list[tuple[str, float]]:
    """(Ray's name of its type, bytes) of each GPU here."""
    from ray._private.accelerators.nvidia_gpu import NvidiaGPUAcceleratorManager as Nvidia

    pynvml: Any = import_module("ray._private.thirdparty.pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(at) for at in range(pynvml.nvmlDeviceGetCount())]
        kind = Nvidia.get_current_node_accelerator_type() or ""
        return [(kind, float(pynvml.nvmlDeviceGetMemoryInfo(handle).total)) for handle in handles]
    finally:
        pynvml.nvmlShutdown()


def of_cluster(file: Path) -> Place:
    """The nodes that a file of Ray's cluster launcher, or a RayService or RayCluster of KubeRay, may start at most.
    Raises ConfigError.
    """
    data = document(file)
    kinds = _kinds(file, data) if isinstance(data, dict) else None
    if not isinstance(kinds, dict):
        raise ConfigError(
            f"{file}: a RayService is expected, or a file of Ray's cluster launcher with available_node_types"
        )
    nodes: list[Node] = []
    for name, kind in kinds.items():
        resources, labels = kind.get("resources") or {}, kind.get("labels") or {}
        if not isinstance(resources, dict) or not isinstance(labels, dict):
            raise ConfigError(f"{file}: available_node_types.{name}: resources and labels are mappings")
        head = name == data.get("head_node_type", "headgroup")
        count = 1 if head else int(kind.get("max_workers", data.get("max_workers", 1)))
        nodes += [Node.of({str(key): float(value) for key, value in resources.items()}, labels)] * count
    types = {kind for node in nodes for kind in node.kinds}
    return Place(str(file), nodes, {kind: GIGABYTES[kind] * 1e9 for kind in types if kind in GIGABYTES})


def _kinds(file: Path, data: dict[str, Any]) -> Any:
    """The types of nodes by their names; of KubeRay's groups as Ray's own autoscaler reads them."""
    if data.get("kind") not in ("RayService", "RayCluster"):
        return data.get("available_node_types")
    from ray.autoscaler._private.kuberay import autoscaling_config

    spec = data.get("spec") or {}
    if data["kind"] == "RayService":
        spec = spec.get("rayClusterConfig") or {}
    try:
        return autoscaling_config._generate_available_node_types_from_ray_cr_spec(spec)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"{file}: Ray's autoscaler can't read these groups: {error}") from None


def faults_of(config: Config, place: Place) -> Iterator[str]:
    """What keeps engines and adapters of `config` from running at `place`, a line each, and what would fit."""
    free: Sequence[Node] = place.nodes
    weights: dict[str, Weights | None] = {}
    for expert in config.experts:
        if expert.provider == "vllm":
            try:
                weights[expert.name] = Weights.read(expert.model or "")
            except ConfigError as error:
                yield f"experts.{expert.name}.{error.message}"
                continue
            yield from _engine_faults(expert, weights[expert.name], place, free)
            free = remaining(*_asked(expert, place), free)
    for expert in config.experts:
        if expert.provider == "lora" and expert.expert in weights:
            try:
                check(expert, weights[expert.expert])
            except ConfigError as error:
                yield error.message


def _asked(expert: ExpertConfig, place: Place) -> tuple[EngineConfig, float]:
    engine = expert.engine or EngineConfig()
    some = any(node.gpus for node in place.nodes)
    return engine, engine.gpus if engine.gpus is not None else float(some)


def _engine_faults(expert: ExpertConfig, weights: Weights | None, place: Place, free: Sequence[Node]) -> Iterator[str]:
    engine, gpus = _asked(expert, place)
    where = f"experts.{expert.name}.engine"
    if why := unplaced(engine, gpus, free):
        yield f"{where}: no place on {place.name}: {why}"
    if weights is None:
        return
    longest = weights.window
    if engine.max_model_len and longest and engine.max_model_len > longest and "hf_overrides" not in engine.arguments:
        yield f"{where}.max_model_len: {engine.max_model_len} is more than the model's own limit of {longest}"
    memory = place.memory_of(engine.accelerator_type)
    if gpus and memory is not None and (why := too_large(weights, engine, memory, gpus)):
        yield f"{where}: too large for a GPU of {place.name}: {why}"


def notes_of(config: Config, place: Place) -> Iterator[str]:
    """What each engine needs, by the formula in `mixture.providers.vllm.memory`, a line each."""
    for expert in config.experts:
        if expert.provider != "vllm":
            continue
        engine, gpus = _asked(expert, place)
        yield from _fewer(expert.name, engine, gpus, place)
        wanted = _need(expert, engine)
        on = f"{gpus * engine.workers:g} GPU" if gpus else "the CPU"
        if wanted is None:
            yield f"{expert.name}: on {on}; its files are not here, so its memory was not checked"
            continue
        known = place.memory_of(engine.accelerator_type) if gpus else None
        room = f", of {known / GIB:.1f} GiB" if known else ""
        yield (
            f"{expert.name}: on {on}; a worker needs {wanted.total / GIB:.1f} GiB{room} (weights "
            f"{wanted.weights / GIB:.1f}, KV cache of one request of {wanted.length} tokens {wanted.cache / GIB:.1f})"
        )


def _fewer(name: str, engine: EngineConfig, gpus: float, place: Place) -> Iterator[str]:
    """A word where autoscaling may ask for more replicas than the place can ever have, other engines left aside."""
    if engine.autoscaling_config is None:
        return
    wanted = engine.autoscaling_config.max_replicas
    if (found := most(engine, gpus, place.nodes, wanted)) < wanted:
        yield f"{name}: max_replicas is {wanted}, and {place.name} has room for {found} at its most"


def _need(expert: ExpertConfig, engine: EngineConfig) -> Any:
    try:
        weights = Weights.read(expert.model or "")
    except ConfigError:
        return None
    return need(weights, engine) if weights is not None else None
