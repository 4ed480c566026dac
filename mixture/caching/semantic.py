"""Answers to questions that mean the same: found by vectors, let through by a guard, trusted as far as was judged."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mixture.caching.meaning.english import in_english
from mixture.caching.meaning.index import Index, Question
from mixture.caching.meaning.judging import same_answer
from mixture.caching.meaning.learned import Learned
from mixture.caching.meaning.signature import signature_of
from mixture.caching.meaning.trust import Trust
from mixture.caching.meaning.vectors import vector_of
from mixture.caching.store import Slot, Store
from mixture.config import SemanticConfig
from mixture.counters import count

logger = logging.getLogger("mixture.cache")

Encode = Callable[[str], Awaitable[npt.ArrayLike]]
"""The encoder's vector of a text, of length one."""
LONGEST = 4_000
"""Characters of a question that is compared; longer ones are never the same by chance of words."""
PATIENCE = 0.05
"""Seconds that an encoder has; then the question is a miss."""
FORM = 1
"""Raised when scores would mean something else than before."""
REMEMBERED = 10_000
"""Hits that can be judged by feedback, the last ones."""


@dataclass(frozen=True, slots=True)
class Match:
    """An answer to a question that means the same, by `score`. `served` is false where it is only looked at: the domain
    is switched off, or the whole cache measures.
    """

    slot: Slot
    score: float
    domain: str
    served: bool


class SemanticCache:
    """Questions of one process. `encode` and `domain_of` are what texts are compared and told apart by."""

    def __init__(
        self,
        config: SemanticConfig,
        store: Store,
        encode: Encode,
        domain_of: Callable[[str], str],
        chance: Any = random,
    ) -> None:
        self.config = config
        self.trust = Trust(config.threshold, config.max_false_hit_rate, _learned(config))
        self._store, self._encode, self._domain_of, self._chance = store, encode, domain_of, chance
        self._index = Index()
        self._hits: OrderedDict[tuple[str, str], Match] = OrderedDict()

    async def question(self, text: str) -> Question | None:
        """`text` as it is compared; None where it can't be, not in time, or not by a guard that knows English alone."""
        if not text.strip() or len(text) > LONGEST or not in_english(text):
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                meaning = await self._encode(text)
        except Exception as error:  # whatever an encoder raises, a miss costs less than a failed request
            logger.warning("the semantic cache has no vector: %s", type(error).__name__)
            return None
        return Question(vector_of(text, meaning), signature_of(text))

    def find(self, setting: bytes, question: Question, text: str, max_age: float | None) -> Match | None:
        """The answer to a question that means the same as `question`."""
        found = self._index.find(setting, question)
        if found is None:
            return None
        score, slot = found
        domain = self._domain_of(text)
        trusted = self.trust.domain(domain)
        if score < trusted.threshold or self._store.get(slot.owner, slot.key, max_age) is not slot:
            return None
        return Match(slot, score, domain, served=self.config.mode == "on" and not trusted.off)

    def add(self, setting: bytes, question: Question, slot: Slot) -> None:
        """Have an answer found by what its question means."""
        self._index.add(setting, question, slot, self._store.grow)

    def served(self, owner: str, request_id: str | None, match: Match) -> None:
        """Remember a hit, so that its caller can judge it."""
        if request_id is None:
            return
        self._hits[owner, request_id] = match
        while len(self._hits) > REMEMBERED:
            self._hits.popitem(last=False)

    def noted(self, owner: str, request_id: str, score: float) -> bool:
        """Take in what a caller says of a hit (`score` 0..1, below one half is wrong); False when it was none. The
        first note counts. An answer that was wrong is not given again.
        """
        match = self._hits.pop((owner, request_id), None)
        if match is None:
            return False
        self._judge(match, right=score >= 0.5)
        if score < 0.5 and self._store.get(match.slot.owner, match.slot.key) is match.slot:
            self._store.drop(match.slot)
        return True

    def rechecks(self) -> bool:
        """Whether the hit at hand is one of those that are asked again."""
        return bool(self._chance.random() < self.config.recheck)

    def compared(self, match: Match, kept: str, anew: str) -> None:
        """Learn from an answer that was made anew beside one that was kept; where they can't be told to be the same or
        not, nothing.
        """
        verdict = same_answer(kept, anew)
        if verdict is not None:
            self._judge(match, right=verdict)

    def _judge(self, match: Match, *, right: bool) -> None:
        before = self.trust.domain(match.domain).off
        self.trust.judge(match.domain, match.score, right=right)
        count("mixture_cache_judged_total", domain=match.domain, verdict="right" if right else "false")
        domain = self.trust.domain(match.domain)
        if domain.off != before:
            logger.warning(
                "the semantic cache is switched %s for %s: %s",
                "off" if domain.off else "on",
                match.domain,
                domain.facts(),
            )


def _learned(config: SemanticConfig) -> Learned | None:
    """Where what is judged is kept: scores by another encoder mean something else, and so do those of another form."""
    return None if config.folder is None else Learned(Path(config.folder) / f"judged-{config.encoder}-{FORM}.jsonl")
