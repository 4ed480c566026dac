"""A real server for tests: `mixture serve` as users start it, on a free port, with a home of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from commands.processes import descendants

MIXTURE = str(Path(sys.executable).parent / "mixture")
KEY = "mx-test-key"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home: Path, **more: str) -> dict[str, str]:
    """This environment without what would change the outcome: keys and addresses of the person who runs the tests."""
    dropped = ("OPENAI_", "ANTHROPIC_", "MIXTURE_", "RAY_", "DEEPSEEK_", "MISTRAL_", "GROQ_", "OLLAMA_", "VLLM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "MIXTURE_HOME": str(home), **more}


@dataclass
class Running:
    """A server's process, its address and what it printed."""

    process: subprocess.Popen[bytes]
    url: str
    home: Path
    printed: Path
    key: str = KEY

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    @property
    def environ(self) -> dict[str, str]:
        return environment(self.home)

    def output(self) -> str:
        return self.printed.read_text(errors="replace")

    def wait_until(self, text: str, seconds: float = 90) -> None:
        """Wait until `text` was printed; fails when the process ends first."""
        deadline = time.monotonic() + seconds
        while text not in self.output():
            assert self.process.poll() is None, f"it ended:\n{self.output()}"
            assert time.monotonic() < deadline, f"{text!r} did not come:\n{self.output()}"
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> list[str]:
        """End it as a user would. The command lines of the processes that outlived it (there should be none)."""
        tree = births([self.process.pid, *descendants(self.process.pid)])
        self.process.send_signal(number)
        self.process.wait(30)
        return outlived(tree)


def start(
    folder: Path, config: Mapping[str, Any], *arguments: str, command: tuple[str, ...] = (MIXTURE, "serve")
) -> Running:
    """Start a server from `config` in `folder`, without waiting for it."""
    port = free_port()
    file, printed = folder / "config.yaml", folder / "printed.txt"
    file.write_text(yaml.safe_dump(dict(config)))
    return launch(folder, [*command, str(file), "--port", str(port), *arguments], port, printed)


def share_vectors(home: Path) -> None:
    """Let a server with this home have the vectors of the project's documents that another one made before it."""
    common = Path(os.environ["MIXTURE_HOME"]) / "vectors"
    common.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "vectors").exists():
        (home / "vectors").symlink_to(common)


def _interruptible() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, and all that is started from there inherits it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def launch(folder: Path, command: list[str], port: int, printed: Path) -> Running:
    home = folder / "home"
    share_vectors(home)
    with printed.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(home, MIXTURE_API_KEYS=KEY),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_interruptible,
        )
    return Running(process, f"http://127.0.0.1:{port}", home, printed)


def births(pids: list[int]) -> dict[int, str]:
    """When each process was started: its id alone may come again."""
    return {pid: birth for pid in pids if (birth := _birth(pid))}


def outlived(tree: dict[int, str], seconds: float = 0) -> list[str]:
    """The command lines of those in `tree` that still run, after waiting at most `seconds` for their end."""
    deadline = time.monotonic() + seconds
    while True:
        left = [pid for pid, birth in tree.items() if _birth(pid) == birth]
        if not left or time.monotonic() >= deadline:
            return [_command(pid) for pid in left]
        time.sleep(0.05)


def end(tree: dict[int, str]) -> None:
    """Kill those in `tree` that still run."""
    for pid, birth in tree.items():
        if _birth(pid) == birth:
            os.kill(pid, signal.SIGKILL)


def _birth(pid: int) -> str:
    """When a process was started, as the kernel counts; empty when it is gone or only waits to be buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return str(pid)
