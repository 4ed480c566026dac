"""Words into signs: "three quarters of one hundred plus 2 squared" becomes "(3/4) of 100 + 2 ^2"."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

_SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "twentieth": 20,
}  # fmt: skip
_SINGLE_PARTS = {word: n for word, n in _ORDINALS.items() if 2 < n <= 10} | {"hundredth": 100, "thousandth": 1000}
_PARTS = {
    "half": 2, "halves": 2, "quarter": 4, "quarters": 4,
    **_SINGLE_PARTS, **{f"{word}s": n for word, n in _SINGLE_PARTS.items()},
}  # fmt: skip

WORDS = frozenset({*_SMALL, *_TENS, *_SCALES, *_PARTS, *_ORDINALS})
"""The words for numbers."""

_CARDINAL = "|".join([*_SMALL, *_TENS])
_SCALE = "|".join(_SCALES)
_PART = "|".join(sorted(_PARTS, key=len, reverse=True))
_ORDINAL = rf"(\d+)(?:st|nd|rd|th)|({'|'.join(_ORDINALS)})"

_SPELLED = re.compile(
    rf"\b(?:an?\s+(?=(?:{_SCALE})\b))?(?:{_CARDINAL}|{_SCALE})"
    rf"(?:[\s-]+(?:and\s+)?(?:{_CARDINAL}|{_SCALE})\b)*\b(?!-)"
)


def _value(words: list[str]) -> int | None:
    """The number that `words` spell, None when they spell none ("one two", "five and six")."""
    total, group, last = 0, 0, ""
    for word in words:
        if word == "and":
            if last not in _SCALES:
                return None
        elif word in _SCALES:
            if last == "and" or (total and _SCALES[word] >= total):
                return None
            scale = _SCALES[word]
            if scale <= 100:
                group = (group or 1) * scale
            else:
                total, group = total + (group or 1) * scale, 0
        else:
            value = _SMALL.get(word, _TENS.get(word, 0))
            room = 10 if last in _TENS and 0 < value < 10 else (100 if last in (*_SCALES, "and") else 0)
            if last and not room:
                return None
            group += value
        last = word
    return None if last == "and" else total + group


def _spelled(match: re.Match[str]) -> str:
    words = [word for word in re.split(r"[\s-]+", match[0]) if word not in ("a", "an")]
    value = _value(words)
    if value is not None:
        return str(value)
    # "five and six" is two numbers, "one two" none
    parts = [_value(part.replace("-", " ").split()) for part in match[0].split(" and ")]
    return match[0] if None in parts else " and ".join(map(str, parts))


def _scaled(match: re.Match[str]) -> str:
    return str(Fraction(match[1].replace(",", "")) * _SCALES[match[2]] * _SCALES.get(match[3], 1))


def _part(match: re.Match[str]) -> str:
    over = match[1] if match[1].isdigit() else "1"
    return f"({over}/{_PARTS[match[2]]})"


def _ordinal(match: re.Match[str]) -> str:
    return match[1] or str(_ORDINALS[match[2]])


def _power(match: re.Match[str]) -> str:
    return f"^{match[1] or _ORDINALS.get(match[2]) or match[3]}"


_NUMBER = r"(\d[\d,]*(?:\.\d+)?)"
_REWRITES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"(?<![\d/^.,)])(\d[\d,]*)/(\d+)(?![\d/^.!])", r"(\1/\2)"),
    (r"\b(?:raised )?to (?:the )?power (?:of )?", " ^ "),
    (rf"\b(?:raised )?to the (?:(?:{_ORDINAL})(?:\s+power)?|(\d+|[a-z])(?:\s+power)?)(?![a-z])", _power),
    (rf"{_NUMBER}\s+({_SCALE})(?:\s+({_SCALE}))?\b", _scaled),
    (_SPELLED.pattern, _spelled),
    (r"(\d+)\s+point\s+(\d+)", r"\1.\2"),
    (rf"\b(\d+)\s+and\s+(?:(?:an?|1)\s+)?({_PART})\b(?!\s+of)",
     lambda m: f"({m[1]}+1/{_PARTS[m[2]]})"),
    (rf"\b(\d+|an?)[\s-]+({_PART})\b(?!\s+(?:root|power|derivative))", _part),
    (rf"\b({_PART})\b(?=\s+(?:of|an?)\b)", lambda m: f"(1/{_PARTS[m[1]]})"),
    (r"\b(\d+)\s+\((\d+)/(\d+)\)", r"(\1+\2/\3)"),
    (r"(?<=\d)\s*x\s*(?=\d)|(?<=[\d)%])\s+x\s+(?=[\d(])", " * "),
    (r"\$\s*(?=[\d.])", ""),
    (r"(?<=\d)\s*(?:us )?(?:dollars|dollar|usd|bucks)\b", ""),
    (r"\braised to(?: the)?\b", " ^ "),
    (r"(?<=[\d)])\s*factorial\b", "!"),
    (r"\bsquared\b", "^2"),
    (r"\bcubed\b", "^3"),
    (r"\bper\s?cent\b", "%"),
    (r"\bpercent\b", "%"),
    (r"\boff of\b", "off"),
    (r"\b(?:plus|added to)\b", "+"),
    (r"\b(?:minus|take away|negative)\b", "-"),
    (r"\b(?:times|multiplied by|multiply by)\b", "*"),
    (r"\b(?:divided? by|over)\b", "/"),
    (r"\bmodulo\b", "mod"),
    (r"\b(?:twice|double)\s+(?=[\d(a-z])", "2 * "),
    (r"\btriple\s+(?=[\d(a-z])", "3 * "),
    (rf"\b(?:{_ORDINAL}) root(?: of)?\b", lambda m: f"root#{m[1] or _ORDINALS[m[2]]} "),
    (r"\bcube root(?: of)?\b", "cbrt "),
    (r"\b(?:square|sq) ?root(?:s)?(?: of)?\b|\broot(?= of \d)", "sqrt"),
    (r"\bnatural log(?:arithm)?\b", "ln"),
    (r"\blogarithm\b", "log"),
    (rf"\blog[\s_]*base {_NUMBER}(?: of)?", r"log#\1 "),
    (rf"\bbase {_NUMBER} log(?: of)?", r"log#\1 "),
    (r"\blog_?(\d+)(?=\s*\(|\s+of\b|\s+\d)", r"log#\1 "),
    (rf"\blog (?:of )?\(?{_NUMBER}\)? (?:to |in |with )?(?:the )?base {_NUMBER}", r"log#\2 \1"),
    (r"\bsine\b", "sin"),
    (r"\bcosine\b", "cos"),
    (r"\btangent\b", "tan"),
    (r"\babsolute value\b", "abs"),
    (r"\bexponential\b", "exp"),
    (r"\b(?:minus )?infinity\b", lambda m: "-oo" if m[0].startswith("minus") else "oo"),
    (r"\bdegree\b", "degrees"),
]  # fmt: skip
_RULES = [(re.compile(pattern), replacement) for pattern, replacement in _REWRITES]

_CHARACTERS = str.maketrans({
    "×": "*", "⋅": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "’": "'", "‘": "'", "“": '"', "”": '"',  # noqa: RUF001
    "π": " pi ", "∞": " oo ", "√": " sqrt ", "∛": " cbrt ", "°": " degrees ", "θ": "theta", "→": "->",
    "²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5",
    "½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)", "⅓": "(1/3)", "⅔": "(2/3)", "\u00a0": " ", "\u202f": " ",
})  # fmt: skip


def characters(text: str) -> str:
    """`text` with typographical signs in their plain form, one space between words, `**` as `^`."""
    text = text.translate(_CHARACTERS).replace("**", "^").replace("$$", "$")
    return " ".join(text.split())


def signs(text: str) -> str:
    """Lower-case `text` with its words for numbers and operations as signs; other words are left as they are."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())
