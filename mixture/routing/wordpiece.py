"""WordPiece, the tokenizer of BERT's uncased models, in plain Python: a word is looked up whole before it is cut.

Most words of a request are in the vocabulary whole, so that a lookup in a dictionary is most of the work.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import cast

LONGEST_WORD = 100
"""Characters beyond which a word has no pieces, as in BERT."""
REMEMBERED = 20_000
"""Cut words whose pieces are kept."""

_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+|[^\w\s]|_")

_ASCII_TOKEN = re.compile(r"[a-z0-9]+|[^a-z0-9 \t\n\r\f\v\x1c-\x1f]")
"""`_TOKEN` for what is in ASCII and in lower case."""

_FOREIGN = re.compile(r"[^\x00-\x7f]")


class WordPiece:
    """Texts to places in `vocabulary`, where the pieces inside a word begin with `##`. Words that can't be pieced
    together are left out.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._places = {piece: place for place, piece in enumerate(vocabulary)}
        self._cut: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str) -> list[int]:
        """The places of the pieces of `text`, in order."""
        words = (_ASCII_TOKEN if text.isascii() else _TOKEN).findall(plain(text))
        places = list(map(self._places.get, words))
        if None not in places:
            return cast("list[int]", places)
        found: list[int] = []
        for word, place in zip(words, places, strict=True):
            if place is None:
                found += self._cut.get(word) or self._pieces(word)
            else:
                found.append(place)
        return found

    def _pieces(self, word: str) -> tuple[int, ...]:
        known = self._cut.get(word)
        if known is None:
            known = self._longest_first(word) if len(word) <= LONGEST_WORD else ()
            if len(self._cut) < REMEMBERED:
                self._cut[word] = known
        return known

    def _longest_first(self, word: str) -> tuple[int, ...]:
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                place = self._places.get(mark + word[start:end])
                if place is not None:
                    break
            else:
                return ()
            pieces.append(place)
            start = end
        return tuple(pieces)


def plain(text: str) -> str:
    """`text` in lower case without accents."""
    if text.isascii():
        return text.lower()
    return _FOREIGN.sub(_unmarked, unicodedata.normalize("NFD", text.lower()))


def _unmarked(found: re.Match[str]) -> str:
    return "" if unicodedata.category(found[0]) == "Mn" else found[0]
