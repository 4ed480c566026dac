"""A cluster on one machine: network namespaces on a bridge, a raylet in each, so that every node has an address and all
ports of its own, and can be made to die like a machine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from commands.environment import Held, for_ray

RAY_PORT, HTTP_PORT, REDIS_PORT = 6379, 8000, 6380
RAY = (sys.executable, "-m", "ray.scripts.scripts")
OBJECT_STORE_BYTES = 100 * 1024 * 1024
START_SECONDS = 120
ATTEMPTS = 3
"""Ray gives a raylet half a minute to start, which a busy machine may not keep."""


def impossible() -> str | None:
    """Why there can be no such cluster here; None when there can."""
    if sys.platform != "linux" or shutil.which("ip") is None:
        return "network namespaces take Linux and iproute2 (`ip`)"
    name = f"mx-{os.getpid()}"
    tried = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True, check=False)
    if tried.returncode:
        return "network namespaces take the rights of root"
    subprocess.run(["ip", "link", "del", name], check=True)
    return None


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass(slots=True)
class Node:
    """A machine of the cluster."""

    name: str
    address: str
    environ: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where its proxy listens."""
        return f"http://{self.address}:{HTTP_PORT}"

    @property
    def statistics(self) -> str:
        """Where its HAProxy says what it knows of the gateways, as CSV."""
        return f"http://{self.address}:{self.environ['RAY_SERVE_HAPROXY_STATS_PORT']}/stats;csv"

    def processes(self, *words: str) -> dict[int, list[str]]:
        """Its processes whose command line holds all of `words`: their arguments by their ids."""
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        found = {}
        for pid in map(int, listed.stdout.split()):
            with suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
        return {pid: line for pid, line in found.items() if all(word in " ".join(line) for word in words)}

    def run(self, words: Sequence[str], log: Path | int = subprocess.DEVNULL, **more: str) -> subprocess.Popen[bytes]:
        """Start a command on it, with `more` environment variables."""
        output = log.open("ab") if isinstance(log, Path) else log
        whole = ["ip", "netns", "exec", self.name, *words]
        environ = {**os.environ, **self.environ, **more}
        return subprocess.Popen(whole, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def kill(self, *words: str) -> int:
        """Kill its processes that `processes(*words)` finds, as a machine that is switched off would. How many."""
        victims = self.processes(*words)
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(victims)

    def restart(self, *words: str) -> None:
        """Kill a process and start it again with its own command line and environment, as a supervisor does."""
        ((pid, line),) = self.processes(*words).items()
        pairs = (pair.partition("=") for pair in Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0"))
        own = {name: value for name, _, value in pairs}
        os.kill(pid, signal.SIGKILL)
        self.run(line, **own)


@dataclass(slots=True)
class Cluster:
    """Nodes on one bridge. `redis` says whether the head's state outlives its process, `works` whether the head runs a
    part of the application, too.
    """

    folder: Path
    prefix: str
    network: str
    token: str
    redis: bool
    works: bool
    nodes: dict[str, Node] = field(default_factory=dict)
    _others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def head(self) -> Node:
        """Where the cluster's state and Serve's controller are."""
        return self.nodes["head"]

    @property
    def workers(self) -> list[Node]:
        """The nodes that run the application."""
        return [node for name, node in self.nodes.items() if self.works or name != "head"]

    def build(self) -> None:
        """Make the bridge, and start Redis where it is installed."""
        _ip("link", "add", self.prefix, "type", "bridge")
        _ip("addr", "add", f"{self.network}.254/24", "dev", self.prefix)
        _ip("link", "set", self.prefix, "up")
        if self.redis:
            words = ["redis-server", "--bind", f"{self.network}.254", "--port", str(REDIS_PORT)]
            words += ["--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
            self._others.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))

    def add(self, name: str) -> Node:
        """Start a machine and its raylet; the first one is the head. Raises RuntimeError when it does not start. One at
        a time: they share a folder, in which two that start together take the same names.
        """
        node = self._machine(name)
        words = [*RAY, "start", "--node-ip-address", node.address]
        words += ["--disable-usage-stats", "--object-store-memory", str(OBJECT_STORE_BYTES)]
        more: dict[str, str] = {}
        if name == "head":
            words += ["--head", "--port", str(RAY_PORT), "--include-dashboard", "false"]
            words += ["--temp-dir", str(self.folder / "ray")]
            more = {"RAY_REDIS_ADDRESS": f"{self.network}.254:{REDIS_PORT}"} if self.redis else {}
        else:
            words += ["--address", f"{self.head.address}:{RAY_PORT}"]
        works = self.works or name != "head"
        words += ["--num-cpus", "2", "--resources", json.dumps({"worker": 1000})] if works else ["--num-cpus", "0"]
        log = self.folder / f"{name}.log"
        for _ in range(ATTEMPTS):
            if node.run(words, log, **more).wait(START_SECONDS) == 0:
                return node
            node.kill()
        raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-2000:]}")

    def drain(self, node: Node) -> None:
        """Have the cluster drain a machine, as before it is taken away. Raises CalledProcessError."""
        ((_, line),) = node.processes("raylet/raylet").items()
        (number,) = (word.partition("=")[2] for word in line if word.startswith("--node_id="))
        words = [*RAY, "drain-node", "--address", f"{self.head.address}:{RAY_PORT}", "--node-id", number]
        words += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "it is taken away"]
        if code := self.head.run(words).wait(START_SECONDS):
            raise subprocess.CalledProcessError(code, words)

    def remove(self, name: str) -> None:
        """Switch a machine off: its processes die and its network is gone, in one moment."""
        node = self.nodes.pop(name)
        _ip("-n", node.name, "link", "set", "eth0", "down")
        node.kill()

    def end(self) -> None:
        """End everything that was started, by its id, and take the network down."""
        for node in self.nodes.values():
            node.kill()
        for other in self._others:
            other.kill()
            other.wait()
        spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
        for space in (line.split()[0] for line in spaces.splitlines() if line.startswith(f"{self.prefix}-")):
            subprocess.run(["ip", "netns", "del", space], check=False)
        subprocess.run(["ip", "link", "del", self.prefix], check=False)

    def _machine(self, name: str) -> Node:
        number = 1 + sum(1 for _ in self.folder.glob("node-*"))
        space, address = f"{self.prefix}-{number}", f"{self.network}.{number}"
        (own := self.folder / f"node-{number}").mkdir()
        held = Held()
        environ = for_ray(own, held, True, {})
        held.release()
        del environ["MIXTURE_FIXED_CLUSTER"]
        environ |= {"RAY_AUTH_TOKEN": self.token, "HF_HUB_OFFLINE": "1"}
        _ip("netns", "add", space)
        _ip("link", "add", space, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", space, "master", self.prefix, "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", space, "link", "set", device, "up")
        _ip("-n", space, "route", "add", "default", "via", f"{self.network}.254")
        self.nodes[name] = Node(space, address, environ)
        return self.nodes[name]


@contextmanager
def cluster(works: bool = False) -> Iterator[Cluster]:
    """An empty cluster, which ends with the block; `works`: with a head that runs a part of the application."""
    folder = Path(tempfile.mkdtemp(prefix="mxc-", dir="/tmp"))
    network = f"10.213.{os.getpid() % 250}"
    redis = shutil.which("redis-server") is not None
    made = Cluster(folder, f"mx{os.getpid()}", network, secrets.token_hex(32), redis, works)
    try:
        made.build()
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


def until(condition: Callable[[], bool], what: str, seconds: float = 240) -> None:
    """Wait for a condition. Raises RuntimeError when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.2)
