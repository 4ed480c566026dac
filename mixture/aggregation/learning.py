"""Learning how far experts are to be believed: from answers known to be right or wrong, or from the answers alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from mixture.aggregation.calibration import platt
from mixture.aggregation.reliability import Reliability, Standing

Doubles = npt.NDArray[np.float64]

PENALTY = 5.0
"""What a deviation from the common weight costs: the ridge on an expert's weight, and on its weights in domains."""
LOOSE = 0.01
"""The ridge on what is common to all."""
ROUNDS = 100
"""Rounds of expectation maximisation at most."""
SETTLED = 1e-5
"""A change of reliabilities below which the rounds end."""
UNSEEN = 2
"""Wrong answers that could have been given beside those that were."""
BELIEF = 20.0
"""Answers in a domain that count as much as all of an expert's others do there, without labels."""


@dataclass(frozen=True, slots=True)
class Poll:
    """What experts answered to one question, in normal form (None: an answer that names none), and the scores (0..1) of
    those whose answers were judged.
    """

    votes: Mapping[str, str | None]
    domain: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    def answers(self) -> dict[str, list[str]]:
        """Each answer with those who give it, in their order."""
        found: dict[str, list[str]] = {}
        for expert, answer in self.votes.items():
            if answer is not None:
                found.setdefault(answer, []).append(expert)
        return found

    def right(self) -> str | None:
        """The answer that was judged right; None when none of them was."""
        for answer, experts in self.answers().items():
            judged = [self.scores[expert] for expert in experts if expert in self.scores]
            if judged and sum(judged) / len(judged) >= 0.5:
                return answer
        return None

    def among(self, experts: Iterable[str]) -> Poll:
        """What some of the experts answered."""
        return replace(self, votes={expert: self.votes[expert] for expert in experts})


def from_labels(polls: Sequence[Poll], seed: int = 0) -> Reliability:
    """Weights from judged answers: a conditional logit (McFadden 1974) over the answers given and "none of them", with
    ridges that keep an expert near all others, and a domain near the expert. Each poll is seen whole and as a random
    part of itself, so that probabilities hold also while not everyone has answered. Raises ValueError without polls.
    """
    if not polls:
        raise ValueError("there is no poll to learn from")
    rng = np.random.default_rng(seed)
    parts = [poll.among(_part(list(poll.votes), rng)) for poll in polls]
    names = _Names(polls)
    found = _Logit(names, [*polls, *parts]).fitted()
    return _calibrated(names.reliability(found, polls), polls)


def _part(experts: list[str], rng: np.random.Generator) -> list[str]:
    size = int(rng.integers(1, len(experts) + 1)) if experts else 0
    return [experts[place] for place in sorted(rng.permutation(len(experts))[:size])]


def _calibrated(reliability: Reliability, polls: Sequence[Poll]) -> Reliability:
    """With the slope and offset by which the log-odds of the answers chosen are calibrated best."""
    odds, right = [], []
    for poll in polls:
        scores = reliability.scores(list(poll.votes.items()), poll.domain)
        if scores:
            chosen = max(scores, key=scores.__getitem__)
            odds.append(reliability.log_odds(chosen, list(poll.votes.items()), poll.domain))
            right.append(float(chosen == poll.right()))
    slope, offset = platt(np.array(odds), np.array(right))
    return replace(reliability, slope=slope, offset=offset)


class _Names:
    """The places of parameters: what is common, then domains, experts, and experts in domains."""

    def __init__(self, polls: Sequence[Poll]) -> None:
        self.experts = list(dict.fromkeys(expert for poll in polls for expert in poll.votes))
        self.domains = sorted({poll.domain for poll in polls} - {""})
        self.expert = {name: 3 + len(self.domains) + place for place, name in enumerate(self.experts)}
        self.domain = {name: 3 + place for place, name in enumerate(self.domains)}
        self.size = 3 + len(self.domains) + len(self.experts) * (1 + len(self.domains))

    def both(self, expert: str, domain: str) -> int:
        """The place of an expert's weight in a domain."""
        first = 3 + len(self.domains) + len(self.experts)
        return (
            first + (self.expert[expert] - self.expert[self.experts[0]]) * len(self.domains) + self.domain[domain] - 3
        )

    def penalties(self) -> Doubles:
        """The ridge on each parameter."""
        return np.where(np.arange(self.size) < 3, LOOSE, PENALTY)

    def reliability(self, found: Doubles, polls: Sequence[Poll]) -> Reliability:
        """The parameters by their names."""
        standings = {}
        for name in self.experts:
            judged = [poll.scores[name] for poll in polls if name in poll.scores]
            extra = {domain: float(found[self.both(name, domain)]) for domain in self.domains}
            share = sum(judged) / len(judged) if judged else 0.5
            standings[name] = Standing(share, len(judged), float(found[self.expert[name]]), extra)
        domains = {name: float(found[place]) for name, place in self.domain.items()}
        return Reliability(standings, float(found[0]), float(found[1]), float(found[2]), domains)


