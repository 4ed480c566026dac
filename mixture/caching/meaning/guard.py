"""Whether two questions may have the same answer: what must not differ between them, and how much else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mixture.caching.meaning.signature import Signature, Word, lexicon
from mixture.caching.meaning.thesaurus import packaged

UNLIKE = frozenset({"amount", "reason", "time", "place", "person", "polar"})
"""Kinds of questions that are like no other kind."""


def refusal(one: Signature, other: Signature) -> str | None:
    """Why an answer to the one must not be given to the other; None where nothing speaks against it."""
    return next((why for why, differ in CHECKS.items() if differ(one, other)), None)


def _contradict(one: Signature, other: Signature) -> bool:
    for number, mine in one.contrasts.items():
        theirs = other.contrasts.get(number, frozenset())
        if mine - theirs and theirs - mine:
            return True
    return any(_opposed(one, other))


def _opposed(one: Signature, other: Signature) -> Iterator[bool]:
    """Whether a word of the one is an antonym of one of the other, neither of which stands in both."""
    mine, theirs = ({word.lemma for word in side.words} for side in (one, other))
    for word in mine - theirs:
        yield not packaged().sense(word).antonyms.isdisjoint(theirs - mine)
        yield any(_negated(word, against) for against in theirs - mine)


def _negated(one: str, other: str) -> bool:
    """Whether two words differ by a prefix that denies."""
    short, long = sorted((one, other), key=len)
    return any(long == prefix + short for prefix in ("un", "in", "im", "il", "ir", "dis", "non", "de", "mis", "anti"))


def _named_otherwise(one: Signature, other: Signature) -> bool:
    return not (one.entities <= _all(other) and other.entities <= _all(one))


def _all(side: Signature) -> frozenset[str]:
    return side.plain | {word.lemma for word in side.words} | frozenset(w for text in side.quoted for w in text.split())


def _asks_otherwise(one: Signature, other: Signature) -> bool:
    if one.kind == other.kind:
        return False
    kinds = {one.kind, other.kind}
    return not kinds.isdisjoint(UNLIKE) or kinds == {"manner", "thing"}


def _swapped(one: Signature, other: Signature) -> bool:
    """Whether words that both have play each other's part: their order, or the prepositions that they stand behind."""
    mine, theirs = _parts(one.words), _parts(other.words)
    shared = [lemma for lemma in mine if lemma in theirs]
    for place, first in enumerate(shared):
        for second in shared[place + 1 :]:
            if frozenset((first, second)) in one.joined & other.joined:
                continue
            if _exchanged(mine[first], mine[second], theirs[first], theirs[second]):
                return True
    return False


Part = tuple[int, str]


def _exchanged(first: Part, second: Part, first_there: Part, second_there: Part) -> bool:
    tags, there = (first[1], second[1]), (first_there[1], second_there[1])
    turned = (first[0] < second[0]) != (first_there[0] < second_there[0])
    if tags == there:
        return turned and tags[0] == tags[1]
    return turned or tags == there[::-1]


def _parts(words: tuple[Word, ...]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for place, word in enumerate(words):
        found.setdefault(word.lemma, (place, word.tag))
    return found


def _differ(name: str) -> Callable[[Signature, Signature], bool]:
    return lambda one, other: getattr(one, name) != getattr(other, name)


def _denied(one: Signature, other: Signature) -> bool:
    return one.negations % 2 != other.negations % 2 or (one.negations == 0) != (other.negations == 0)


def _excels_otherwise(one: Signature, other: Signature) -> bool:
    lemma, same = packaged().lemma, packaged().same
    mine, theirs = ([lemma(word) for word in side.superlatives] for side in (one, other))
    return len(mine) != len(theirs) or not all(any(same(word, against) for against in theirs) for word in mine)


CHECKS: dict[str, Callable[[Signature, Signature], bool]] = {
    "numbers": _differ("numbers"),
    "symbols": _differ("symbols"),
    "quotations or code": lambda one, other: sorted(one.quoted) != sorted(other.quoted),
    "a negation": _denied,
    "what is asked for": _asks_otherwise,
    "names": _named_otherwise,
    "opposites": _contradict,
    "quantities": _differ("quantifiers"),
    "a superlative": _excels_otherwise,
    "the order of its parts": _swapped,
}
"""What must not differ, in words, and how it is seen. `symbols` are signs of calculation, currency and percent."""


def unexplained(one: Signature, other: Signature) -> tuple[int, float]:
    """How many words of content either question has that no word of the other means as well, and their share."""
    mine, theirs = ({word.lemma for word in side.words} for side in (one, other))
    left, right = _unmatched(mine - theirs, theirs - mine), _unmatched(theirs - mine, mine - theirs)
    total = len(mine) + len(theirs)
    return left + right, (left + right) / total if total else 0.0


def _unmatched(words: set[str], others: set[str]) -> int:
    same = packaged().same
    return sum(not any(same(word, other) for other in others) for word in words)


def is_light(word: str) -> bool:
    """Whether a word carries no content."""
    return word in lexicon().light or word in lexicon().asking
