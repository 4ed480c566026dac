"""Ending everything that was started, by process id, however it got detached.

Ray's daemons, its workers and HAProxy are children of children, some in sessions of their own. On Linux the launcher
asks the kernel to give it every orphan among its descendants, so that none can leave the tree, and ends the tree.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_SET_PDEATHSIG = 1
_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """From now on orphans among our descendants become our children (Linux; elsewhere this does nothing)."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Have the kernel send us SIGTERM when the process `parent` dies, however it dies (Linux)."""
    _prctl(_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def descendants(root: int | None = None) -> list[int]:
    """The process ids below `root` (default: this process), parents before their children; zombies left out."""
    children: dict[int, list[int]] = {}
    for pid, parent in _table():
        children.setdefault(parent, []).append(pid)
    found, waiting = list[int](), [os.getpid() if root is None else root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_descendants(grace: float = 2.0) -> int:
    """End every descendant: SIGTERM, and after `grace` seconds SIGKILL. Returns how many had to be killed.

    The dead are buried too: where process 1 is not a real init, as in many containers, nobody else would.
    """
    for pid in descendants():
        _signal(pid, signal.SIGTERM)
    killed = set[int]()
    deadline = time.monotonic() + grace
    while _children_left() and time.monotonic() < deadline + grace:
        if time.monotonic() > deadline:
            for pid in descendants():  # again and again: a process may be started while we look
                _signal(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.02)
    return len(killed)


def _children_left() -> bool:
    """Bury the children that ended. Whether there are others."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return False
    return True


def guarded(run: Callable[[], None], orderly: float) -> int:
    """Run `run` in a child, and end everything it started when it ends. SIGTERM is passed on to it; `orderly` seconds
    after that it is ended too. Returns its exit code.

    The guard itself never loads Ray, whose own threads may end a process at any moment while Ray is shut down.
    """
    adopt_orphans()
    watched = {signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
        die_with_parent(guard)
        run()
        os._exit(0)
    code = _outlived(pid, watched, orderly)
    end_descendants(grace=1.0)
    return code


def _outlived(pid: int, watched: set[signal.Signals], orderly: float) -> int:
    """Wait for the child `pid`, or until it has been told to end and took too long."""
    deadline: float | None = None
    while True:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return 1
        came = signal.sigwait(watched) if left is None else getattr(signal.sigtimedwait(watched, left), "si_signo", 0)
        if came == signal.SIGTERM:
            _signal(pid, signal.SIGTERM)
            deadline = deadline or time.monotonic() + orderly
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _table() -> Iterator[tuple[int, int]]:
    """(process id, parent's id) of every living process."""
    if not Path("/proc/self/stat").exists():
        yield from _listed()
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                state, parent = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
                if state != "Z":
                    yield int(entry.name), int(parent)


def _listed() -> Iterator[tuple[int, int]]:
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)  # noqa: S607
    for line in listing.stdout.splitlines():
        pid, parent = line.split()
        yield int(pid), int(parent)
