"""Why an engine finds no place on the nodes that there are, and what would find one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mixture.config import EngineConfig
from mixture.providers.vllm.nodes import Node, placed, suited


def unplaced(engine: EngineConfig, gpus: float, nodes: Sequence[Node]) -> str | None:
    """Why the replicas of an engine that are always there, one at least, have no place on `nodes`, and with what they
    would; None when they have. Where no node is known nothing can be said.
    """
    count = max(1, engine.least_replicas)
    if not nodes or placed(engine, gpus, nodes, count) is not None:
        return None
    return f"{_why(engine, gpus, nodes, count)}; {_would(engine, gpus, nodes, count)}"


def remaining(engine: EngineConfig, gpus: float, nodes: Sequence[Node]) -> Sequence[Node]:
    """What is left beside the replicas of an engine that are always there; all of it where they have no place."""
    found = placed(engine, gpus, nodes, engine.least_replicas)
    return nodes if found is None else found


def most(engine: EngineConfig, gpus: float, nodes: Sequence[Node], wanted: int) -> int:
    """How many of `wanted` replicas find a place."""
    return next((count for count in range(wanted, 0, -1) if placed(engine, gpus, nodes, count) is not None), 0)


def _why(engine: EngineConfig, gpus: float, nodes: Sequence[Node], count: int) -> str:
    labelled = [node for node in nodes if suited(_bare(engine, labels=False), 0.0, node)]
    if not labelled:
        return f"no node has the labels {_words(engine.labels)} ({_there(engine, nodes)})"
    fitting = [node for node in labelled if suited(engine, gpus, node)]
    each, alone = gpus * engine.workers, engine.placement == "STRICT_PACK" or engine.workers == 1
    everywhere, largest = sum(node.free for node in fitting), max((node.free for node in fitting), default=0.0)
    named = f" of type {engine.accelerator_type}" if engine.accelerator_type else ""
    if alone and each > largest > 0 and len(nodes) > 1:
        return f"it needs {each:g} GPUs{named} and the largest node has {largest:g}"
    if each * count > everywhere:
        return f"it needs {each * count:g} GPUs{named} and there {f'are {everywhere:g}' if everywhere else 'is none'}"
    reserved, processors = engine.cpus * count, sum(node.cpus for node in fitting or labelled)
    if reserved > processors + 1e-9:
        return f"it reserves {reserved:g} processors and {max(0.0, processors):g} are left"
    return (
        f"{count} {'replica' if count == 1 else 'replicas'} of {engine.workers} x {gpus:g} GPUs{named} and "
        f"{engine.cpus:g} processors find no room together: what is free is in pieces ({_pieces(fitting)})"
    )


def _would(engine: EngineConfig, gpus: float, nodes: Sequence[Node], count: int) -> str:
    for words, other, share, replicas in _alternatives(engine, gpus, nodes, count):
        if placed(other, share, nodes, replicas) is not None:
            return f"with {words}"
    return "lower engine.cpus or the number of replicas, or add nodes"


Alternative = tuple[str, EngineConfig, float, int]


def _alternatives(engine: EngineConfig, gpus: float, nodes: Sequence[Node], count: int) -> Iterator[Alternative]:
    """Smaller changes before larger ones: words for what would do, and what is tried."""
    fits = most(engine, gpus, nodes, count - 1)
    if fits:
        yield f"{_replicas(engine)}: {fits} it would fit", engine, gpus, fits
    if engine.workers > 1 and engine.placement == "STRICT_PACK":
        yield "placement: PACK it would, over several nodes", _changed(engine, placement="PACK"), gpus, count
    for kind in sorted({kind for node in nodes for kind in node.kinds}) if engine.accelerator_type and gpus else ():
        yield f"accelerator_type: {kind} it would", _changed(engine, accelerator_type=kind), gpus, count
    if engine.labels:
        yield "other labels, or without any, it would", _bare(engine), gpus, count
    if engine.max_replicas_per_node is not None:
        yield "a larger max_replicas_per_node it would", _changed(engine, max_replicas_per_node=None), gpus, count
    if engine.cpus > 0.1:
        yield "engine.cpus: 0.1 it would", _changed(engine, cpus=0.1), gpus, count
    if gpus:
        yield "gpus: 0 it would run on the CPU", _changed(engine, gpus=0), 0.0, count


def _replicas(engine: EngineConfig) -> str:
    return "replicas" if engine.autoscaling_config is None else "autoscaling_config.min_replicas"


def _changed(engine: EngineConfig, **fields: Any) -> EngineConfig:
    return engine.model_copy(update=fields)


def _bare(engine: EngineConfig, *, labels: bool = True) -> EngineConfig:
    """Without labels or, with `labels` false, with nothing but them."""
    if labels:
        return _changed(engine, labels={}, fallback_labels=())
    return _changed(engine, accelerator_type=None)


def _words(labels: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in labels.items())


def _there(engine: EngineConfig, nodes: Sequence[Node]) -> str:
    """The values that there are of the labels that are asked for."""
    found = {name: sorted({node.labels[name] for node in nodes if name in node.labels}) for name in engine.labels}
    return "; ".join(f"{name}: {', '.join(values) or 'on no node'}" for name, values in found.items())


def _pieces(nodes: Sequence[Node]) -> str:
    """Of each node what is free, the same ones counted."""
    told: dict[str, int] = {}
    for node in nodes:
        words = f"{node.cpus:g} processors and {node.free:g} GPUs"
        told[words] = told.get(words, 0) + 1
    return ", ".join(f"{count} x {words}" for words, count in told.items())
