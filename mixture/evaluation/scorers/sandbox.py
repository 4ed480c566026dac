"""Runs a program that a model wrote, bounded in time, memory, processes and files, and without a network if possible.

The limits are the kernel's: processor time, address space, size of files, number of processes. Where this process may,
the program gets a user of its own (so that its processes can be counted and found), a network without interfaces, and
process ids of its own, so that all it started ends with it. It is protection from mistakes, not from malice: a program
can read what any user of this machine can read.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import run

LAUNCHER = Path(__file__).with_name("launcher.py")
UIDS = range(1_000_000_000, 1_900_000_000)
"""Users that a program may become; no system gives these to anybody."""
TAIL = 16_384
"""Bytes of output that are looked at, from its end."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may take: seconds of wall-clock and of processor time, mebibytes of address space and of each
    file, processes and threads at once.
    """

    seconds: float = 10.0
    mebibytes: int = 1024
    file_mebibytes: int = 8
    processes: int = 32


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its exit code (negative: the signal that ended it), the end of its output, and whether it
    ran out of time.
    """

    code: int
    output: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Walls:
    """What this process may put around a program."""

    namespaces: tuple[str, ...] = ()
    own_user: bool = False

    def command(self, uid: int, bounds: Bounds, program: Path) -> list[str]:
        """The command line."""
        limits = (int(bounds.seconds) + 1, bounds.mebibytes, bounds.file_mebibytes << 20, self._processes(bounds))
        return [*self.namespaces, sys.executable, "-I", str(LAUNCHER), str(uid), *map(str, limits), str(program)]

    def _processes(self, bounds: Bounds) -> int:
        """The kernel counts all processes of a user: without one of its own the program's come on top of ours."""
        return bounds.processes if self.own_user else bounds.processes + _of_this_user()


def _of_this_user() -> int:
    """Threads of this process's user, on this machine."""
    count, me = 0, os.getuid()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == me:
                count += len(list((entry / "task").iterdir()))
    return count


_APART = ("unshare", "--net", "--pid", "--fork", "--kill-child=SIGKILL")


@cache
def walls() -> Walls:
    """The most that works here, tried out once."""
    root = os.getuid() == 0
    apart = [(*_APART,), (*_APART[:1], "--user", "--map-root-user", *_APART[1:])] if shutil.which("unshare") else []
    for namespaces in (*apart, ()):
        for own_user in (True, False) if root and "--user" not in namespaces else (False,):
            tried = Walls(namespaces, own_user)
            if _works(tried):
                return tried
    return Walls()


def _works(tried: Walls) -> bool:
    with _folder(uid := _uid(tried)) as folder:
        program = _program(folder, "print('it works')")
        with suppress(OSError):
            command = tried.command(uid, Bounds(), program)
            done = run(command, capture_output=True, cwd=folder, timeout=30, check=False)  # noqa: S603  our own program
            return done.stdout == b"it works\n"
    return False


def _uid(found: Walls) -> int:
    return random.choice(UIDS) if found.own_user else 0


def _program(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8", errors="replace")
    path.chmod(0o644)
    return path


@contextmanager
def _folder(uid: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mixture-", ignore_cleanup_errors=True) as name:
        if uid:
            os.chown(name, uid, uid)
        yield Path(name)


async def execute(text: str, bounds: Bounds) -> Ran:
    """Run a Python program to its end or to the end of its time. Raises OSError when it can't be started."""
    found = await asyncio.to_thread(walls)
    with _folder(uid := _uid(found)) as folder, (folder / ".output").open("w+b") as output:
        process = await asyncio.create_subprocess_exec(
            *found.command(uid, bounds, _program(folder, text)),
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
        late = False
        try:
            async with asyncio.timeout(bounds.seconds):
                await process.wait()
        except TimeoutError:
            late = True
        finally:
            await asyncio.shield(_end(process, uid))
        return Ran(process.returncode or 0, _tail(output.fileno()), late)


async def _end(process: Process, uid: int) -> None:
    """End the program and everything that it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    for _ in range(50):
        left = _of(uid) if uid else []
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not left:
            return
        await asyncio.sleep(0.02)


def _of(uid: int) -> list[int]:
    """The processes of a user."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                found.append(int(entry.name))
    return found


def _tail(output: int) -> str:
    size = os.fstat(output).st_size
    return os.pread(output, TAIL, max(0, size - TAIL)).decode(errors="replace")
