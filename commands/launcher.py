"""Starts the server's process, tells when it is ready, and ends everything that belongs to it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rich.markup import escape

from commands import running
from commands.display import err, out
from commands.environment import Held, for_ray
from commands.processes import adopt_orphans, end_descendants
from commands.source import Source, deployable
from mixture.keys import configured, home, kept

ORDERLY_SECONDS = 7.0
"""How long the server may take to end by itself before it is ended."""


def run(source: Source, held: Held, *, haproxy: bool, verbose: bool) -> int:
    """Run a server on a port in `held` until it is told to stop. Returns the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="mixture-", dir=_short_folder()))
    with _stopping() as stop:
        adopt_orphans()
        started = time.monotonic()
        process, report, token = _start(source, folder, held, haproxy=haproxy, verbose=verbose)
        code, ready = 1, False
        try:
            out.print("\nStarting ...", style="dim")
            if address := _ready(process, report, stop, folder):
                ready = True
                note = _announce(source, time.monotonic() - started, address, token)
                code = _watch(process, stop, folder)
                note.unlink(missing_ok=True)
            elif stop.asked:
                code = 0
        finally:
            _end(process, orderly=ready)
            held.release()
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        err.print(f"Ray's logs are in {folder}")
    return code


def _short_folder() -> str:
    """Sockets live here, and the path of a socket is short: a long TMPDIR would not do."""
    return "/tmp" if os.access("/tmp", os.W_OK) else tempfile.gettempdir()  # noqa: S108


@dataclass(slots=True)
class _Stop:
    """Whether somebody asked us to stop."""

    asked: bool = field(default=False)

    def __call__(self, number: int, frame: Any) -> None:
        self.asked = True


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """Take note of Ctrl-C and the like, in place of being interrupted by them."""
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _start(
    source: Source, folder: Path, held: Held, *, haproxy: bool, verbose: bool
) -> tuple[subprocess.Popen[bytes], IO[str], str]:
    environ = dict(os.environ)
    schema = deployable(source, environ)
    environ |= for_ray(folder, held, haproxy, environ)
    environ.setdefault("MIXTURE_LOG_PATH", _log_path())
    read, write = os.pipe()
    log = None if verbose else (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "commands.server"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=[write],
        start_new_session=True,  # Ctrl-C is for us alone
    )
    os.close(write)
    order = {"schema": schema, "folder": str(folder), "parent": os.getpid(), "report": write, "verbose": verbose}
    if process.stdin is not None:
        with process.stdin as pipe:
            pipe.write(json.dumps(order).encode())
    return process, os.fdopen(read, encoding="utf-8"), environ.get("RAY_AUTH_TOKEN", "")


def _log_path() -> str:
    """Where gateways write their request log, so that it appears where ours does; standard error of theirs if that
    can't be.
    """
    try:
        path = os.ttyname(1) if os.isatty(1) else f"/proc/{os.getpid()}/fd/1"
        fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)  # we are not the only writer
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError:
        return ""
    return path


def _ready(process: subprocess.Popen[bytes], report: IO[str], stop: _Stop, folder: Path) -> str:
    """Wait for the server's report: where its Ray is. Empty when it failed (that is printed) or when it is to stop."""
    while not stop.asked and not select.select([report], [], [], 0.1)[0]:
        continue
    if stop.asked:
        return ""
    line = report.readline()
    if line.startswith("ready "):
        return line.split()[1]
    reason = json.loads(line.removeprefix("failed ")) if line else _tail(folder / "server.log")
    err.print("[red]The server did not start.[/]")
    err.print(escape(reason), soft_wrap=True)
    return ""


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else "its process ended"


def _announce(source: Source, seconds: float, ray: str, token: str) -> Path:
    host, port = source.address
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  compared, not bound
    url = f"http://{shown}:{port}"
    chosen = configured(source.config, os.environ)
    key = chosen[0] if chosen else kept(os.environ)
    shown_key = "$MIXTURE_API_KEY" if chosen else key  # a key that somebody chose is theirs to know, not to print
    origin = "as configured" if chosen else f"kept in {home(os.environ) / 'key'}"
    out.print(f"[green]Ready[/] in {seconds:.1f} s. Ctrl-C ends it.\n")
    out.print(f"  URL   [bold]{url}/v1[/]\n  Key   [bold]{escape(shown_key)}[/]  ({escape(origin)})\n")
    out.print("Try it:\n")
    out.print(
        f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        f'    -H "Authorization: Bearer {shown_key}" \\\n'
        """    -d '{"model": "auto", "messages": [{"role": "user", "content": "What is 15% of 80?"}]}'""",
        markup=False,
        soft_wrap=True,
    )
    out.print("  mixture ask 'What is 15% of 80?'\n")
    out.print(f"  API documentation: {url}/docs" + ("" if chosen else f"?key={key}") + "\n", soft_wrap=True)
    return running.note(running.Server(url, key, os.getpid(), ray, token), os.environ)


def _watch(process: subprocess.Popen[bytes], stop: _Stop, folder: Path) -> int:
    while not stop.asked:
        if process.poll() is not None:
            err.print("[red]The server ended by itself.[/]\n" + escape(_tail(folder / "server.log")))
            return 1
        time.sleep(0.1)
    return 0


def _end(process: subprocess.Popen[bytes], *, orderly: bool) -> None:
    """An orderly end first, if there are requests to bring to their end; then whatever is left, by process id."""
    started = time.monotonic()
    out.print("Stopping ...", style="dim")
    if orderly:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(ORDERLY_SECONDS)
    killed = end_descendants(grace=1.0)
    process.wait()
    rest = f", {killed} processes had to be killed" if killed else ""
    out.print(f"Stopped in {time.monotonic() - started:.1f} s{rest}.", style="dim")
