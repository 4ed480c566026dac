"""A PostgreSQL server of one's own, in a temporary folder, from what the system has installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE = 60.0
_SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=16MB",
    "max_connections=30",
    "listen_addresses=127.0.0.1",
)
"""It holds nothing that anyone would miss."""


def binaries() -> Path | None:
    """Where PostgreSQL's programs are; None when it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) if Path("/usr/lib/postgresql").exists() else []
    if found:
        return found[-1].parent
    path = shutil.which("initdb")
    return Path(path).resolve().parent if path else None


def user() -> str | None:
    """As whom it runs: it refuses root. None is whoever we are, when we are not root."""
    if os.getuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


@contextmanager
def postgres() -> Iterator[str]:
    """A server until the block ends: its URL. Raises FileNotFoundError when PostgreSQL is not installed, RuntimeError
    with its log when it does not start.
    """
    programs, owner = binaries(), user()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="mixture-pg-") as folder, socket.socket() as probe:
        if owner is not None:
            os.chown(folder, pwd.getpwnam(owner).pw_uid, -1)
        data = Path(folder) / "data"
        make = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "mixture",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        subprocess.run(make, check=True, capture_output=True, user=owner, cwd=folder)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        run = [programs / "postgres", "-D", data, "-p", str(port), "-k", folder]
        run += [word for setting in _SETTINGS for word in ("-c", setting)]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(run, stdout=log, stderr=log, user=owner, cwd=folder)
        try:
            _started(process, port, Path(folder) / "log")
            yield f"postgresql://mixture@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)


def _started(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user="mixture", dbname="postgres", connect_timeout=2).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