class _Logit:
    """A row of features for each answer of each poll, and for "none of them"; one row of each poll is the right one."""

    def __init__(self, names: _Names, polls: Sequence[Poll]) -> None:
        self.names = names
        cells: list[tuple[int, int, float]] = []
        groups: list[int] = []
        right: list[bool] = []
        for group, poll in enumerate(polls):
            truth = poll.right()
            for answer, experts in poll.answers().items():
                cells += [(len(groups), place, value) for place, value in self._answer(poll, experts)]
                groups.append(group)
                right.append(answer == truth)
            cells += [(len(groups), place, 1.0) for place in (2, names.domain.get(poll.domain)) if place is not None]
            groups.append(group)
            right.append(truth is None)
        rows, places, values = (list(column) for column in zip(*cells, strict=True))
        self.matrix = sparse.csr_array((values, (rows, places)), shape=(len(groups), names.size))
        self.groups, self.count = np.array(groups), len(polls)
        self.right = np.array(right, dtype=np.float64)

    def _answer(self, poll: Poll, experts: Sequence[str]) -> Iterable[tuple[int, float]]:
        yield 0, float(len(experts))
        yield 1, math.log(len(experts))
        for expert in experts:
            yield self.names.expert[expert], 1.0
            if poll.domain:
                yield self.names.both(expert, poll.domain), 1.0

    def fitted(self) -> Doubles:
        """The parameters under which the right answers are likeliest."""
        found = minimize(self._loss, np.zeros(self.names.size), jac=True, method="L-BFGS-B")
        return np.asarray(found.x)

    def _loss(self, parameters: Doubles) -> tuple[float, Doubles]:
        penalties = self.names.penalties()
        scores = self.matrix @ parameters
        tops = np.full(self.count, -np.inf)
        np.maximum.at(tops, self.groups, scores)
        raised = np.exp(scores - tops[self.groups])
        shares = raised / np.bincount(self.groups, raised, self.count)[self.groups]
        likely = float(self.right @ np.log(np.maximum(shares, 1e-300)))
        gradient = penalties * parameters - self.matrix.T @ (self.right - shares)
        return float(penalties @ parameters**2) / 2 - likely, np.asarray(gradient)


def from_answers(polls: Sequence[Poll]) -> Reliability:
    """Weights from the answers alone, none of them judged: expectation maximisation after Dawid and Skene (1979), with
    one coin an expert and domain, for open answers: an expert who errs gives any of the wrong answers seen for the
    question, or one of `UNSEEN` others. It takes errors to be independent, so experts who err alike are believed too
    much. Raises ValueError without polls.
    """
    if not polls:
        raise ValueError("there is no poll to learn from")
    names = _Names(polls)
    overall = _settled(polls, dict.fromkeys(names.experts, 0.6), 2.0)
    common = sum(_weight(share) for share in overall.values()) / len(overall)
    inside = {name: [poll for poll in polls if poll.domain == name] for name in names.domains}
    special = {name: _settled(some, overall, BELIEF) for name, some in inside.items()}
    standings = {}
    for name, share in overall.items():
        extra = {domain: _weight(found[name]) - _weight(share) for domain, found in special.items()}
        rows = sum(name in poll.votes for poll in polls)
        standings[name] = Standing(share, rows, _weight(share) - common, extra)
    return Reliability(standings, common, labelled=False)


def _settled(polls: Sequence[Poll], prior: Mapping[str, float], belief: float) -> dict[str, float]:
    """The share of right answers of each expert, drawn to `prior` as by `belief` answers more."""
    shares = dict(prior)
    for _ in range(ROUNDS):
        right = {name: belief * prior[name] for name in prior}
        given = dict.fromkeys(prior, belief)
        for poll in polls:
            believed = _believed(poll, shares)
            for name, answer in poll.votes.items():
                given[name] += 1
                right[name] += 0.0 if answer is None else believed[answer]
        before, shares = shares, {name: right[name] / given[name] for name in prior}
        if max(abs(shares[name] - before[name]) for name in prior) < SETTLED:
            break
    return shares


def _believed(poll: Poll, shares: Mapping[str, float]) -> dict[str, float]:
    """The probability of each answer under the shares."""
    answers = poll.answers()
    spread = math.log(max(1, len(answers) - 1 + UNSEEN))
    scores = {answer: sum(_log_odds(shares[name]) + spread for name in names) for answer, names in answers.items()}
    top = max(scores.values(), default=0.0)
    raised = {answer: math.exp(score - top) for answer, score in scores.items()}
    total = sum(raised.values()) + math.exp(-max(top, -50.0))
    return {answer: value / total for answer, value in raised.items()}


def _weight(share: float) -> float:
    """What a vote counts: its log-odds, with errors spread over as many answers as two voters can differ in."""
    return _log_odds(share) + math.log(1 + UNSEEN)


def _log_odds(share: float) -> float:
    bounded = min(0.995, max(0.005, share))
    return math.log(bounded / (1 - bounded))
