"""The language of a request, and its telling words in English, so that it routes as its English twin does.

Language by script, else by frequent words and by letters that few languages have. `languages.yaml` holds a small
glossary a language: words of it are put in the place of the foreign ones, nothing is translated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import islice

import yaml

from mixture.routing.runs import LETTERS, runs
from mixture.routing.wordpiece import plain

ENGLISH = "en"
LOOKED_AT = 120
"""Words by which a language is told."""
SHORTEST_STEM = 4
"""Letters from which on an entry stands for the words that begin with it."""
REMEMBERED = 64
"""Texts whose language is kept: more than one signal asks for it."""
TELLING = 2
"""What a telling letter counts beside a frequent word."""

_WORD = re.compile(r"([^\W\d_]+)")
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_LETTERS = {"de": "ßäöü", "fr": "êèçàœù", "es": "ñ¿¡", "pt": "ãõç", "it": "òì"}
_ENGLISH_STOPS = frozenset(
    re.findall(
        r"\w+",
        """the of and is are was were what how why who when where which a an to in for with on that this it you my
        me i can do does if be by from as at or not your we they have has about please will would should there""",
    )
)
_FOREIGN_SHARE = 0.3
"""The share of a text's letters from which on its script decides: a formula's Greek letters make no Greek text."""


@dataclass(frozen=True, slots=True)
class Glossary:
    """A language's frequent words, and its entries in English: `phrases` of several words by their first one, `stems`
    and short whole words in `words`; `longest` is the length of its longest entry.
    """

    stops: frozenset[str]
    words: Mapping[str, str]
    phrases: Mapping[str, tuple[tuple[str, str], ...]]
    longest: int

    def known(self, words: Iterable[str]) -> int:
        """How many of `words`, in plain letters, have an entry."""
        return sum(bool(_single(word, self, "")) for word in words)


@cache
def glossaries() -> Mapping[str, Glossary]:
    """The glossaries by language (ISO 639-1)."""
    data = yaml.safe_load(files("mixture.routing").joinpath("languages.yaml").read_text(encoding="utf-8"))
    return {language: _glossary(entry["stops"], entry["words"]) for language, entry in data.items()}


def _glossary(stops: str, listed: str) -> Glossary:
    words: dict[str, str] = {}
    phrases: dict[str, list[tuple[str, str]]] = {}
    for entry in listed.split(","):
        foreign, _, english = entry.strip().partition("=")
        parts = _WORD.findall(plain(foreign))
        if len(parts) > 1:
            phrases.setdefault(parts[0], []).append((" ".join(parts), english))
        else:
            words.setdefault(parts[0], english)
    longest_first = {first: tuple(sorted(found, key=lambda pair: -len(pair[0]))) for first, found in phrases.items()}
    return Glossary(frozenset(plain(stops).split()), words, longest_first, max(map(len, words)))


@lru_cache(maxsize=REMEMBERED)
def language(text: str) -> str:
    """The language that `text` is written in, as ISO 639-1: English where nothing speaks for another one."""
    script = None if text.isascii() else _script(text)
    if script is not None:
        return script
    lowered = text.lower()
    if lowered.isascii():
        words = set(runs(lowered, LETTERS)[:LOOKED_AT])
    else:
        words = {plain(found[0]) for found in islice(_WORD.finditer(lowered), LOOKED_AT)}
    scores = {name: len(words & glossary.stops) for name, glossary in glossaries().items()}
    for name, letters in _LETTERS.items():
        if not text.isascii() and any(letter in lowered for letter in letters):
            scores[name] += TELLING
    most = max(scores.values())
    if most <= len(words & _ENGLISH_STOPS):
        return ENGLISH
    tied = [name for name, score in scores.items() if score == most]
    return max(tied, key=lambda name: glossaries()[name].known(words)) if len(tied) > 1 else tied[0]


def _script(text: str) -> str | None:
    letters = sum(character.isalpha() for character in text)
    for name, pattern in _SCRIPTS:
        if len(pattern.findall(text)) > _FOREIGN_SHARE * letters:
            return name
    return None


def in_english(text: str, spoken: str) -> str:
    """`text` with the words of the glossary of `spoken` in English and its frequent words left out; as it is where
    there is no such glossary.
    """
    glossary = glossaries().get(spoken)
    if glossary is None:
        return text
    return _unspaced(text, glossary) if spoken in ("zh", "ja") else _spaced(text, glossary)


def _spaced(text: str, glossary: Glossary) -> str:
    pieces = _WORD.split(text)
    pieces[2:-1:2] = [" " if between == "-" else between for between in pieces[2:-1:2]]
    words = [plain(word) for word in pieces[1::2]]
    place = 0
    while place < len(words):
        taken, english = _phrase(words, place, glossary)
        if taken:
            pieces[2 * place + 1 : 2 * (place + taken)] = [english, *[""] * (2 * taken - 2)]
        else:
            taken = 1
            pieces[2 * place + 1] = _single(words[place], glossary, pieces[2 * place + 1])
        place += taken
    return "".join(pieces)


def _phrase(words: list[str], place: int, glossary: Glossary) -> tuple[int, str]:
    """How many words from `place` on are an entry of several words, and that entry in English."""
    for phrase, english in glossary.phrases.get(words[place], ()):
        count = phrase.count(" ") + 1
        if " ".join(words[place : place + count]).startswith(phrase):
            return count, english
    return 0, ""


def _single(word: str, glossary: Glossary, otherwise: str) -> str:
    exact = glossary.words.get(word)
    if exact is not None:
        return exact
    if word in glossary.stops:
        return ""
    for end in range(min(len(word), glossary.longest), SHORTEST_STEM - 1, -1):
        found = glossary.words.get(word[:end])
        if found is not None:
            return found
    return otherwise


def _unspaced(text: str, glossary: Glossary) -> str:
    found: list[str] = []
    place = 0
    while place < len(text):
        if text[place].isascii():
            found.append(text[place])
            place += 1
            continue
        for size in range(glossary.longest, 0, -1):
            english = glossary.words.get(plain(text[place : place + size]))
            if english is not None:
                found.append(f" {english} ")
                break
        place += size
    return "".join(found)
