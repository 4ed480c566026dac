"""What the files of a model say of it: how long it reads, how large it is, what its layers are."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixture.config import ConfigError

_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1}
_MOST_HEADER = 100_000_000
"""Bytes that the header of a safetensors file may have, by its format."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's folder. Sizes are in bytes, `window` in tokens; None where the files do not say."""

    folder: Path
    layers: int | None
    kv_heads: int | None
    head_dim: int | None
    element_bytes: int
    window: int | None
    size: int
    sees: bool
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    """Tensor name -> shape, of safetensors files."""

    @classmethod
    def read(cls, model: str) -> Weights | None:
        """From a folder, or from the Hugging Face cache of this machine; None when the model is not here. Raises
        ConfigError when a path leads to no model.
        """
        folder = Path(model).expanduser() if is_path(model) else _cached(model)
        if folder is None:
            return None
        if not folder.is_dir():
            raise ConfigError(f"model: there is no folder {model!r} on this machine", param="model")
        if not (folder / "config.json").is_file():
            raise ConfigError(f"model: the folder {model!r} has no config.json", param="model")
        return _described(folder, _json(folder / "config.json"))

    @property
    def kv_bytes_per_token(self) -> int | None:
        """Of the KV cache, one token over all layers: 2 (key and value) x layers x KV heads x head size x bytes of an
        element. Attention that keeps less (MLA, sliding windows) needs less than this.
        """
        if self.layers is None or self.kv_heads is None or self.head_dim is None:
            return None
        return 2 * self.layers * self.kv_heads * self.head_dim * self.element_bytes


def is_path(model: str) -> bool:
    """Whether `model` names a folder and not a model on the hub."""
    return model.startswith(("/", "./", "../", "~")) or Path(model).is_dir()


def _described(folder: Path, found: Mapping[str, Any]) -> Weights:
    text = found.get("text_config") if isinstance(found.get("text_config"), dict) else found
    assert text is not None  # noqa: S101  for the type checker
    heads = _number(text, "num_attention_heads")
    hidden = _number(text, "hidden_size")
    per_head = _number(text, "head_dim") or (hidden // heads if hidden and heads else None)
    kind = str(text.get("dtype") or text.get("torch_dtype") or "").removeprefix("torch.")
    files = sorted(folder.glob("*.safetensors"))
    shapes = {name: shape for file in files for name, shape in shapes_of(file).items()}
    size = sum(file.stat().st_size for file in files or sorted(folder.glob("*.bin")))
    return Weights(
        folder,
        layers=_number(text, "num_hidden_layers"),
        kv_heads=_number(text, "num_key_value_heads") or heads,
        head_dim=per_head,
        element_bytes=_BYTES.get(kind, 2),
        window=_number(text, "max_position_embeddings"),
        size=size,
        sees="vision_config" in found,
        shapes=shapes,
    )


def shapes_of(file: Path) -> dict[str, tuple[int, ...]]:
    """Tensor name -> shape, from the header of a safetensors file: eight bytes of length, then JSON.

    Raises ConfigError.
    """
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MOST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(stream.read(length))
        return {name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, struct.error, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"model: {file} can't be read as safetensors ({error})", param="model") from None


def _cached(model: str) -> Path | None:
    """The snapshot of a hub model that was downloaded before; None when there is none."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    try:
        found = try_to_load_from_cache(model, "config.json")
    except ValueError as error:
        raise ConfigError(
            f"model: {model!r} is neither a folder nor a name on the hub ({error})", param="model"
        ) from None
    return Path(found).parent if isinstance(found, str) else None


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"model: {file} can't be read ({error})", param="model") from None
    return found if isinstance(found, dict) else {}


def _number(found: Mapping[str, Any], name: str) -> int | None:
    value = found.get(name)
    return value if isinstance(value, int) and value > 0 else None
