"""Source code: each definition under its name, whatever the language."""

from __future__ import annotations

import re

from mixture.retrieval.reading.marks import fenced
from mixture.retrieval.reading.text import read as read_text

_DEFINITION = re.compile(
    r"^(?: {0,4}|\t)(?:(?:export|default|public|private|protected|internal|static|final|abstract|async"
    r"|pub(?:\([^)]*\))?|unsafe|inline|virtual|override|open|data|sealed|declare)\s+)*"
    r"(?P<what>def|class|function\*?|func|fn|struct|impl|interface|type|enum|trait|module|namespace|sub|object|record"
    r"|CREATE\s+(?:TABLE|VIEW|FUNCTION))\s+(?P<name>[\w.$]+)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"^\s*(?:@|///|//!|#\[)")


def read(data: bytes, most: int) -> str:
    """The file, its definitions under headings that name them and say in which line they begin."""
    lines = read_text(data, most).splitlines()
    starts = [number for number, line in enumerate(lines) if _DEFINITION.match(line)]
    cuts = [_with_what_is_above(lines, number) for number in starts]
    parts = [_part("", lines[: cuts[0] if cuts else len(lines)])]
    for place, (start, cut) in enumerate(zip(starts, cuts, strict=True)):
        found = _DEFINITION.match(lines[start])
        name = f"{found['what']} {found['name']}, line {start + 1}" if found else ""
        parts.append(_part(name, lines[cut : cuts[place + 1] if place + 1 < len(cuts) else len(lines)]))
    return "\n\n".join(part for part in parts if part)


def _with_what_is_above(lines: list[str], number: int) -> int:
    """Where the definition in line `number` begins with its decorators and attributes."""
    while number and _JOINED.match(lines[number - 1]):
        number -= 1
    return number


def _part(name: str, lines: list[str]) -> str:
    text = "\n".join(lines).strip("\n")
    if not text.strip():
        return ""
    return f"# {name}\n\n{fenced(text)}" if name else fenced(text)
