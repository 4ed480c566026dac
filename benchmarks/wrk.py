"""Load from `wrk` (https://github.com/wg/wrk), and its figures."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from urllib.request import ProxyHandler, Request, build_opener

from benchmarks.processes import Running
from benchmarks.reporting import skipped

_SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.body = '{body}'
"""
_NUMBERED = """
local number = 0
request = function()
  number = number + 1
  local body = string.gsub(wrk.body, "NUMBER", number)
  return wrk.format(nil, nil, nil, body)
end
"""
BODY = '{"model":"%s","messages":[{"role":"user","content":"Say hello to the world in a few words."}]}'
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


@dataclass(frozen=True, slots=True)
class Load:
    """What `wrk` measured: requests, requests/s, milliseconds at the median and at 99%, answers that were errors."""

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    errors: int


def need_wrk() -> None:
    """End here, with success and a reason, when `wrk` is not installed."""
    if shutil.which("wrk") is None:
        skipped("`wrk` is not installed (on Debian: apt-get install wrk)")


def load(server: Running, model: str, clients: int, seconds: int) -> Load:
    """Ask `model` for short answers, `clients` at once, for `seconds`."""
    return load_body(server, BODY % model, clients, seconds)


def load_body(server: Running, body: str, clients: int, seconds: int) -> Load:
    """Send `body`, `clients` at once, for `seconds`; where it has the word NUMBER, with another number each time."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(key=server.key, body=body))
        script.write(_NUMBERED if "NUMBER" in body else "")
        script.flush()
        words = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", script.name]
        url = f"{server.url}/v1/chat/completions"
        done = subprocess.run([*words, url], capture_output=True, text=True, check=False)
    return read(done.stdout + done.stderr)


def warm(server: Running, model: str, requests: int = 30, patience: float = 60) -> None:
    """Let it answer some requests, each in a connection of its own so that every worker gets some: the first may take
    long. Raises OSError when one takes more than `patience` seconds.
    """
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {server.key}"}
    url = f"{server.url}/v1/chat/completions"
    for _ in range(requests):
        request = Request(url, (BODY % model).encode(), headers)
        with build_opener(ProxyHandler({})).open(request, timeout=patience) as response:
            response.read()
    load(server, model, 32, 1)


def read(output: str) -> Load:
    """The figures in what `wrk` printed."""
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    errors = int(refused.group(1)) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    requests = int(_found(r"(\d+) requests in", output)[0])
    rps = float(_found(r"Requests/sec:\s+([\d.]+)", output)[0])
    return Load(requests, rps, _percentile(50, output), _percentile(99, output), errors)


def _percentile(percent: int, output: str) -> float:
    value, unit = _found(rf"\b{percent}%\s+([\d.]+)(us|ms|s|m)\b", output)
    return float(value) * _UNITS[unit]


def _found(pattern: str, output: str) -> tuple[str, ...]:
    match = re.search(pattern, output)
    if match is None:
        raise RuntimeError(f"wrk printed no {pattern!r}:\n{output}")
    return match.groups()
