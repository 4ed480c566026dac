"""Vectors from the inner layers of a causal language model, on the CPU: what a prompt is to one that answers prompts.

Middle layers tell more of a text than the last one, which prepares the next token (Skean et al. 2025, arXiv
2502.02013). So only the layers up to a third of the depth are loaded. A text's vector is the mean of what the last of
them says of each token, and beside it what it says of the last token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mixture.embedding import BATCH, prepared, worker
from mixture.routing.classification import looked_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOKENS = 640
"""Tokens that are read at most, the last ones: some scripts take several for a character."""
EMPTY = [0]
"""What is read of a text without a token: most vocabularies begin with a mark of no meaning."""
PART = 3
"""The layers up to one in so many count."""
NEEDED = ("gguf", "accelerate")
"""Packages that a model in GGUF takes."""


class HiddenStates:
    """An embedder from the causal language model in `folder`, in the form of transformers or as one GGUF file.

    Raises LookupError where a package that it takes is missing; the model itself is loaded by the first call.
    """

    def __init__(self, folder: Path) -> None:
        missing = [name for name in NEEDED if find_spec(name) is None] if _packed(folder) else []
        if missing:
            raise LookupError(f"{folder.name!r} is a model in GGUF: install {' and '.join(missing)}")
        self._folder = folder

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, of twice the model's width, in the same order; computed in a thread."""
        found = await asyncio.get_running_loop().run_in_executor(worker(), self.encode, list(texts))
        return cast("list[list[float]]", found.tolist())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same as an array (texts x dimensions). Blocks. Texts of one length are encoded together."""
        import numpy as np

        model, tokenizer = _loaded(str(self._folder))
        read = [tokenizer(looked_at(text))["input_ids"][-TOKENS:] or EMPTY for text in texts]
        order = sorted(range(len(read)), key=lambda place: len(read[place]))
        vectors = np.zeros((len(read), 2 * model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            vectors[places] = _vectors(model, [read[place] for place in places])
        return vectors


def is_language_model(folder: Path) -> bool:
    """Whether `folder` holds a causal language model, and not one made for sentences. Raises LookupError when what says
    so is damaged.
    """
    if (folder / "modules.json").exists():
        return False
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError:
        return _packed(folder) is not None
    except ValueError:
        raise LookupError(f"{str(folder)!r} has a config.json that is no JSON") from None
    return any(name.endswith("ForCausalLM") for name in about.get("architectures") or ())


def _packed(folder: Path) -> str | None:
    """The name of the GGUF file, where there is one and nothing else that says what the model is."""
    found = [] if (folder / "config.json").exists() else sorted(folder.glob("*.gguf"))
    return found[0].name if found else None


@cache
def _loaded(folder: str) -> tuple[Any, Any]:
    """The lower part of the model, with one layer more than counts: what leaves the last one has been normalised."""
    prepared()
    import torch
    from transformers import AutoConfig, AutoModel, AutoTokenizer, GgufConfig

    packed = _packed(Path(folder))
    how: dict[str, Any] = {"local_files_only": True} | ({"gguf_file": packed} if packed else {})
    config = AutoConfig.from_pretrained(folder, **how)
    config.num_hidden_layers = min(config.num_hidden_layers, config.num_hidden_layers // PART + 1)
    tokenizer = AutoTokenizer.from_pretrained(folder, **how)
    if packed:
        how["quantization_config"] = GgufConfig(dequantize=True)
    model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, **how)
    return model.eval(), tokenizer


def _vectors(model: Any, read: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    import torch

    longest = max(map(len, read))
    tokens = torch.tensor([[*one, *[0] * (longest - len(one))] for one in read])
    there = torch.tensor([[1] * len(one) + [0] * (longest - len(one)) for one in read])
    with torch.inference_mode():
        found = model(tokens, attention_mask=there, output_hidden_states=True, use_cache=False)
    states = found.hidden_states[-2]
    counts = there.sum(1)
    means = (states * there[..., None]).sum(1) / counts[:, None]
    ends = states[torch.arange(len(read)), counts - 1]
    return cast("NDArray[np.float32]", torch.cat([means, ends], dim=1).numpy())
