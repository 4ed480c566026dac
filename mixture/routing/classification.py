"""What a text is about: the domains whose words and patterns it shows. Pure, and a matter of microseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from string import ascii_lowercase, digits

from mixture.routing.domains import BY_NAME, DOMAINS, MARKS
from mixture.routing.language import ENGLISH, in_english, language
from mixture.routing.runs import folded, runs, table
from mixture.types import Query

FIRST, LAST = 2_000, 500
"""Characters that are looked at, at the beginning and at the end: instructions stand at either."""
PATTERN = 3.0
"""What a pattern counts; a word counts 1."""
SHOWN = 6
"""Matches that are named as reasons."""

_WORD = re.compile(r"[a-z][a-z0-9_+/;-]*[a-z0-9_+]|[a-z]")
_NOT_LAST = "/;-"
_NOT_FIRST = f"{digits}_+{_NOT_LAST}"
_INSIDE = table(ascii_lowercase + _NOT_FIRST)


@dataclass(frozen=True, slots=True)
class Topic:
    """The domains that a text shows, strongest first, with what was found of each, and the language that it is in."""

    scores: Mapping[str, float] = field(default_factory=dict)
    matched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    language: str = ENGLISH

    @property
    def task(self) -> str:
        """The strongest domain; `general` when there is none."""
        return next(iter(self.scores), "general")


def classify(text: str) -> Topic:
    """The domains that `text` shows. Equal ones stay in the order of `mixture.routing.domains.DOMAINS`."""
    cut = looked_at(text)
    spoken = language(cut)
    seen = in_english(cut, spoken)
    lowered = seen.lower()
    words, plain = _words(seen, lowered), folded(lowered)
    found: dict[str, dict[str, float]] = {}
    for word in sorted(words & _DOMAINS_OF.keys()):
        for name in _DOMAINS_OF[word]:
            found.setdefault(name, {})[word] = 1.0
    for name, pattern in _PATTERNS:
        if not words.isdisjoint(pattern.needs) and pattern.found(seen, plain):
            found.setdefault(name, {})[pattern.shows] = PATTERN
    return _ranked(found, spoken)


def _ranked(found: dict[str, dict[str, float]], spoken: str) -> Topic:
    for name in tuple(found):
        implied = BY_NAME[name].implies
        if implied is not None:
            found.setdefault(implied, found[name])
    scores = {name: sum(found[name].values()) for name in _ORDER if name in found}
    ranked = sorted(scores, key=lambda name: -scores[name])
    return Topic({n: scores[n] for n in ranked}, {n: tuple(found[n])[:SHOWN] for n in ranked}, spoken)


def topic(query: Query) -> Topic:
    """What a conversation is about: its last message from the user or, when that shows nothing ("make it shorter"), the
    one before it.
    """
    asked = [message for message in query.messages if message.role == "user"][-2:]
    for message in reversed(asked):
        found = classify(message.text)
        if found.scores:
            return found
    return classify(asked[-1].text) if asked else Topic()


def named(task: str) -> frozenset[str]:
    """Every word by which a configuration may call the domain `task`: its name and its skills; none for another word,
    unless it is a skill itself.
    """
    domain = BY_NAME.get(task)
    if domain is not None:
        return domain.skills | {domain.name}
    return frozenset({task}) if task in _SKILLS or task == "general" else frozenset()


def looked_at(text: str) -> str:
    """The beginning and the end of a long text."""
    return text if len(text) <= FIRST + LAST else f"{text[:FIRST]}\n{text[-LAST:]}"


def _words(text: str, lowered: str) -> set[str]:
    """The words of `text` in lower case, its pairs of words that could be a phrase, and the marks that it shows."""
    words = _listed(lowered)
    found = set(words)
    if not _FIRST_WORDS.isdisjoint(found):
        found |= {f"{one} {other}" for one, other in pairwise(words) if one in _FIRST_WORDS}
    found |= {name for name, part, mark in MARKS if part in text and mark.search(text) is not None}
    return found


def _listed(lowered: str) -> list[str]:
    """What `_WORD` finds."""
    if not lowered.isascii():
        return _WORD.findall(lowered)
    found = runs(lowered, _INSIDE)
    return list(filter(None, [run if run.isalpha() else run.lstrip(_NOT_FIRST).rstrip(_NOT_LAST) for run in found]))


_ORDER = tuple(BY_NAME)
_SKILLS = frozenset[str]().union(*(domain.skills for domain in DOMAINS))
_PATTERNS = tuple((domain.name, pattern) for domain in DOMAINS for pattern in domain.patterns)
_DOMAINS_OF: dict[str, tuple[str, ...]] = {}
for _domain in DOMAINS:
    for _entry in _domain.words:
        _DOMAINS_OF[_entry] = (*_DOMAINS_OF.get(_entry, ()), _domain.name)
_FIRST_WORDS = frozenset(entry.partition(" ")[0] for entry in _DOMAINS_OF if " " in entry)
