"""A model of about a billion parameters with random weights, made on the spot; on a CPU the same in small."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple, dataclass
from importlib.util import find_spec
from pathlib import Path

from commands.capacity import this_machine
from tests.engine.tiny_model import _tokenizer

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a Qwen2. `window` in tokens."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    window: int

    @property
    def parameters(self) -> int:
        """About how many weights it has, embeddings of the small vocabulary left aside."""
        per_head = self.hidden // self.heads
        attention = self.hidden * (2 * self.hidden + 2 * self.kv_heads * per_head)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)


BILLION = Shape(layers=16, hidden=2048, intermediate=8192, heads=16, kv_heads=8, window=8192)
SMALL = Shape(layers=2, hidden=64, intermediate=128, heads=2, kv_heads=1, window=2048)


def missing(cpu: bool) -> str:
    """Why no engine can run here on a GPU, or on the CPU with `cpu`; empty when one can."""
    if not cpu and not this_machine().nodes[0].gpus:
        return "there is no GPU here"
    if find_spec("vllm") is None:
        return "vLLM is not installed here"
    if not cpu:
        import torch

        if not torch.cuda.is_available():
            return f"PyTorch {torch.__version__} can't use the GPU here; vLLM for CUDA and the PyTorch it asks for can"
    return ""


def make(folder: Path, shape: Shape) -> Path:
    """Weights and a tokenizer in `folder`, by a process of its own: what that took of a GPU's memory is free again."""
    words = [sys.executable, "-m", "tests.gpu.large_model", str(folder), *map(str, astuple(shape))]
    subprocess.run(words, check=True, cwd=ROOT)
    return folder


def _made(folder: Path, shape: Shape) -> None:
    """On a GPU in seconds, where there is one."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.window,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.02,
        dtype="bfloat16",
    )
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        made = Qwen2ForCausalLM(config).to(torch.bfloat16)
    silent = [token for token in range(config.vocab_size) if not _is_text(tokenizer, token)]
    with torch.no_grad():
        made.lm_head.weight[silent] = 0
    made.to("cpu").save_pretrained(folder)


def _is_text(tokenizer, token: int) -> bool:
    """Whether a token shows in an answer. With the others a greedy answer could be without text for ever, and a first
    token without text is not seen by who waits for it.
    """
    text = tokenizer.decode([token]) if token < len(tokenizer) else ""
    return text.isascii() and text.isprintable() and bool(text.strip()) and token not in tokenizer.all_special_ids


if __name__ == "__main__":
    _made(Path(sys.argv[1]), Shape(*map(int, sys.argv[2:])))
