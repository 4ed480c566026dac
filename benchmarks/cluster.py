"""A cluster under load while its parts die: what becomes of the requests?

Three machines, each a network namespace with a raylet: a head with the cluster's state and Serve's controller, two with
a gateway each and a replica of each expert (HAProxy on every node). Clients ask all addresses without a pause, three of
four requests streamed, while in turn an expert's replica is killed, a gateway, a whole machine (and another one comes),
a machine is drained, the controller is killed, the process with the cluster's state (with Redis behind it), and one
model is changed. Counts are printed for each. Keys: `requests`, `answered` (`elsewhere` among them: by another address,
replica or expert than the first), `broken` (begun, ended with the error in the stream), `refused`, `cut`, `malformed`,
`hung`; see `benchmarks.load`. Only requests to a machine or gateway that dies may be cut.

It takes Linux, root and about 5 GB of memory. An engine's own process that dies is in `make test-engine`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.load import OUTCOMES, Load
from benchmarks.nodes import impossible, until
from benchmarks.reporting import finish, options, progress, skipped, table
from benchmarks.stage import MODELS, Stage, healthy, staged

CLIENTS = 8
CROWD = 32
"""Requests at once."""


@contextmanager
def loaded(stage: Stage) -> Iterator[Load]:
    """Clients at work while the block runs."""
    load = Load([node.url for node in stage.made.workers], stage.key, MODELS)
    thread = threading.Thread(target=lambda: asyncio.run(load.run(CLIENTS)))
    thread.start()
    try:
        until(lambda: load.counts.total() >= CLIENTS, "the first answers", 60)
        yield load
    finally:
        load.ended = True
        thread.join()


def after(stage: Stage, load: Load) -> None:
    """Until all is whole again, and every client has had two more answers. What a small cluster has lost is not waited
    for.
    """
    if not stage.small:
        until(stage.whole, "the cluster whole again")
    seen = load.counts.total()
    until(lambda: load.counts.total() >= seen + 2 * CLIENTS, "answers after it")


def replica_dies(stage: Stage, load: Load) -> None:
    """An expert's replica is killed."""
    node, _ = stage.replicas("expert-words")[0]
    node.kill("ServeReplica:mixture:expert-words")


def gateway_dies(stage: Stage, load: Load) -> None:
    """A gateway is killed; the proxy of its machine goes on."""
    node, _ = stage.replicas("gateway")[0]
    node.kill("ServeReplica:mixture:gateway")


def node_dies(stage: Stage, load: Load) -> None:
    """A machine is switched off, that of the ledger, of which there is one; and a new one comes. It is between two
    crowds, so that each HAProxy has connections at rest to each gateway, and sends over them what comes next.
    """
    node, _ = stage.replicas("ledger")[0]
    name = next(name for name, one in stage.made.nodes.items() if one is node)
    load.crowd(CROWD).result()
    load.gone.add(node.url)
    stage.made.remove(name)
    crowd = load.crowd(CROWD)
    new = stage.made.add(f"{name}-again")
    until(lambda: bool(stage.said(new)), "an answer from the new machine")
    load.addresses[load.addresses.index(node.url)] = new.url
    crowd.result()


def node_drains(stage: Stage, load: Load) -> None:
    """A machine is drained when another one has come, and switched off when Serve has left it. Clients leave it when
    its HAProxy says that it is not healthy any more.
    """
    node = stage.made.workers[0]
    name = next(name for name, one in stage.made.nodes.items() if one is node)
    new = stage.made.add(f"{name}-next")
    stage.made.drain(node)
    until(lambda: not healthy(node), "the end of its health")
    until(lambda: healthy(new), "the health of the new machine")
    load.addresses[load.addresses.index(node.url)] = new.url
    until(lambda: not node.processes("HAProxyManager"), "the end of its HAProxy")
    stage.made.remove(name)


def controller_restarts(stage: Stage, load: Load) -> None:
    """Serve's controller is killed; Ray starts it again."""
    head = stage.made.head
    before = set(head.processes("ServeController"))
    head.kill("ServeController")
    until(lambda: bool(set(head.processes("ServeController")) - before), "another controller")


def state_restarts(stage: Stage, load: Load) -> None:
    """The process with the cluster's state is killed and started again."""
    stage.made.head.restart("gcs_server")
    until(lambda: bool(stage.made.head.processes("gcs_server")), "the process with the cluster's state")


def model_changes(stage: Stage, load: Load) -> None:
    """A rolling update gives one expert another model."""
    stage.deploy("ten nine eight seven six five four three two one")
    until(lambda: all(stage.said(node).startswith("ten") for node in stage.made.workers), "the new model everywhere")


FAULTS: dict[str, Callable[[Stage, Load], None]] = {
    "a replica dies": replica_dies,
    "a gateway dies": gateway_dies,
    "a node dies, one joins": node_dies,
    "a node is drained, one joins": node_drains,
    "the controller restarts": controller_restarts,
    "the cluster's state restarts": state_restarts,
    "a model is changed": model_changes,
}
QUICK = ("a replica dies", "the controller restarts")


def suffered(stage: Stage, name: str) -> Counter[str]:
    """What became of the requests while one fault came and passed."""
    with loaded(stage) as load:
        FAULTS[name](stage, load)
        after(stage, load)
    if load.said:
        progress(f"errors said: {dict(load.said)}")
    return load.counts


def total(counts: dict[str, Counter[str]]) -> dict[str, Any]:
    """The last line."""
    summed = sum(counts.values(), Counter[str]())
    whole = {"requests": summed.total(), **{name: summed[name] for name in OUTCOMES}}
    whole["answered"] += summed["elsewhere"]
    return {**whole, "faults": {name: dict(found) for name, found in counts.items()}}


def main() -> None:
    """Start the cluster, hurt it, print."""
    chosen = options(__doc__).parse_args()
    if why := impossible():
        skipped(why)
    counts: dict[str, Counter[str]] = {}
    with staged(small=chosen.quick) as stage:
        for name in QUICK if chosen.quick else FAULTS:
            if FAULTS[name] is state_restarts and not stage.made.redis:
                progress(f"left out: {name}, because redis-server is not installed")
                continue
            progress(name)
            counts[name] = suffered(stage, name)
            progress(f"{dict(counts[name])}")
    rows = [(name, found.total(), *(found[outcome] for outcome in OUTCOMES)) for name, found in counts.items()]
    table("what became of the requests", ("fault", "requests", *OUTCOMES), rows)
    finish("cluster", total(counts), save=chosen.save)


if __name__ == "__main__":
    main()
