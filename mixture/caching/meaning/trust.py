"""How far answers to similar questions are to be trusted, by domain: learned from those that were judged.

A hit is judged by its caller's feedback, or by asking again. The bounds are those of Clopper and Pearson (1934),
one-sided, at 95%. A domain's threshold only rises: to where what was judged above it shows no more false hits than are
allowed. Where no threshold does, the domain is switched off; its hits are then made anew and compared, so that it can
come back.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scipy.special import betaincinv

from mixture.caching.meaning.learned import Learned, Line

logger = logging.getLogger("mixture.cache")

CONFIDENCE = 0.95
KEPT = 2_000
"""Judged hits that are kept for a domain, the last ones."""
FEWEST = 2
"""False hits from which on a domain is switched off: one may be a slip of who judges, and only raises the threshold."""
STEP = 1e-4
"""By how much a threshold lies above the highest false hit below it."""


def upper_bound(wrong: int, judged: int) -> float:
    """The rate of false hits that is not exceeded, with `CONFIDENCE`; 1 where nothing was judged."""
    return 1.0 if wrong >= judged else float(betaincinv(wrong + 1, judged - wrong, CONFIDENCE))


@dataclass(slots=True)
class Domain:
    """What was judged in one domain: (score, whether it was right)."""

    threshold: float
    samples: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=KEPT))
    off: bool = False

    def counts(self) -> tuple[int, int]:
        """False hits and judged ones at the threshold as it is."""
        above = [right for score, right in self.samples if score >= self.threshold]
        return above.count(False), len(above)

    def facts(self) -> dict[str, Any]:
        """What is known, in numbers."""
        wrong, judged = self.counts()
        return {
            "threshold": round(self.threshold, 4),
            "judged": judged,
            "false": wrong,
            "false_hit_rate": round(wrong / judged, 6) if judged else None,
            "upper_bound": round(upper_bound(wrong, judged), 6),
            "off": self.off,
        }


class Trust:
    """Thresholds by domain. `most` is the rate of false hits that is allowed; `learned` keeps what is judged, and
    brings what others judge.
    """

    def __init__(self, threshold: float, most: float, learned: Learned | None = None) -> None:
        self._threshold, self._most, self._learned = threshold, most, learned
        self._domains: dict[str, Domain] = {}
        self.catch_up()

    def domain(self, name: str) -> Domain:
        """What is known of a domain."""
        return self._domains.setdefault(name, Domain(self._threshold))

    def judge(self, name: str, score: float, *, right: bool) -> None:
        """Learn from one judged hit."""
        if self._learned is None:
            return self._take(name, score, right=right)
        try:
            self._learned.add({"domain": name, "score": round(score, 6), "right": right}, self._whole)
        except OSError as error:
            logger.warning("what the semantic cache learns is kept in memory alone: %s", error.strerror or error)
            return self._take(name, score, right=right)
        return self.catch_up()

    def catch_up(self) -> None:
        """Take in what was judged since, here and elsewhere."""
        if self._learned is None:
            return
        try:
            for line in self._learned.news():
                self._read(line)
        except OSError as error:
            logger.warning("what others learned of the semantic cache can't be read: %s", error.strerror or error)

    def _read(self, line: Line) -> None:
        try:
            if "samples" in line:
                self._domains[line["domain"]] = self._restored(line)
            else:
                self._take(line["domain"], float(line["score"]), right=bool(line["right"]))
        except (KeyError, TypeError, ValueError):
            logger.warning("a line of what the semantic cache learned can't be read, and is left out")

    def _restored(self, line: Line) -> Domain:
        domain = Domain(max(self._threshold, float(line["threshold"])), off=bool(line["off"]))
        domain.samples.extend((float(score), bool(right)) for score, right in line["samples"])
        return domain

    def _whole(self) -> Iterator[Line]:
        self.catch_up()
        for name, domain in self._domains.items():
            samples = [[score, right] for score, right in domain.samples]
            yield {"domain": name, "threshold": domain.threshold, "off": domain.off, "samples": samples}

    def _take(self, name: str, score: float, *, right: bool) -> None:
        domain = self.domain(name)
        domain.samples.append((score, right))
        if not right or domain.off:
            self._weigh(domain)

    def facts(self) -> dict[str, dict[str, Any]]:
        """What is known of every domain."""
        return {name: domain.facts() for name, domain in sorted(self._domains.items())}

    def _weigh(self, domain: Domain) -> None:
        """Raise the threshold until what was judged above it is within the bound; switch off where that is nowhere."""
        ranked = sorted(domain.samples)
        scores = [score for score, _ in ranked]
        wrong_at = [score for score, right in ranked if not right]
        candidates = {domain.threshold, *(score + STEP for score in wrong_at)}
        for threshold in sorted(one for one in candidates if one <= 1.0):  # no two texts are more alike
            above = [right for _, right in ranked[bisect_left(scores, threshold) :]]
            enough = above or len(wrong_at) < FEWEST
            if threshold >= domain.threshold and enough and above.count(False) <= self._most * len(above):
                domain.threshold, domain.off = threshold, False
                return
        domain.off = True
