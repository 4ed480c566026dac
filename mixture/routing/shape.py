"""The shape of a request: length, numbers, options, notation. It says much about difficulty and nothing about topic."""

from __future__ import annotations

import re
from math import log1p

import numpy as np
import numpy.typing as npt

SHAPE_SIZE = 37
"""Numbers in a shape."""
LENGTH = 2
"""The place of the logarithm of the number of words."""
BENT_SIZE = 30
"""How many of them, from the first, a model may bend; the others count in a line only."""

_OPTION = re.compile(r"\n\s*\(?[A-Ja-j1-9][.):]\s+")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_NEGATION = re.compile(r"\b(?:not|except|least|false|incorrect|never)\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:i|me|my|we|you|your)\b", re.IGNORECASE)
_QUESTION = re.compile(r"\s*(?:who|when|where|which|what|how|why)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\b(?:all|none|both|neither) of (?:the|these)\b", re.IGNORECASE)
_STATEMENT = re.compile(r"\b(?:statement|scenario|passage|case) (?:[12]|i)\b", re.IGNORECASE)
_CODE = re.compile(r"```|\bdef \w+\(|\bimport \w+|[;{]\s*\n|=>|\breturn\b")
_LATEX = re.compile(r"\\[a-zA-Z]+|\$[^$]+\$|\^\{|_\{")
_SYMBOLS = re.compile(r"[=+*/^<>\\{}\[\]()|$_]")
_UPPER = re.compile(r"[A-Z]")
_TIMES = re.compile(
    r"\b(?:each|every|per|times|twice|thrice|double|triple|half|third|quarter|percent|rate|average|ratio)\b|%"
)
_COMPARED = re.compile(r"\b(?:than|as (?:many|much)|older|younger|remaining|left|rest|difference|altogether|total)\b")
_CONDITION = re.compile(r"\b(?:if|when|then|after|before|until|while|unless|because|since|given|suppose|assume)\b")
_NUMERAL = re.compile(r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|first|second)\b")


def shape(text: str) -> npt.NDArray[np.float32]:
    """`SHAPE_SIZE` numbers that describe how `text` is written: all finite, none larger than a few tens."""
    pieces = _OPTION.split(text)
    question, options = pieces[0], pieces[1:]
    words = _WORD.findall(question)
    written = [*_lengths(text, question, words), *_options(options), *_marks(text, question)]
    return np.array([*written, *_quantities(question.lower())], dtype=np.float32)


def _lengths(text: str, question: str, words: list[str]) -> list[float]:
    total, count = len(text) + 1, len(words) + 1
    digits = sum(map(len, _NUMBER.findall(text)))
    return [
        log1p(len(question)),
        log1p(total),
        log1p(count),
        log1p(len(_NUMBER.findall(question))),
        digits / total,
        len(_UPPER.findall(text)) / total,
        sum(map(len, words)) / count,
        len({word.lower() for word in words}) / count,
        sum(word[0].isupper() for word in words) / count,
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
    whole = any(_WHOLE.search(option) for option in options)
    return [float(len(options)), log1p(mean), log1p(spread), log1p(max(sizes)), numeric, float(whole)]


def _marks(text: str, question: str) -> list[float]:
    return [
        float("?" in question),
        float("__" in question),
        float(_NEGATION.search(question) is not None),
        float("following" in question),
        float(_STATEMENT.search(question) is not None),
        float(question[:1].islower()),
        float(_PERSON.search(question) is not None),
        float(_QUESTION.match(question) is not None),
        float(_CODE.search(text) is not None),
        float(_LATEX.search(text) is not None),
    ]


def _quantities(question: str) -> list[float]:
    """How much reckoning the words call for; `question` is in lower case."""
    numbers = _NUMBER.findall(question)
    largest = max((len(number.partition(".")[0].replace(",", "")) for number in numbers), default=0)
    return [
        log1p(len(_TIMES.findall(question))),
        log1p(len(_COMPARED.findall(question))),
        log1p(len(_CONDITION.findall(question))),
        log1p(len(_NUMERAL.findall(question))),
        float(min(largest, 12)),
        log1p(sum("." in number for number in numbers)),
        log1p(len(set(numbers))),
    ]
