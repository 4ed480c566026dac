"""The cluster with the application on it: a gateway on each machine, and a replica of each expert."""

from __future__ import annotations

import csv
import json
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from benchmarks.nodes import HTTP_PORT, RAY_PORT, START_SECONDS, Cluster, Node, cluster, until
from benchmarks.reporting import progress

WORDS = "one two three four five six seven eight nine ten"
RATE = 10
"""Words a second: an answer takes a second, so that what dies has answers at work."""
MODELS = ("words", "either")
STARTED = re.compile(r"started successfully .*\(PID: (\d+)\)")


def schema(key: str, text: str = WORDS, small: bool = False) -> dict[str, Any]:
    """Serve's configuration: `words` and `spare` are hosted apart, `either` is one and then the other. A `small` one
    does without `spare`.
    """

    def expert(name: str, said: str) -> dict[str, Any]:
        options = {"text": said, "rate": RATE}
        own = {"provider": "scripted", "hosted": True, "options": options}
        return {"name": name, **own, "num_retries": 1}

    names = ["words"] if small else ["words", "spare"]
    either = {"strategy": "cascade", "experts": names, "fallback_order": names}
    args = {
        "experts": [expert(name, text if name == "words" else WORDS) for name in names],
        "aliases": {"either": either},
        "server": {"api_keys": [key], "log": "off"},
    }
    # One on each machine, and none on the head.
    spread = {"num_replicas": 2, "max_replicas_per_node": 1}
    place = {"num_cpus": 0.1, "resources": {"worker": 1}}
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": HTTP_PORT},
        "applications": [
            {
                "name": "mixture",
                "route_prefix": "/",
                "import_path": "deployments.app:build",
                "args": args,
                "deployments": [{"name": name, **spread, "ray_actor_options": place} for name in _spread_out(small)],
            }
        ],
    }


def _spread_out(small: bool) -> tuple[str, ...]:
    """The deployments with a replica on each machine."""
    return ("gateway", "expert-words") if small else ("gateway", "expert-words", "expert-spare")


@dataclass(slots=True)
class Stage:
    """The cluster with the application on it."""

    made: Cluster
    key: str
    small: bool = False

    def deploy(self, text: str = WORDS) -> None:
        """Deploy from the head, and wait until it runs. Raises RuntimeError when it does not."""
        head, log = self.made.head, self.made.folder / "deploy.log"
        address = f"{head.address}:{RAY_PORT}"
        words = [
            sys.executable,
            "-m",
            "benchmarks.deploying",
            address,
            head.address,
            json.dumps(schema(self.key, text, self.small)),
        ]
        if head.run(words, log).wait(START_SECONDS * 3):
            raise RuntimeError(f"the application was not deployed:\n{log.read_text(errors='replace')[-3000:]}")

    def whole(self) -> bool:
        """Whether every machine answers, and each deployment has its two replicas, and each HAProxy both gateways."""
        return (
            all(len(self.replicas(name)) >= 2 for name in _spread_out(self.small))
            and all(self.gateways(node) >= 2 for node in self.made.workers)
            and all(self.said(node) for node in self.made.workers)
        )

    def replicas(self, name: str) -> list[tuple[Node, int]]:
        """The replicas of a deployment that have started: where, and their process ids. Ray names a process by what it
        does, and Serve's controller writes down which have started.
        """
        logs = (self.made.folder / "ray").glob("session_2*/logs/serve/controller_*.log")
        started = {int(pid) for log in logs for pid in STARTED.findall(log.read_text(errors="replace"))}
        found = [(node, node.processes(f"ServeReplica:mixture:{name}")) for node in self.made.workers]
        return [(node, pid) for node, all_ in found for pid in all_ if pid in started]

    def gateways(self, node: Node) -> int:
        """How many gateways the HAProxy of a machine takes for running."""
        try:
            with urlopen(node.statistics, timeout=10) as response:
                rows = csv.reader(response.read().decode().splitlines())
        except OSError:
            return 0
        return sum(row[1].startswith("SERVE_REPLICA") and row[17] == "UP" for row in rows if len(row) > 17)

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
def staged(small: bool = False) -> Iterator[Stage]:
    """The cluster with its application, ready; a `small` one has two machines, one of them the head, and one expert."""
    with cluster(works=small) as made:
        stage = Stage(made, f"mx-{secrets.token_hex(8)}", small)
        for name in ("head", "one") if small else ("head", "one", "two"):
            progress(f"starting {name}")
            made.add(name)
        progress("deploying")
        stage.deploy()
        until(stage.whole, "every node's answer")
        yield stage


def healthy(node: Node) -> bool:
    """What a load balancer asks a machine."""
    try:
        with urlopen(f"{node.url}/-/healthz", timeout=10) as response:
            return bool(response.status == 200)
    except OSError:
        return False
