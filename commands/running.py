"""Which servers run on this machine: each writes a small file, so that `ask` and `models` find it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mixture.keys import home, kept


@dataclass(frozen=True, slots=True)
class Server:
    """A server: its address (no path) and a key for it; of one on this machine also where its Ray is, and the token
    that Ray asks for.
    """

    url: str
    key: str
    pid: int | None = None
    ray: str | None = None
    token: str | None = field(default=None, repr=False)


def note(server: Server, environ: Mapping[str, str]) -> Path:
    """Write down that `server` runs; only the owner may read it, since it holds the key."""
    folder = home(environ) / "servers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{server.pid}.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(server)), encoding="utf-8")
    return path


def find(environ: Mapping[str, str]) -> Server | None:
    """The server to talk to: $MIXTURE_URL, else the one that was started last on this machine; None when none runs."""
    key = environ.get("MIXTURE_API_KEY") or environ.get("MIXTURE_API_KEYS", "").partition(",")[0].strip()
    url = environ.get("MIXTURE_URL", "").strip().rstrip("/").removesuffix("/v1")
    here = noted(environ)
    if url:
        same = next((server for server in here if server.url == url), None)
        return Server(url, key or (same.key if same else kept(environ)))
    if not here:
        return None
    return Server(here[0].url, key or here[0].key, here[0].pid)


def noted(environ: Mapping[str, str]) -> list[Server]:
    """Servers that still run, the latest first; the files of others are removed."""
    found = []
    for path in sorted((home(environ) / "servers").glob("*.json"), key=_age, reverse=True):
        with suppress(OSError, ValueError, TypeError):
            server = Server(**json.loads(path.read_text(encoding="utf-8")))
            if server.pid is not None and _runs(server.pid):
                found.append(server)
            else:
                path.unlink(missing_ok=True)
    return found


def _age(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
