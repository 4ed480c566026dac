"""The shape of a request: length, numbers, options, notation. It says much about difficulty and nothing about topic."""

from __future__ import annotations

import re
from functools import lru_cache
from math import log1p
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from mixture.routing.runs import LETTERS, NUMBERS, WORDS, runs

SHAPE_SIZE = 37
"""Numbers in a shape."""
LENGTH = 2
"""The place of the logarithm of the number of words."""
REMEMBERED = 64
"""Texts whose shape is kept: more than one signal asks for it."""
BENT_SIZE = 30
"""How many of them, from the first, a model may bend; the others count in a line only."""

_OPTION = re.compile(r"\n\s*\(?[A-Ja-j1-9][.):]\s+")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_QUESTION = re.compile(r"\s*(?:who|when|where|which|what|how|why)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\b(?:all|none|both|neither) of (?:the|these)\b")
_STATEMENT = re.compile(r"\b(?:statement|scenario|passage|case) (?:[12]|i)\b")
_CODE = re.compile(r"```|\bdef \w+\(|\bimport \w+|[;{]\s*\n|=>|\breturn\b")
_LATEX = re.compile(r"\\[a-zA-Z]+|\$[^$]+\$|\^\{|_\{")
_SYMBOLS = re.compile(r"[=+*/^<>\\{}\[\]()|$_]")
_UPPER = re.compile(r"[A-Z]")
_AS_MANY = re.compile(r"\bas (?:many|much)\b")
_TOKEN = re.compile(r"\w+")
_KINDS = (
    "each every per times twice thrice double triple half third quarter percent rate average ratio",
    "than older younger remaining left rest difference altogether total",
    "if when then after before until while unless because since given suppose assume",
    "one two three four five six seven eight nine ten dozen hundred thousand first second",
    "not except least false incorrect never",
    "i me my we you your",
)
"""Words that tell of: rates, comparisons, conditions, numerals; negations, persons."""
_KIND_OF = {word: kind for kind, words in enumerate(_KINDS) for word in words.split()}
_CODE_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    *((sign, re.compile(sign)) for sign in ("```", "=>")),
    ("def ", re.compile(r"\bdef \w+\(")),
    ("import ", re.compile(r"\bimport \w+")),
    ("return", re.compile(r"\breturn\b")),
    *((sign, re.compile(rf"{sign}\s*\n")) for sign in (";", "{")),
)
"""`_CODE` in parts: what stands in a text in which the expression beside it finds something."""
_STATED = ("statement ", "scenario ", "passage ", "case ")
"""One of these stands in every text in which `_STATEMENT` finds something."""
_INITIAL = itemgetter(0)


@lru_cache(maxsize=REMEMBERED)
def shape(text: str) -> npt.NDArray[np.float32]:
    """`SHAPE_SIZE` numbers that describe how `text` is written: all finite, none larger than a few tens. Read-only."""
    pieces = _OPTION.split(text)
    question, options = pieces[0], pieces[1:]
    numbers = _numbers(question)
    lowered = question.lower()
    told = [0] * len(_KINDS)
    for kind in map(_KIND_OF.get, _tokens(lowered)):
        if kind is not None:
            told[kind] += 1
    written = [
        *_lengths(text, question, numbers),
        *_options(options),
        *_marks(text, question, lowered, told),
        *_quantities(lowered, numbers, told),
    ]
    found = np.array(written, dtype=np.float32)
    found.setflags(write=False)
    return found


def _lengths(text: str, question: str, numbers: list[str]) -> list[float]:
    words = runs(question, LETTERS) if question.isascii() else _WORD.findall(question)
    total, count = len(text) + 1, len(words) + 1
    digits = sum(map(len, numbers if len(question) == len(text) else _numbers(text)))
    return [
        log1p(len(question)),
        log1p(total),
        log1p(count),
        log1p(len(numbers)),
        digits / total,
        len(_UPPER.findall(text)) / total,
        sum(map(len, words)) / count,
        len(set(map(str.lower, words))) / count,
        sum(map(str.isupper, map(_INITIAL, words))) / count,
        question.count(",") / (len(question) + 1),
        log1p(question.count("\n")),
        log1p(len(_SENTENCE_END.findall(question))),
        len(_SYMBOLS.findall(text)) / total,
        0.0 if text.isascii() else sum(character > "\x7f" for character in text) / total,
    ]


def _options(options: list[str]) -> list[float]:
    if not options:
        return [0.0] * 6
    sizes = [len(option.strip()) for option in options]
    mean = sum(sizes) / len(sizes)
    spread = (sum((size - mean) ** 2 for size in sizes) / len(sizes)) ** 0.5
    numeric = sum(_NUMBER.search(option) is not None for option in options) / len(options)
    whole = any(" of the" in option and _WHOLE.search(option) for option in map(str.lower, options))
    return [float(len(options)), log1p(mean), log1p(spread), log1p(max(sizes)), numeric, float(whole)]


def _marks(text: str, question: str, lowered: str, told: list[int]) -> list[float]:
    return [
        float("?" in question),
        float("__" in question),
        float(told[4] > 0),
        float("following" in question),
        float(any(part in lowered for part in _STATED) and _STATEMENT.search(lowered) is not None),
        float(question[:1].islower()),
        float(told[5] > 0),
        float(_QUESTION.match(question) is not None),
        float(any(sign in text and part.search(text) is not None for sign, part in _CODE_SIGNS)),
        float(_LATEX.search(text) is not None),
    ]


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(" ".join(runs(text, NUMBERS)) if text.isascii() else text)


def _tokens(text: str) -> list[str]:
    return runs(text, WORDS) if text.isascii() else _TOKEN.findall(text)


def _quantities(question: str, numbers: list[str], told: list[int]) -> list[float]:
    """How much reckoning the words call for; `question` is in lower case."""
    largest = max((len(number.partition(".")[0].replace(",", "")) for number in numbers), default=0)
    return [
        log1p(told[0] + question.count("%")),
        log1p(told[1] + (len(_AS_MANY.findall(question)) if "as m" in question else 0)),
        log1p(told[2]),
        log1p(told[3]),
        float(min(largest, 12)),
        log1p(sum("." in number for number in numbers)),
        log1p(len(set(numbers))),
    ]
