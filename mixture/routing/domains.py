"""The kinds of tasks that the keyword router knows, read from `domains.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

_OPENING = r"\s*(?:def|class|import|from|public|#include|fn|func|const|let|var)\b"
MARKS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("<digit>", "", re.compile(r"\d")),
    ("<equals>", "=", re.compile("=")),
    ("<fence>", "```", re.compile("```")),
    ("<call>", "(", re.compile(r"\w\(")),
    ("<latex>", "\\", re.compile(r"\\")),
    ("<latex>", "$", re.compile(r"\$")),
    ("<line>", "", re.compile(rf"\A{_OPENING}")),
    ("<line>", "\n", re.compile(rf"\n{_OPENING}")),
)
"""What a text may show beside words: a name, a part without which it can't be, and its expression."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, the words or marks without one of which it can't match, and what it shows, in our words.
    Of the `hints`, parts of text with an expression each, one stands in every text in lower case and `folded` in which
    `regex` finds something, and its expression finds something there; they are quicker.
    """

    shows: str
    needs: frozenset[str]
    regex: re.Pattern[str]
    hints: tuple[tuple[str, re.Pattern[str]], ...] = ()

    def found(self, text: str, plain: str | None) -> bool:
        """Whether it matches in `text`, which is `plain` in lower case and folded (`mixture.routing.runs.folded`)."""
        if self.hints and plain is not None and not self._hinted(plain):
            return False
        return self.regex.search(text) is not None

    def _hinted(self, plain: str) -> bool:
        return any(part in plain and hint.search(plain) is not None for part, hint in self.hints)


@dataclass(frozen=True, slots=True)
class Domain:
    """A kind of task. An expert suits it that has one of its `skills`; see `domains.yaml` for the rest."""

    name: str
    skills: frozenset[str]
    words: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    implies: str | None
    narrow: bool


def _read() -> Iterator[Domain]:
    data = yaml.safe_load(files("mixture.routing").joinpath("domains.yaml").read_text(encoding="utf-8"))
    definitions = {name: _joined(pieces) for name, pieces in data.pop("definitions").items()}
    for name, entry in data.items():
        yield Domain(
            name,
            frozenset(entry["skills"].split()),
            tuple(word.strip() for word in entry.get("words", "").split(",") if word.strip()),
            tuple(_pattern(pattern, definitions) for pattern in entry.get("patterns", ())),
            entry.get("implies"),
            entry.get("narrow", False),
        )


def _pattern(entry: Mapping[str, Any], definitions: Mapping[str, str]) -> Pattern:
    regex = _joined(entry["regex"])
    for name, definition in definitions.items():
        regex = regex.replace(f"{{{name}}}", definition)
    hints = tuple((part, re.compile(_joined(hint))) for part, hint in entry.get("hints", {}).items())
    needs = frozenset(entry["needs"].split())
    return Pattern(entry["shows"], needs, re.compile(regex, re.IGNORECASE | re.MULTILINE), hints)


def _joined(pieces: str | list[str]) -> str:
    return pieces if isinstance(pieces, str) else "".join(pieces)


DOMAINS = tuple(_read())
BY_NAME = {domain.name: domain for domain in DOMAINS}
GENERAL = frozenset({"general", "chat", "conversation", "generalist"})
"""Skills of an expert that is for everything."""
NARROW = frozenset[str]().union(*(domain.skills for domain in DOMAINS if domain.narrow))
"""Skills beside which an expert needs another one to be asked about anything else."""
