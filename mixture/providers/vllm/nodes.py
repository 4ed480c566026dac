"""Where an engine's replicas go: nodes with processors, GPUs and labels, filled by Ray's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mixture.config import EngineConfig

ACCELERATOR = "ray.io/accelerator-type"
"""The label that Ray gives a node with GPUs by itself."""
_WHOLE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one process of a replica reserves on one node."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Node:
    """What is free on a node: processors, and of each of its GPUs the share that is. `kinds` are Ray's names of their
    type; `replicas` counts those of the engine that is being placed.
    """

    cpus: float
    gpus: tuple[float, ...] = ()
    kinds: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 0

    @classmethod
    def of(cls, resources: Mapping[str, float], labels: Mapping[str, str] | None = None) -> Node:
        """From Ray's resources of a node (`CPU`, `GPU`, `accelerator_type:NAME`) and its labels."""
        kinds = frozenset(name.partition(":")[2] for name in resources if name.startswith("accelerator_type:"))
        known = ({ACCELERATOR: min(kinds)} if kinds else {}) | dict(labels or {})
        gpus = (1.0,) * int(resources.get("GPU", 0))
        return cls(float(resources.get("CPU", 0.0)), gpus, kinds | {known.get(ACCELERATOR, "")} - {""}, known)

    @property
    def free(self) -> float:
        """GPUs that are free, shares added up."""
        return sum(self.gpus)

    def with_(self, bundle: Bundle) -> Node | None:
        """What is left beside `bundle`; None where it does not fit. A share of a GPU goes where the least is left."""
        if bundle.cpus > self.cpus + 1e-9:
            return None
        gpus = sorted(self.gpus)
        whole = int(bundle.gpus + 1e-9)
        if whole:
            if sum(share >= _WHOLE for share in gpus) < whole:
                return None
            gpus = gpus[: len(gpus) - whole] + [0.0] * whole
        elif bundle.gpus:
            at = next((place for place, share in enumerate(gpus) if share >= bundle.gpus - 1e-9), None)
            if at is None:
                return None
            gpus[at] -= bundle.gpus
        return replace(self, cpus=self.cpus - bundle.cpus, gpus=tuple(gpus))


def bundles(engine: EngineConfig, gpus: float) -> tuple[Bundle, ...]:
    """What a replica with workers of `gpus` each reserves: in one piece where all of it is on one node, otherwise its
    own process with the first worker, and each further worker.
    """
    if engine.workers == 1 or engine.placement == "STRICT_PACK" or gpus == 0:
        return (Bundle(engine.cpus, gpus * engine.workers),)
    return (Bundle(engine.cpus, gpus), *(Bundle(1.0, gpus),) * (engine.workers - 1))


def suited(engine: EngineConfig, gpus: float, node: Node) -> bool:
    """Whether a node is of the kind that the engine asks for, however full it is."""
    if gpus and engine.accelerator_type and engine.accelerator_type not in node.kinds:
        return False
    wishes = (engine.labels, *engine.fallback_labels)
    return any(all(selects(value, node.labels.get(name)) for name, value in wish.items()) for wish in wishes)


def selects(selector: str, label: str | None) -> bool:
    """Ray's selectors of a label: `a`, `!a`, `in(a,b)`, `!in(a,b)`. A label that is not there is none of them."""
    bare = selector.removeprefix("!")
    values = bare[3:-1].replace(" ", "").split(",") if bare.startswith("in(") else [bare]
    return (label in values) != selector.startswith("!")


def placed(engine: EngineConfig, gpus: float, nodes: Sequence[Node], count: int) -> tuple[Node, ...] | None:
    """The nodes with `count` replicas on them; None where these find no place one after the other."""
    now: tuple[Node, ...] | None = tuple(replace(node, replicas=0) for node in nodes)
    for _ in range(count):
        now = _one_more(engine, gpus, now) if now is not None else None
    return now


def _one_more(engine: EngineConfig, gpus: float, nodes: tuple[Node, ...]) -> tuple[Node, ...] | None:
    most = engine.max_replicas_per_node
    open_ = [
        at for at, node in enumerate(nodes) if suited(engine, gpus, node) and (most is None or node.replicas < most)
    ]
    wanted = bundles(engine, gpus)
    for order in _orders(engine.placement, open_, len(wanted)):
        if (filled := _filled(nodes, wanted, order, engine.placement)) is not None:
            return filled
    return None


def _orders(placement: str, places: Sequence[int], workers: int) -> Iterator[Sequence[int]]:
    """Which nodes to try, in which order: where workers should be together, each node alone before all."""
    if workers == 1 or placement == "PACK":
        yield from ([at] for at in places)
    if workers > 1:
        yield places


def _filled(
    nodes: tuple[Node, ...], wanted: Sequence[Bundle], order: Sequence[int], placement: str
) -> tuple[Node, ...] | None:
    """`nodes` with each bundle on one of `order`: on another one each time where they are to be spread."""
    now, used = list(nodes), list[int]()
    for bundle in wanted:
        fresh = [at for at in order if at not in used]
        rest = [] if placement == "STRICT_SPREAD" else used
        choices = [*rest, *fresh] if placement == "PACK" else [*fresh, *rest]
        at = next((at for at in choices if now[at].with_(bundle) is not None), None)
        if at is None:
            return None
        left = now[at].with_(bundle)
        assert left is not None  # noqa: S101  it was tried a moment ago
        now[at] = left
        if at not in used:
            used.append(at)
    for at in used:
        now[at] = replace(now[at], replicas=now[at].replicas + 1)
    return tuple(now)
