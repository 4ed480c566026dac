"""The processes of a benchmark: started, waited for, weighed, and ended by process id."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import yaml

from commands.environment import free_port
from commands.processes import descendants

_OPEN = build_opener(ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs: its address without a path, a key for it, its process id."""

    url: str
    key: str
    pid: int


def rss_mib(pid: int) -> float:
    """Resident memory of a process and everything below it, in MiB."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for process in (pid, *descendants(pid)):
        with suppress(OSError):
            total += int(Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1]) * page
    return total / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and everything below it have taken so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for process in (pid, *descendants(pid)):
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def settle(pid: int, patience: float) -> None:
    """Wait until a server has done with what it does after its start (a model is loaded, documents are indexed)."""
    deadline, before = time.monotonic() + patience, cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(1)
        now = cpu_seconds(pid)
        if now - before < 0.5:
            return
        before = now


def command(*words: str) -> list[str]:
    """`mixture` with these words, in this environment."""
    return [sys.executable, "-c", "from commands.main import main; main()", *words]


@contextmanager
def started(
    words: Sequence[str], url: str, key: str = "", environ: Mapping[str, str] | None = None, patience: float = 300
) -> Iterator[Running]:
    """Run `words` until the block ends; it begins when `url` answers. What it starts ends with it.

    Raises RuntimeError with the last lines of its output when it ends early or does not answer in time.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **(environ or {})})
        try:
            deadline = time.monotonic() + patience
            while not _answers(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    tail = b"\n".join(log.read().splitlines()[-25:]).decode(errors="replace")
                    raise RuntimeError(f"{words[0]} did not start:\n{tail}")
                time.sleep(0.05)
            base = "/".join(url.split("/")[:3])
            yield Running(base, key, process.pid)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes], patience: float = 20) -> None:
    """Ask a process to end; after `patience` seconds end it and all below it."""
    below = descendants(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in below:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def cache() -> Path:
    """The folder for environments of peers, kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mixture"


def _answers(url: str) -> bool:
    try:
        with _OPEN(url, timeout=1) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def serving(
    config: Mapping[str, Any], gateways: int = 1, first_port: int = 21200, patience: float = 300
) -> Iterator[Running]:
    """Our server with this configuration and so many gateways, started by `mixture serve` within `patience` seconds."""
    key = f"mx-{secrets.token_hex(8)}"
    port = free_port("127.0.0.1", first_port)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        keyed = {**config, "server": {**config.get("server", {}), "api_keys": [key]}}
        application = {
            "name": "mixture",
            "import_path": "deployments.app:build",
            "route_prefix": "/",
            "args": keyed,
            "deployments": [{"name": "gateway", "num_replicas": gateways}],
        }
        file.write_text(yaml.safe_dump({"applications": [application]}, sort_keys=False), encoding="utf-8")
        words = command("serve", str(file), "--port", str(port))
        with started(words, f"http://127.0.0.1:{port}/readyz", key, {"MIXTURE_HOME": folder}, patience) as running:
            yield running


@contextmanager
def simulating(*words: str, first_port: int = 21300) -> Iterator[Running]:
    """The stand-in upstream, started by `mixture simulate`."""
    port = free_port("127.0.0.1", first_port)
    run = [sys.executable, "-m", "commands.simulate", "--port", str(port), *words]
    with started(run, f"http://127.0.0.1:{port}/health", "none") as running:
        yield running
