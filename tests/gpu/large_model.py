"""A model of about a billion parameters with random weights, made on the spot; on a CPU the same in small."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.engine.tiny_model import _tokenizer


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


def make(folder: Path, shape: Shape, seed: int = 0) -> Path:
    """Weights and a tokenizer in `folder`; on a GPU in seconds, where there is one."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
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
    made.to("cpu").save_pretrained(folder)
    return folder
