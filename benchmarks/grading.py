"""Grading answers to GSM8K as ZeroEval does: the answer out of JSON-like text, compared as a number.

Written apart from `mixture.aggregation`, which is under test here.
"""

from __future__ import annotations

import json
import re

_JSON = json.JSONDecoder(strict=False)
_FIELD = re.compile(r'"answer"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?[\d.,]+)|([^\n}]+))')
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:/\d+)?")


def answer(output: str) -> str | None:
    """The `answer` of the first JSON object that has one, whole or broken; else the last one in a box of LaTeX."""
    start = output.find("{")
    while start >= 0:
        try:
            value, _ = _JSON.raw_decode(output, start)
        except ValueError:
            value = None
        if isinstance(value, dict) and value.get("answer") is not None:
            return str(value["answer"])
        start = output.find("{", start + 1)
    field = _FIELD.search(output)
    if field:
        return next(group for group in field.groups() if group is not None)
    boxed = _BOXED.findall(output)
    return boxed[-1] if boxed else None


def number(text: str | None) -> float | None:
    """The first number in a text, without currency signs and thousands separators."""
    found = _NUMBER.search(text.replace("$", "").replace(",", "")) if text else None
    if found is None:
        return None
    top, _, bottom = found.group(0).partition("/")
    return float(top) / float(bottom) if bottom and float(bottom) else float(top)


def correct(output: str, gold: str) -> bool:
    """Whether `output` answers as `gold` (ZeroEval writes `# 18`) says."""
    said = number(answer(output))
    return said is not None and said == number(gold)
