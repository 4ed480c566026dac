"""A model that the tests make themselves: random weights, a tokenizer of its own, a chat template with tools.

`head_dim` is 32, the smallest that vLLM's attention on the CPU takes. Offline, in a few seconds.
"""

from __future__ import annotations

import json
from pathlib import Path

TEMPLATE = """
{%- if tools %}
{{- '<|im_start|>system\\nTools, called as <tool_call>{"name": ..., "arguments": ...}</tool_call>:' }}
{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}{{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '\\n<tool_call>' + (call.function | tojson) + '</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
CORPUS = [
    "Every request goes to the expert that suits it.",
    "Seven replicas answer, and one of them is slower than the others.",
    '{"name": "weather", "arguments": {"city": "Bonn", "days": 3}} [true, false, null]',
    "for item in range(10):\n    print(item, item ** 2)\n",
    "user assistant system tool 0123456789 + - * / = < > ( ) [ ] { } : ; , . ?",
]
LAYERS, HIDDEN, HEADS = 2, 64, 2
WINDOW = 32_768
"""Long enough for requests that do not end by themselves while a test looks."""


def make(folder: Path, seed: int = 0, hidden: int = HIDDEN) -> Path:
    """A random Qwen2 of some 140 thousand parameters in `folder`."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=1,
        max_position_embeddings=WINDOW,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = bytes_of
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=SPECIAL, show_progress=False, initial_alphabet=bytes_of.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=WINDOW,
        chat_template=TEMPLATE,
    )


def make_adapter(folder: Path, base: str, seed: int = 1, rank: int = 4, hidden: int = HIDDEN) -> Path:
    """A random LoRA of the query projection, strong enough to change what is said, as PEFT stores it."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for layer in range(LAYERS):
        for name, size in (("q_proj", hidden), ("o_proj", hidden)):
            at = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{at}.lora_A.weight"] = torch.randn(rank, hidden)
            tensors[f"{at}.lora_B.weight"] = torch.randn(size, rank)
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": ["q_proj", "o_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
