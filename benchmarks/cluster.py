"""A cluster under load while its parts die: what becomes of the requests?

Three machines, each a network namespace with a raylet: a head with the cluster's state and Serve's controller, two with
a gateway each and a replica of each expert (HAProxy on every node). Clients ask all addresses without a pause, three of
four requests streamed, while in turn an expert's replica is killed, a gateway, a whole machine (and another one comes),
the controller, the process with the cluster's state (with Redis behind it), and while one model is changed. Counts are
printed for each. Keys: `requests`, `answered` (`elsewhere` among them: by another address, replica or expert than the
first), `broken` (begun, ended with the error in the stream), `refused`, `cut`, `malformed`, `hung`; see
`benchmarks.load`. Only requests to a machine or gateway that dies may be cut.

It takes Linux, root and about 5 GB of memory. An engine's own process that dies is in `make test-engine`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.load import OUTCOMES, Load
from benchmarks.nodes import HTTP_PORT, START_SECONDS, Cluster, Node, cluster, impossible, until
from benchmarks.reporting import finish, options, progress, table

CLIENTS = 8
WORDS = "one two three four five six seven eight nine ten"
RATE = 10
"""Words a second: an answer takes a second, so that what dies has answers at work."""
MODELS = ("words", "either")


def schema(key: str, text: str = WORDS) -> dict[str, Any]:
    """Serve's configuration: `words` and `spare` are hosted apart, `either` is one and then the other."""

    def expert(name: str, said: str) -> dict[str, Any]:
        options = {"text": said, "rate": RATE}
        own = {"provider": "scripted", "hosted": True, "options": options}
        return {"name": name, **own, "num_retries": 1}

    either = {"strategy": "cascade", "experts": ["words", "spare"], "fallback_order": ["words", "spare"]}
    args = {
        "experts": [expert("words", text), expert("spare", WORDS)],
        "aliases": {"either": either},
        "server": {"api_keys": [key], "log": "off"},
    }
    # One on each machine, and none on the head.
    spread = {"num_replicas": 2, "max_replicas_per_node": 1}
    place = {"num_cpus": 0.1, "resources": {"worker": 1}}
    names = ("gateway", "expert-words", "expert-spare")
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": HTTP_PORT},
        "applications": [
            {
                "name": "mixture",
                "route_prefix": "/",
                "import_path": "deployments.app:build",
                "args": args,
                "deployments": [{"name": name, **spread, "ray_actor_options": place} for name in names],
            }
        ],
    }


@dataclass(slots=True)
class Stage:
    """The cluster with the application on it."""

    made: Cluster
    key: str

    def deploy(self, text: str = WORDS) -> None:
        """Deploy from the head, and wait until it runs. Raises RuntimeError when it does not."""
        head, log = self.made.head, self.made.folder / "deploy.log"
        address = f"{head.address}:6379"
        words = [
            sys.executable,
            "-m",
            "benchmarks.deploying",
            address,
            head.address,
            json.dumps(schema(self.key, text)),
        ]
        if head.run(words, log).wait(START_SECONDS * 3):
            raise RuntimeError(f"the application was not deployed:\n{log.read_text(errors='replace')[-3000:]}")

    def whole(self) -> bool:
        """Whether every machine answers, and each deployment has its two replicas."""
        names = ("gateway", "expert-words", "expert-spare")
        each = [self.replicas(name) for name in names]
        return all(len(found) >= 2 for found in each) and all(self.said(node) for node in self.made.workers)

    def replicas(self, name: str) -> list[tuple[Node, int]]:
        """The replicas of a deployment that have started: where, and their process ids. Ray names a process by what it
        does.
        """
        found = [(node, node.processes(f"ServeReplica:mixture:{name}")) for node in self.made.workers]
        return [(node, pid) for node, all_ in found for pid, line in all_.items() if "initialize" not in line[0]]

    def said(self, node: Node) -> str:
        """What the expert `words` says when `node` is asked; empty when there is no answer."""
        body = json.dumps({"model": "words", "messages": [{"role": "user", "content": "Count."}]}).encode()
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        try:
            with urlopen(Request(f"{node.url}/v1/chat/completions", body, headers), timeout=10) as response:
                return str(json.load(response)["choices"][0]["message"]["content"])
        except OSError:
            return ""


@contextmanager
def staged() -> Iterator[Stage]:
    """The cluster with its application, ready."""
    with cluster() as made:
        stage = Stage(made, f"mx-{secrets.token_hex(8)}")
        for name in ("head", "one", "two"):
            progress(f"starting {name}")
            made.add(name)
        progress("deploying")
        stage.deploy()
        until(stage.whole, "every node's answer")
        yield stage


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
    """Until all is whole again, and every client has had two more answers."""
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
    """A machine is switched off, that of the ledger, of which there is one; and a new one comes."""
    node, _ = stage.replicas("ledger")[0]
    name = next(name for name, one in stage.made.nodes.items() if one is node)
    load.gone.add(node.url)
    stage.made.remove(name)
    new = stage.made.add(f"{name}-again")
    until(lambda: bool(stage.said(new)), "an answer from the new machine")
    load.addresses[load.addresses.index(node.url)] = new.url


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
        print(f"skipped: {why}")
        return
    counts: dict[str, Counter[str]] = {}
    with staged() as stage:
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
