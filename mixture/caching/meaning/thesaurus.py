"""Which words mean the same, from WordNet: `thesaurus.txt.gz`, made by `thesaurus_building`."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files

_ENDINGS = (
    ("ies", "y"), ("ied", "y"), ("ves", "f"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("es", "e"),
    ("s", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("est", ""), ("est", "e"), ("er", ""), ("er", "e"),
    ("ly", ""),
)  # fmt: skip
SHORTEST = 3
"""Letters that are left of a word at least when an ending is taken off."""
BEGINNING = 5
"""Letters at which words of one family begin alike."""


@dataclass(frozen=True, slots=True)
class Sense:
    """What is known of a word: its synsets, its family's name, its antonyms, whether it is a proper name."""

    synsets: frozenset[str] = frozenset()
    family: str = ""
    antonyms: frozenset[str] = frozenset()
    proper: bool = False


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """Senses by word, and irregular forms with the words that they are of."""

    senses: dict[str, Sense] = field(default_factory=dict)
    irregular: dict[str, str] = field(default_factory=dict)

    def lemma(self, word: str) -> str:
        """The word in the form in which dictionaries have it, as far as endings tell; `word` in lower case."""
        return _lemma(word)

    def sense(self, lemma: str) -> Sense:
        """What is known of a lemma; an unknown one is a word of its own."""
        return self.senses.get(lemma) or Sense(family=lemma)

    def same(self, one: str, other: str) -> bool:
        """Whether two lemmas mean the same: one family, or synonyms."""
        if one == other:
            return True
        a, b = self.sense(one), self.sense(other)
        if one in b.antonyms or other in a.antonyms:
            return False
        return a.family == b.family or not a.synsets.isdisjoint(b.synsets)


@cache
def packaged() -> Thesaurus:
    """The thesaurus that comes with the package."""
    data = files("mixture.caching.meaning").joinpath("thesaurus.txt.gz").read_bytes()
    senses: dict[str, Sense] = {}
    irregular: dict[str, str] = {}
    for line in gzip.decompress(data).decode().splitlines():
        word, synsets, family, antonyms, form_of, proper = (line + "|||||").split("|")[:6]
        if form_of:
            irregular[word] = form_of
        senses[word] = Sense(frozenset(synsets.split()), family or word, frozenset(antonyms.split()), bool(proper))
    return Thesaurus(senses, irregular)


@lru_cache(maxsize=8_192)
def _lemma(word: str) -> str:
    known = packaged()
    if word in known.irregular:
        return known.irregular[word]
    if len(word) <= SHORTEST or (word in known.senses and not word.endswith(("s", "ed", "ing"))):
        return word
    for ending, instead in _ENDINGS:
        stem = word[: -len(ending)] + instead if word.endswith(ending) else ""
        if len(stem) < SHORTEST:
            continue
        if stem in known.senses:
            return stem
        if ending in ("ing", "ed") and stem[-1] == stem[-2] and stem[:-1] in known.senses:
            return stem[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and word not in known.senses else word
