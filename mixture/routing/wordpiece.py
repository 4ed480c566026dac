"""WordPiece, the tokenizer of BERT's uncased models, in plain Python: a word is looked up whole before it is cut.

Most words of a request are in the vocabulary whole, so that a lookup in a dictionary is most of the work.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST_WORD = 100
"""Characters beyond which a word has no pieces, as in BERT."""
REMEMBERED = 20_000
"""Cut words whose pieces are kept."""

_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+|[^\w\s]|_")


class WordPiece:
    """Texts to places in `vocabulary`, where the pieces inside a word begin with `##`. Words that can't be pieced
    together are left out.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._places = {piece: place for place, piece in enumerate(vocabulary)}
        self._cut: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str) -> list[int]:
        """The places of the pieces of `text`, in order."""
        found: list[int] = []
        for word in _TOKEN.findall(plain(text)):
            place = self._places.get(word)
            if place is None:
                found += self._pieces(word)
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
    taken_apart = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in taken_apart if unicodedata.category(character) != "Mn")
