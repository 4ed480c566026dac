"""The kinds of tasks that the keyword router knows, read from `domains.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

MARKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("<digit>", re.compile(r"\d")),
    ("<equals>", re.compile(r"=")),
    ("<fence>", re.compile(r"```")),
    ("<call>", re.compile(r"\w\(")),
    ("<latex>", re.compile(r"[\\$]")),
    ("<line>", re.compile(r"^\s*(?:def|class|import|from|public|#include|fn|func|const|let|var)\b", re.MULTILINE)),
)
"""What a text may show beside words."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, the words or marks without one of which it can't match, and what it shows, in our words.
    `hint` is a quicker expression that finds something in every text in ASCII, in lower case, in which `regex` does.
    """

    shows: str
    needs: frozenset[str]
    regex: re.Pattern[str]
    hint: re.Pattern[str] | None = None

    def found(self, text: str, lowered: str) -> bool:
        """Whether it matches in `text`, which is `lowered` in lower case."""
        if self.hint is not None and text.isascii() and self.hint.search(lowered) is None:
            return False
        return self.regex.search(text) is not None


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
    hint = re.compile(entry["hint"]) if "hint" in entry else None
    needs = frozenset(entry["needs"].split())
    return Pattern(entry["shows"], needs, re.compile(regex, re.IGNORECASE | re.MULTILINE), hint)


def _joined(pieces: str | list[str]) -> str:
    return pieces if isinstance(pieces, str) else "".join(pieces)


DOMAINS = tuple(_read())
BY_NAME = {domain.name: domain for domain in DOMAINS}
GENERAL = frozenset({"general", "chat", "conversation", "generalist"})
"""Skills of an expert that is for everything."""
NARROW = frozenset[str]().union(*(domain.skills for domain in DOMAINS if domain.narrow))
"""Skills beside which an expert needs another one to be asked about anything else."""
