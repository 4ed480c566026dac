"""Text to numbers at a small part of a millisecond: hashed words and characters, and the shape of the request.

Nothing here is learned and nothing is shipped: the same text gives the same numbers in every process (CRC-32 and a
polynomial rolling hash, never Python's own seeded `hash`). What a bucket is worth is learned from an outcome log by
`mixture.routing.features`. Feature hashing: Weinberger et al. 2009 (arXiv 0902.2206).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import numpy.typing as npt

from mixture.routing.runs import counted, folded
from mixture.routing.shape import shape

Floats = npt.NDArray[np.float32]
Buckets = npt.NDArray[np.uint32]

BUCKETS = 1 << 18
"""Buckets of each hash table."""
HEAD, TAIL = 6_000, 2_000
"""Characters read of a long text, from its beginning and from its end: the cost of a decision is bounded."""
COMMON = 20_000
"""Words of which it is remembered what is hashed."""
REMEMBERED = 64
"""Texts whose words are kept: what reads a request twice, for its signals and for its qualities, finds them there."""

_TOKEN = re.compile(r"[^\W\d_]+|\d+|_+|[^\w\s]|\n")
_ASCII_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^a-z0-9_ \t\r\f\v\x1c-\x1f]|_+")
"""`_TOKEN` for what is in ASCII and in lower case."""
_BREAK = re.compile(r"([.!?;,:\n]+|\b(?:and|then|but)\b)", re.IGNORECASE)
_DANGLING = re.compile(r"(?:[\s,;:]|\b(?:and|then|but)\b)+$", re.IGNORECASE)
_SPEAKER = re.compile(r"^\W*(system|developer|admin\w*|router)\W*$", re.IGNORECASE)
_OVERRIDE = re.compile(
    r"\b(ignore|disregard|forget|override)\b.*\b(above|before|previous|prior|earlier|instructions?|rules?|polic\w+)\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\b(choose|select|use|pick|route|send|forward|switch|escalate|prefer|call|give|assign|ignore|answer)\w*\b",
    re.IGNORECASE,
)
_TARGET = re.compile(
    r"\b(rout(er|ing)|(dear|cheap|strong|weak|pric|cost|expens|premium|powerful|capable|large|small|best|top)\w*[\s-]+"
    r"(\w+[\s-]+)?(model|expert|llm|tier)s?|gpt[\w.-]*|claude[\w.-]*|gemini[\w.-]*)\b",
    re.IGNORECASE,
)
_OVERRIDES = ("ignore", "disregard", "forget", "override")
_NAMES = ("gpt", "claude", "gemini", "router", "routing")
_MODELS = ("model", "expert", "llm", "tier")
_DEGREES = (
    *("dear", "cheap", "strong", "weak", "pric", "cost", "expens", "premium", "powerful", "capable", "large", "small"),
    *("best", "top"),
)
"""One of `_OVERRIDES` stands in every folded text in which `_OVERRIDE` finds something; one of `_NAMES`, or of each
`_MODELS` and `_DEGREES`, where `_TARGET` does."""

_CODES: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text as features: buckets of its words and of its characters with their counts, and its shape."""

    words: Buckets
    word_counts: Floats
    chars: Buckets
    char_counts: Floats
    shape: Floats


def encode(text: str) -> Encoding:
    """The features of `text`; any text has them, the empty one too."""
    text = readable(text)
    return Encoding(*counted(word_buckets(text)), *counted(_char_hashes(text)), shape(text))


@lru_cache(maxsize=REMEMBERED)
def readable(text: str) -> str:
    """What a decision is made from: `text` cut to a bounded length, without clauses that address the router.

    Who asks for a model by name or price does so with the request's fields; words in a prompt, which may come from a
    web page or a document, must not move a request to another price class.
    """
    text = _bounded(text)
    if not _suspicious(text):
        return text.strip()
    pieces = [*_BREAK.split(text), ""]
    clauses, ends = pieces[::2], pieces[1::2]
    told = [_addresses_router(clause) for clause in clauses]
    for place in range(1, len(clauses)):
        if ends[place - 1] == "," and _addresses_router(f"{clauses[place - 1]},{clauses[place]}"):
            told[place - 1] = told[place] = True
        elif ends[place - 1] == ":" and _SPEAKER.search(clauses[place - 1]):
            told[place] = True
    kept: list[str] = []
    dropped = False
    for clause, end, router in zip(clauses, ends, told, strict=True):
        dropped = router or (dropped and not clause.strip())
        if not dropped:
            kept += (clause, end)
    return _DANGLING.sub("", "".join(kept)).strip()


def addresses_router(text: str) -> bool:
    """Whether a part of `text` is left out by `readable`."""
    return readable(text) != _bounded(text).strip()


def _suspicious(text: str) -> bool:
    """Whether a part of `text` might address the router; a look for parts of words rules most texts out."""
    plain = folded(text.lower())
    if plain is None:
        return _TARGET.search(text) is not None or _OVERRIDE.search(text) is not None
    named = _any(_NAMES, plain) or (_any(_MODELS, plain) and _any(_DEGREES, plain))
    return (named and _TARGET.search(text) is not None) or (
        _any(_OVERRIDES, plain) and _OVERRIDE.search(text) is not None
    )


def _any(parts: tuple[str, ...], text: str) -> bool:
    return any(part in text for part in parts)


def _bounded(text: str) -> str:
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]}\n{text[-TAIL:]}"
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _addresses_router(clause: str) -> bool:
    return any(pattern.search(clause) for pattern in (_OVERRIDE, _SPEAKER)) or (
        _TARGET.search(clause) is not None and _CHOICE.search(clause) is not None
    )


@lru_cache(maxsize=REMEMBERED)
def word_buckets(text: str) -> Buckets:
    """Buckets of single words, then of pairs, read-only. Of a number its digits count, so that values don't matter."""
    tokens = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(text.lower())
    codes = [_CODES.get(token) or _code(token) for token in tokens]
    single = list(map(crc32, codes))
    pairs = map(crc32, codes, (0, *single))
    buckets = np.array([*single, *pairs], dtype=np.uint32) & np.uint32(BUCKETS - 1)
    buckets.setflags(write=False)
    return buckets


def _code(token: str) -> bytes:
    """What is hashed of `token`; remembered, for common words come again and again."""
    code = b"#" * min(len(token), 5) if token[0].isdigit() else token.encode(errors="replace")
    if len(_CODES) < COMMON:
        _CODES[token] = code
    return code


def _char_hashes(text: str) -> Buckets:
    """Buckets of all runs of three to five bytes in the lower-cased text, white space made one blank."""
    line = f" {' '.join(text.lower().split())} ".encode(errors="replace")
    data = np.frombuffer(line, dtype=np.uint8).astype(np.uint32) + np.uint32(1)
    rolled, parts = data, []
    for length in range(2, 6):
        rolled = rolled[:-1] * np.uint32(0x01000193) ^ data[length - 1 :]
        if length > 2:
            parts.append(rolled * np.uint32(0x9E3779B1) >> np.uint32(14))
        if len(rolled) < 2:
            break
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint32)
