"""What a question consists of, as far as two questions can be told apart by it. Pure; computed once a question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from mixture.caching.meaning.kinds import kind_of
from mixture.caching.meaning.thesaurus import packaged

_CODE = re.compile(r"```.*?```|`[^`\n]+`|\"[^\"\n]+\"|“[^”\n]+”|https?://\S+|[\w.+-]+@[\w-]+\.[\w.]+", re.DOTALL)
_TOKEN = re.compile(
    r"\d[\d,]*(?:\.\d+)?(?:[a-z]{1,2}\b)?|[^\W\d_][\w+#]*(?:['\u2019][^\W\d_]+)?|[%$€£¥°]|[+*=<>^]|"
    r"(?<![^\s\d])[-/](?![^\s\d])",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)([a-z]*)$", re.IGNORECASE)
_WAYS = re.compile(r"\b(?:best|easiest|simplest|right|proper|quickest) (?:way|ways|method|methods)\b", re.IGNORECASE)
"""Ways to ask how, rather than for what is best."""
_BEGINS = re.compile(r"(?:^|[.!?:;\n])\s*$")
_REASONS = frozenset({"cause", "causes", "caused", "make", "makes", "reason", "reasons"})
_HAVING = frozenset({"have", "has", "had", "need", "needs"})
_TIMES = frozenset({"k", "m", "b"})
_SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of content: its lemma, and the preposition that it stands behind ("" for none)."""

    lemma: str
    tag: str


@dataclass(frozen=True, slots=True)
class Signature:
    """A question taken apart. `words` are those of content in their order, `plain` all words; `contrasts` says which
    set of which contrast (places in the lexicon) it has a word of.
    """

    words: tuple[Word, ...]
    plain: frozenset[str]
    numbers: tuple[float | str, ...]
    symbols: tuple[str, ...]
    entities: frozenset[str]
    quoted: tuple[str, ...]
    negations: int
    quantifiers: frozenset[str]
    superlatives: frozenset[str]
    contrasts: Mapping[int, frozenset[int]]
    kind: str
    joined: frozenset[frozenset[str]]
    """Pairs of words that may change places ("salt and pepper")."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`lexicon.yaml`, ready to be looked up in."""

    light: frozenset[str]
    asking: frozenset[str]
    polite: re.Pattern[str]
    contrasts: Mapping[str, tuple[tuple[int, int], ...]]
    """Word -> the contrasts and the sets in them that it belongs to."""
    negations: frozenset[str]
    quantifiers: frozenset[str]
    superlatives: frozenset[str]
    symmetric: frozenset[str]
    prepositions: frozenset[str]
    telling: frozenset[str]
    foreign: frozenset[str]
    numbers: Mapping[str, float]


@cache
def lexicon() -> Lexicon:
    """The lexicon that comes with the package."""
    data: dict[str, Any] = yaml.safe_load(files("mixture.caching.meaning").joinpath("lexicon.yaml").read_text("utf-8"))
    places: dict[str, list[tuple[int, int]]] = {}
    for number, line in enumerate(data["contrasts"]):
        for place, words in enumerate(str(line).split("/")):
            for word in words.split():
                places.setdefault(word, []).append((number, place))
    polite = "|".join(re.escape(phrase.strip()) for phrase in data["polite"].split("|"))
    sets = {name: frozenset(data[name].split()) for name in _SETS}
    return Lexicon(
        polite=re.compile(rf"^(?:(?:{polite})\b[\s,]*)+"),
        contrasts={word: tuple(found) for word, found in places.items()},
        numbers={word: float(value) for word, value in data["numbers"].items()},
        **sets,
    )


_SETS = (
    "light",
    "asking",
    "negations",
    "quantifiers",
    "superlatives",
    "symmetric",
    "prepositions",
    "telling",
    "foreign",
)


def signature_of(text: str) -> Signature:
    """`text` taken apart."""
    quoted = tuple(found.strip('`"“”').lower() for found in _CODE.findall(text))
    rest = _WAYS.sub(" way ", _CODE.sub(" ", text))
    tokens = list(_tokens(rest))
    plain = [word for word, _ in tokens]
    kind = kind_of(lexicon().polite.sub("", rest.strip().lower()))
    words = tuple(_content(plain, kind))
    return Signature(
        words=words,
        plain=frozenset(plain),
        numbers=tuple(_numbers(plain)),
        symbols=tuple(word for word in plain if not word[0].isalnum() and word != "'s"),
        entities=frozenset(_entities(tokens)),
        quoted=quoted,
        negations=sum(word in lexicon().negations or word.endswith("n't") for word in plain),
        quantifiers=lexicon().quantifiers.intersection(plain),
        superlatives=lexicon().superlatives.intersection(plain),
        contrasts=_contrasts(plain),
        kind=kind,
        joined=frozenset(_joined(plain)),
    )


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Each word in lower case, and whether it is written like a name."""
    for match in _TOKEN.finditer(text):
        word = match.group().replace("\u2019", "'")
        begins = _BEGINS.search(text[max(0, match.start() - 40) : match.start()]) is not None
        named = (word[0].isupper() and not begins) or any(c.isupper() for c in word[1:])
        if word.lower().endswith("'s"):
            yield word[:-2].lower(), named and word != "I"
            yield "'s", False
        else:
            yield word.lower(), named and word != "I"


def _numbers(tokens: list[str]) -> Iterator[float | str]:
    for word in tokens:
        match = _NUMBER.match(word)
        if match is not None:
            unit = match[2]
            yield float(match[1].replace(",", "")) * _SCALES.get(unit, 1.0)
            if unit and unit not in _TIMES and unit not in ("st", "nd", "rd", "th"):
                yield unit
        elif word in lexicon().numbers:
            yield lexicon().numbers[word]


def _entities(tokens: list[tuple[str, bool]]) -> Iterator[str]:
    light = lexicon().light
    for word, named in tokens:
        if not word[0].isalpha() or word in light:
            continue
        if named or any(c.isdigit() for c in word) or packaged().sense(word).proper:
            yield word


def _content(tokens: list[str], kind: str) -> Iterator[Word]:
    known, tag = lexicon(), ""
    for place, word in enumerate(tokens):
        if word in known.prepositions:
            tag = word
        behind = tokens[place + 1] if place + 1 < len(tokens) else ""
        if word == "a" and not (behind and behind[0].isalnum() and behind not in known.light):
            yield Word(word, tag)  # no article: a letter
        if not word[0].isalpha() or word in known.light or word in known.asking or word in known.numbers:
            continue
        if kind == "reason" and word in _REASONS:
            continue
        owns = behind == "'s"
        yield Word(packaged().lemma(word), "of" if owns else tag)
        tag = ""


def _contrasts(tokens: list[str]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for place, word in enumerate(tokens):
        if word in _HAVING and tokens[place + 1 : place + 2] == ["to"]:
            word = "must"
        lemma = packaged().lemma(word)
        for number, part in (*lexicon().contrasts.get(word, ()), *lexicon().contrasts.get(lemma, ())):
            found.setdefault(number, set()).add(part)
    return {number: frozenset(parts) for number, parts in found.items()}


def _joined(tokens: list[str]) -> Iterator[frozenset[str]]:
    for place in range(1, len(tokens) - 1):
        if tokens[place] in lexicon().symmetric:
            lemma = packaged().lemma
            yield frozenset((lemma(tokens[place - 1]), lemma(tokens[place + 1])))
