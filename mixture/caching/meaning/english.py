"""Whether a question is in English, which is the only language that the guard's lists are of.

In doubt it is not: a miss costs one answer, and an answer to another question costs trust.
"""

from __future__ import annotations

import re

from mixture.caching.meaning.signature import lexicon
from mixture.caching.meaning.thesaurus import packaged

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_CODE = re.compile(r"```.*?```|`[^`\n]+`|\"[^\"\n]+\"|“[^”\n]+”|https?://\S+", re.DOTALL)
FEWEST = 3
"""Words of a question without telling ones: a dictionary knows all of them then, and one is light."""
MOST_UNKNOWN = 0.5
"""The share of any other question's words, names aside, that no dictionary of English has."""


def in_english(text: str) -> bool:
    """Whether `text` is in English beyond doubt."""
    found, known = _WORD.findall(_CODE.sub(" ", text)), lexicon()
    words = [word.lower().replace("\u2019", "'") for word in found]
    telling = sum(word in known.telling for word in words)
    foreign = sum(word in known.foreign and word not in known.light for word in words)
    plain = [word for word, written in zip(words, found, strict=True) if not written[0].isupper()]
    unknown = sum(not _known(word) for word in plain)
    if telling == 0:
        light = any(word in known.light for word in words)
        return light and len(words) >= FEWEST and not foreign and not unknown
    return (not foreign or telling > foreign) and unknown <= MOST_UNKNOWN * len(plain)


def _known(word: str) -> bool:
    known, words = lexicon(), packaged()
    if "'" in word or any(word in one for one in (known.light, known.asking, known.negations, known.quantifiers)):
        return True
    return words.lemma(word) in words.senses or word in words.irregular
