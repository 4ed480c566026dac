"""Folders of models and adapters with real files and no weights worth the name."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import save_file

CONFIG = {
    "model_type": "qwen2",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "dtype": "bfloat16",
}


def model(folder, **more):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | more))
    weights = {f"model.layers.{at}.self_attn.q_proj.weight": np.zeros((64, 64), np.float16) for at in range(2)}
    save_file(weights, str(folder / "model.safetensors"))
    return folder


def adapter(folder, size=64, module="self_attn.q_proj", rank=4):
    folder.mkdir(parents=True)
    at = f"base_model.model.model.layers.0.{module}"
    tensors = {
        f"{at}.lora_A.weight": np.zeros((rank, size), np.float16),
        f"{at}.lora_B.weight": np.zeros((size, rank), np.float16),
    }
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    return folder
