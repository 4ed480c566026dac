"""LaTeX in the signs of a calculator."""

from __future__ import annotations

import re

DEEPEST = 40
"""Brackets inside brackets."""

_COMMANDS = {
    **dict.fromkeys(("cdot", "times", "ast"), "*"),
    **dict.fromkeys(("div",), "/"),
    **dict.fromkeys(("left", "right", "displaystyle", "quad", "qquad", "big", "Big", "limits"), " "),
    "infty": "oo",
}
_FRACTION = re.compile(r"\\[dt]?frac\s*(\{|\w)")
_MIXED = re.compile(r"(?<![\d.])(\d+)\s*\\[dt]?frac\s*\{(\d+)\}\s*\{(\d+)\}")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_COMMAND = re.compile(r"\\([a-zA-Z]+)|\\[,;:! ]")


def in_plain_signs(text: str) -> str | None:
    """LaTeX in the signs of a calculator; None when something in it is neither."""
    text = text.replace("\u2212", "-").replace("\u00b7", "*").replace("\u00d7", "*").replace("\u03c0", " pi ")
    text = text.replace("\u221a", " sqrt ").replace("$", "").replace("{,}", "").replace("**", "^")
    text = _MIXED.sub(r"(\1+\2/\3)", _THOUSANDS.sub("", text))
    for _ in range(DEEPEST):
        match = _FRACTION.search(text)
        if match is None:
            break
        top, after = _argument(text, match.start(1))
        bottom, end = _argument(text, after)
        text = f"{text[: match.start()]}(({top})/({bottom})){text[end:]}"
    text = re.sub(r"\\sqrt\s*\[\s*3\s*\]", " cbrt ", text)
    text = _COMMAND.sub(lambda m: _COMMANDS.get(m[1] or "", f" {m[1]} " if m[1] else " "), text)
    text = text.replace("{", "(").replace("}", ")").replace("[", "(").replace("]", ")")
    return text if re.fullmatch(r"[\w\s.+\-*/^()!|=]*", text) and "_" not in text else None


def _argument(text: str, start: int) -> tuple[str, int]:
    """What stands at `start` in braces, or the one sign there, and where it ends."""
    while start < len(text) and text[start].isspace():
        start += 1
    if start >= len(text) or text[start] != "{":
        return text[start : start + 1], start + 1
    depth = 0
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + 1 : place], place + 1
    return text[start + 1 :], len(text)
