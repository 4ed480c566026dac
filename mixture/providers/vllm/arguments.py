"""The names of vLLM's engine arguments, read from its source: importing it takes seconds and hundreds of megabytes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mixture.config import EngineConfig

_OURS = {
    "model": "model, beside `engine`",
    "max_model_len": "engine.max_model_len",
    "dtype": "engine.dtype",
    "max_num_seqs": "engine.max_num_seqs",
    "tensor_parallel_size": "engine.tensor_parallel_size",
    "pipeline_parallel_size": "engine.pipeline_parallel_size",
    "kv_cache_memory_bytes": "engine.kv_cache_bytes",
    "gpu_memory_utilization": "engine.gpu_memory_utilization",
    "reasoning_parser": "engine.reasoning_parser",
    "enable_lora": "an expert with `provider: lora`",
    "served_model_name": "the expert's name",
}
"""Arguments that the configuration has fields for, which it reads itself."""


def faults_of(engine: EngineConfig) -> Iterator[tuple[str, str]]:
    """(field, what is wrong) of engine arguments that are set elsewhere or, where vLLM is installed, not known."""
    known = names()
    for name in engine.arguments:
        if name in _OURS:
            yield f"arguments.{name}", f"is set with {_OURS[name]}"
        elif known and name not in known:
            yield f"arguments.{name}", "vLLM has no such engine argument"


@cache
def names() -> frozenset[str]:
    """The fields of `AsyncEngineArgs` in the vLLM that is installed; none when there is none."""
    spec = find_spec("vllm")
    if spec is None or spec.origin is None:
        return frozenset()
    source = Path(spec.origin).parent / "engine" / "arg_utils.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("EngineArgs")]
    fields = [line.target for node in classes for line in node.body if isinstance(line, ast.AnnAssign)]
    return frozenset(target.id for target in fields if isinstance(target, ast.Name))
