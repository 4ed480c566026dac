"""Whether an adapter fits the weights that it is to change, told from the files alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mixture.config import ConfigError, ExpertConfig
from mixture.providers.vllm.weights import Weights, shapes_of

_LAYER = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight")


def rank_of(adapter: ExpertConfig) -> int:
    """The rank of an adapter. Raises ConfigError when there is none in its folder."""
    rank = _settings(adapter).get("r")
    if not isinstance(rank, int) or rank < 1:
        raise _fault(adapter, f"{_folder(adapter) / 'adapter_config.json'} names no rank `r`")
    return rank


def check(adapter: ExpertConfig, base: Weights | None) -> None:
    """Raises ConfigError when the adapter was made for other weights: a module that they don't have, or other sizes.
    A weight of a linear layer is (out, in); A is (rank, in), B is (out, rank).
    """
    rank_of(adapter)
    file = _folder(adapter) / "adapter_model.safetensors"
    if not file.is_file():
        raise _fault(adapter, f"there is no {file}")
    if base is None or not base.shapes:
        return
    for name, shape in shapes_of(file).items():
        found = _LAYER.fullmatch(name)
        if found is None:
            continue
        module = found["module"]
        whole = base.shapes.get(f"{module}.weight")
        if whole is None:
            raise _fault(adapter, f"it changes {module}, which the weights of {adapter.expert!r} do not have")
        own, side = (shape[1], 1) if found["side"] == "A" else (shape[0], 0)
        if len(whole) == 2 and own != whole[side]:
            what = f"its {module} is made for size {own}, that of {adapter.expert!r} is {whole[side]}"
            raise _fault(adapter, f"{what}: it belongs to another base")


def _settings(adapter: ExpertConfig) -> dict[str, Any]:
    file = _folder(adapter) / "adapter_config.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _fault(adapter, f"{file} can't be read ({error})") from None
    return found if isinstance(found, dict) else {}


def _folder(adapter: ExpertConfig) -> Path:
    return Path(adapter.model or "").expanduser()


def _fault(adapter: ExpertConfig, what: str) -> ConfigError:
    where = f"experts.{adapter.name}.model"
    return ConfigError(f"{where}: {what}", param=where)
