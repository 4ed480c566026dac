"""Proposals as they are put before a writer or a judge: numbered, without names, shuffled, quoted, shortened to fit."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from mixture.prompts import LEFT_OUT, QUOTED
from mixture.tokens import prompt_tokens
from mixture.types import Query

WRITTEN = 2_000
"""Tokens that are left for the answer when the query sets no maximum."""
CHARACTERS = 3
"""Characters taken for a token where a prompt must fit: fewer than an average text has, so that it does."""
FEWEST = 200
"""Characters of a proposal that are shown however little room there is."""
TAIL = 0.4
"""The part of a shortened proposal that is its end: the result often stands there."""
DIGITS = 12
"""Of the code that marks where a proposal begins and ends."""


@dataclass(frozen=True, slots=True)
class Exhibits:
    """`text` shows the proposals; `order` holds the index of the one under each label; `code` marks their ends."""

    text: str
    order: tuple[int, ...]
    code: str
    shortened: int = 0


def order_of(query: Query, count: int) -> tuple[int, ...]:
    """The order in which `count` proposals are shown: random, and always the same for one request."""
    seed = query.request_id or query.text
    return tuple(random.Random(seed).sample(range(count), count))


def exhibits(texts: Sequence[str], order: Sequence[int], labels: Sequence[str], room: int | None) -> Exhibits:
    """`texts` in this order, one under each label, in at most about `room` characters (None: as long as they are).

    What a proposal says can't end its quotation: the code in the marks around it comes from all the texts together and
    stands in none of them.
    """
    lengths = [len(text) for text in texts]
    allowed = lengths if room is None else fairly(lengths, room)
    cut = [shortened(text, most) for text, most in zip(texts, allowed, strict=True)]
    code = code_of(texts)
    shown = [quoted(f"proposal {label}", cut[i], code) for label, i in zip(labels, order, strict=True)]
    few = sum(most < length for most, length in zip(allowed, lengths, strict=True))
    return Exhibits("\n".join(shown), tuple(order), code, few)


def room(query: Query, window: int | None) -> int | None:
    """Characters that proposals may take in a prompt of `window` tokens that also holds `query` and its answer; None
    when the window is not known.
    """
    if window is None:
        return None
    most = query.sampling.max_tokens
    written = min(WRITTEN if most is None else most, window // 2)
    return max(0, (window - prompt_tokens(query) - written) * CHARACTERS)


def fairly(lengths: Sequence[int], room: int) -> list[int]:
    """How much of each may stay so that all fit: short ones stay whole, long ones share what is left equally."""
    allowed, left = [0] * len(lengths), room
    for place, index in enumerate(sorted(range(len(lengths)), key=lengths.__getitem__)):
        share = max(FEWEST, left // (len(lengths) - place))
        allowed[index] = min(lengths[index], share)
        left = max(0, left - allowed[index])
    return allowed


def shortened(text: str, most: int) -> str:
    """`text` without its middle when it is longer than `most` characters."""
    if len(text) <= most:
        return text
    tail = int(most * TAIL)
    head = most - tail
    return text[:head] + LEFT_OUT.format(count=len(text) - most) + text[len(text) - tail :]


def quoted(what: str, text: str, code: str) -> str:
    """`text` between lines that say what it is and carry `code`."""
    return QUOTED.format(what=what, text=text, code=code)


def code_of(texts: Sequence[str]) -> str:
    """What marks the ends of all of `texts`: it comes from them together and stands in none of them."""
    digest, together = "", "\0".join(texts)
    while not digest or any(digest[:DIGITS] in text for text in texts):
        digest = hashlib.blake2b((digest + together).encode(errors="replace")).hexdigest()
    return digest[:DIGITS]
