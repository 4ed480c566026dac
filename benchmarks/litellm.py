"""LiteLLM's proxy, the peer of the overhead benchmark, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.processes import Running, cache, started
from commands.environment import free_port

KEY = "sk-benchmark"


def environment(given: Path | None) -> Path:
    """The virtual environment that has LiteLLM's proxy: the `given` one, else one in the cache folder, made once."""
    folder = given or cache() / "litellm"
    if not (folder / "bin" / "litellm").exists():
        if given is not None:
            raise SystemExit(f"{given} has no bin/litellm: an environment with `litellm[proxy]` is expected")
        print(f"making {folder.name}'s environment in the cache folder (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "litellm[proxy]"]
        subprocess.run(pip, check=True)
    return folder


def version(folder: Path) -> str:
    """Which LiteLLM it is."""
    words = [str(folder / "bin" / "python"), "-c", "from importlib.metadata import version; print(version('litellm'))"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def proxying(
    folder: Path, upstreams: Mapping[str, Running], workers: int, first_port: int = 21250
) -> Iterator[Running]:
    """The proxy with a model for each of `upstreams`; it checks a key, as ours does."""
    port = free_port("127.0.0.1", first_port)
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/stand-in", "api_base": f"{upstream.url}/v1", "api_key": "none"},
        }
        for name, upstream in upstreams.items()
    ]
    config = {"model_list": models, "general_settings": {"master_key": KEY}}
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "config.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        words = [str(folder / "bin" / "litellm"), "--config", str(file), "--host", "127.0.0.1", "--port", str(port)]
        words += ["--num_workers", str(workers), "--telemetry", "False"]
        # Its advice for production: no log line a request. The price list comes with the package.
        environ = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        with started(words, f"http://127.0.0.1:{port}/health/liveliness", KEY, environ) as running:
            yield running
