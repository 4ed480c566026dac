"""Programs as answers: two that differ only in layout and comments are the same."""

from __future__ import annotations

import ast
import textwrap
import warnings
from collections import Counter
from collections.abc import Sequence

from mixture.aggregation.wholeness import MOST_CODE, PYTHON, blocks


def same_code(texts: Sequence[str]) -> list[str | None]:
    """What each text votes for when the answers are programs of which at least two are the same: its longest block of
    code in normal form. None for all otherwise: programs that all differ are compared, not counted.
    """
    found = [normal_code(text) for text in texts]
    most = max(Counter(code for code in found if code is not None).values(), default=0)
    return found if most > 1 else [None for _ in texts]


def normal_code(text: str) -> str | None:
    """The longest block of code in `text`: Python as its syntax tree is written, other languages without blank lines
    and with single blanks. None without a block.
    """
    language, code = max(blocks(text), key=lambda block: len(block[1]), default=("", ""))
    if not code.strip() or len(code) > MOST_CODE:
        return None
    if language in PYTHON:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.unparse(ast.parse(textwrap.dedent(code)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return "\n".join(" ".join(line.split()) for line in code.splitlines() if line.strip())
