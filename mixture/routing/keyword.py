"""The keyword router: experts by the skills on their cards, for what the words of the query show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mixture.routing.candidates import candidate, facts
from mixture.routing.classification import Topic
from mixture.routing.domains import BY_NAME, GENERAL, NARROW
from mixture.routing.limits import Barred, barred
from mixture.routing.objective import Candidate
from mixture.routing.signals import EVERYDAY, Signals, read
from mixture.routing.subjects import packaged_classifier
from mixture.tokens import prompt_tokens
from mixture.types import IDLE, ExpertCard, Loads, Query, Route

CLASSIFIED = 1.5
"""What the classifier's domain counts: more than a word, less than a pattern."""
NOT_ITS_KIND = "only calculates or quotes documents"
"""Why a narrow expert is left out of a request that shows nothing of the kind."""

_NAME_PARTS = re.compile(r"[^a-z]+")


class KeywordRouter:
    """Orders experts by how well their skills suit the task. Names, prices and wishes in the prompt have no influence:
    nobody can talk their way to a dearer expert.

    An exact or quoting expert (all of whose skills are narrow, see `domains`) stands first when the query shows its
    domain, and is left out when it does not. Then come experts with a skill for the task, the more specific ones first;
    then those that are for everything; then the rest. What is equal stays as it is listed. Whom the limits bar, or who
    cools down or has too small a context, stands behind all others (`mixture.routing.limits`).
    """

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """The experts to ask, best first."""
        if not cards:
            return Route((), "there are no experts")
        seen = read(query)
        found = seen.topic
        fits = [fit(card, found, seen.reading.domain) for card in cards]
        ranked = sorted(zip(fits, cards, strict=True), key=lambda pair: pair[0].rank)
        asked = {card.name: (one, card) for one, card in ranked if not one.useless}
        asked = asked or {card.name: (one, card) for one, card in ranked}
        made = _candidates(query, cards, loads or {})
        bar = _barred([card for one, card in asked.values() if not one.narrow], made, query)
        names = tuple(bar.last(list(asked)))
        signals = seen.report() | {
            "matched": {name: list(words) for name, words in found.matched.items()},
            "candidates": [facts(one, _left_out(one.name, names, bar)) for one in made.values()],
            "within_limits": bar.within,
        }
        return Route(names, "; ".join(filter(None, (_why(seen, *asked[names[0]]), bar.words))), signals)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well an expert suits a topic."""

    score: float
    skills: tuple[str, ...]
    """Its skills that made the score."""
    narrow: bool
    general: bool
    breadth: int

    @property
    def useless(self) -> bool:
        """Whether it would only decline."""
        return self.narrow and self.score == 0

    @property
    def rank(self) -> tuple[bool, float, bool, int]:
        """Smaller is better."""
        suited = self.score > 0
        return (not (self.narrow and suited), -self.score, not self.general, self.breadth if suited else 0)


def fit(card: ExpertCard, found: Topic, domain: str | None = None) -> Fit:
    """How well the expert of `card` suits what was `found`, and the `domain` that the classifier saw."""
    known = _profile(card.skills, card.name)
    score, matched = 0.0, frozenset[str]()
    for name, strength in found.scores.items():
        matching = known.skills & BY_NAME[name].skills
        if matching:
            score += strength
            matched |= matching
    if domain is not None and domain not in EVERYDAY:
        matching = known.skills & packaged_classifier().skills.get(domain, frozenset())
        score += CLASSIFIED if matching else 0.0
        matched |= matching
    return Fit(score, tuple(sorted(matched)), known.narrow, known.general, len(known.skills))


def narrow(card: ExpertCard) -> bool:
    """Whether all that the expert does is to calculate, or to quote documents."""
    return _profile(card.skills, card.name).narrow


@dataclass(frozen=True, slots=True)
class _Profile:
    """What a card says of its expert, for every query alike."""

    skills: frozenset[str]
    narrow: bool
    general: bool


@lru_cache(maxsize=4096)
def _profile(listed: tuple[str, ...], name: str) -> _Profile:
    skills = _skills(listed, name)
    return _Profile(skills, bool(skills) and skills <= NARROW, not skills or bool(skills & GENERAL))


def _skills(listed: tuple[str, ...], name: str) -> frozenset[str]:
    """The skills in lower case. Without any, the words of the expert's name that name a skill are taken."""
    if listed:
        return frozenset(skill.lower() for skill in listed)
    return frozenset(part for part in _NAME_PARTS.split(name.lower()) if part in _ALL)


_ALL = frozenset[str]().union(*(domain.skills for domain in BY_NAME.values()))


def _candidates(query: Query, cards: Sequence[ExpertCard], loads: Loads) -> dict[str, Candidate]:
    """What is known of every expert. Nothing says how well it would answer: that is learned from logs only."""
    prompt = prompt_tokens(query)
    return {card.name: candidate(card, query, prompt, loads.get(card.name, IDLE)) for card in cards}


def _barred(cards: Sequence[ExpertCard], made: Mapping[str, Candidate], query: Query) -> Barred:
    """The writing experts that the limits bar. Exact and quoting ones answer or decline at once, and cost nothing."""
    return barred(cards, [made[card.name] for card in cards], query, prompt_tokens(query))


def _left_out(name: str, asked: Sequence[str], bar: Barred) -> str | None:
    return bar.reasons.get(name) if name in asked else NOT_ITS_KIND


def _why(seen: Signals, best: Fit, card: ExpertCard) -> str:
    found, domain = seen.topic, seen.reading.domain
    if not found.scores and best.score:
        return f"{domain} (classified); {card.name} is for {', '.join(best.skills)}"
    if not found.scores:
        return f"no kind of task stands out; {card.name} is {'for everything' if best.general else 'listed first'}"
    shown = ", ".join(found.matched[found.task])
    if not best.skills:
        return f"{found.task} ({shown}); nobody is made for it, {card.name} comes nearest"
    return f"{found.task} ({shown}); {card.name} is for {', '.join(best.skills)}"
