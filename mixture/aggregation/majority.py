"""The vote: a majority of answers that can be counted, the most agreed-with text of those that can't."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mixture.aggregation.agreement import countable, mean_similarity, supports
from mixture.aggregation.ballots import ballots, forms
from mixture.aggregation.equality import Arbiter
from mixture.aggregation.json_votes import field_by_field, wants_json
from mixture.aggregation.reliability import Reliability, Votes
from mixture.aggregation.similarity import lexical, semantic
from mixture.routing.classification import topic
from mixture.types import Completion, Embedder, Query, Verdict, Weights

ALIKE_WORDS = 0.2
"""Two long texts agree, by their words, from this similarity on: nearly all solutions of the same problem of GSM8K lie
above it, and nearly none of different ones."""
ALIKE_MEANING = 0.8
"""The same for the cosine of MiniLM's vectors."""
_NEW = "\0"
"""An answer that nobody has given."""
EQUAL = 1e-9
"""A lead in weight that is none."""
LEAST = 0.01
"""What the vote of an expert that is hardly to be believed still counts for a field."""


class Majority:
    """Decides over proposals that stand in the order of preference: of equal ones the first wins, so that who puts the
    cheaper experts first pays less.

    With a `reliability` votes can be weighed as was learned, and a counted vote has a confidence; `domain_of` says to
    which of its domains a query belongs, the router's kinds of tasks when left out; an `arbiter`
    decides which expressions are equal where their values can't tell. Long texts are decided by minimum
    Bayes risk (Kumar and Byrne 2004): the one that is on average most similar to the others would disappoint least,
    whichever of them is right.
    """

    def __init__(
        self,
        embedder: Embedder | None = None,
        reliability: Reliability | None = None,
        domain_of: Callable[[Query], str] | None = None,
        arbiter: Arbiter | None = None,
    ) -> None:
        self._embedder = embedder
        self._arbiter = arbiter
        self._reliability = reliability
        self._domain_of = domain_of or (lambda query: topic(query).task)

    async def aggregate(
        self, query: Query, proposals: Sequence[Completion], weights: Weights = None, *, pending: Sequence[str] = ()
    ) -> Verdict:
        """The proposal chosen, how many say the same, and how likely it is right."""
        await self._settle(query, proposals)
        found = ballots(query, proposals)
        if not countable(found):
            return await self._compared(proposals)
        votes = [(proposal.expert, vote) for proposal, vote in zip(proposals, found, strict=True)]
        domain = self._domain(query)
        verdict = self._counted(votes, domain, weights)
        verdict = await self._among_texts(query, proposals, verdict, weights)
        if wants_json(query, proposals):
            verdict = field_by_field(query, proposals, found, verdict, self._counting(votes, domain, weights))
        made = _of_several(verdict, proposals)
        return replace(verdict, decided=not (made and pending) and self._decided(votes, pending, domain, weights))

    async def supports(self, query: Query, proposals: Sequence[Completion]) -> Sequence[float | None]:
        """See `mixture.types.Aggregator`; long texts are compared by their words."""
        await self._settle(query, proposals)
        return supports(query, proposals)

    async def _settle(self, query: Query, proposals: Sequence[Completion]) -> None:
        """Have it found out which of the answers are equal, where their values can't tell."""
        if self._arbiter is not None and len(proposals) > 1:
            await self._arbiter.settle(forms(query, proposals))

    async def close(self) -> None:
        """Let go of what was started to compare answers."""
        if self._arbiter is not None:
            await self._arbiter.close()

    async def _among_texts(
        self, query: Query, proposals: Sequence[Completion], verdict: Verdict, weights: Weights
    ) -> Verdict:
        """`verdict` with the best of the texts, where most proposals call no tool while others do: all texts are one
        answer to the question whether to call.
        """
        texts = [place for place, proposal in enumerate(proposals) if not proposal.tool_calls]
        if len(texts) in (0, 1, len(proposals)) or verdict.chosen not in texts:
            return verdict
        inner = await self.aggregate(query, [proposals[place] for place in texts], weights)
        return replace(verdict, chosen=texts[inner.chosen or 0], text=inner.text, fields=inner.fields)

    def _counting(self, votes: Votes, domain: str, weights: Weights) -> list[float] | None:
        """What the vote of each counts for a field; None: one each."""
        if weights == "learned":
            learned = self._reliability
            return [max(LEAST, learned.weight(expert, domain)) for expert, _ in votes] if learned else None
        return None if weights is None else [weights.get(expert, 1.0) for expert, _ in votes]

    def _domain(self, query: Query) -> str:
        """The kind of request, where something was learned of kinds."""
        return self._domain_of(query) if self._reliability is not None and self._reliability.domains else ""

    def _counted(self, votes: Votes, domain: str, weights: Weights) -> Verdict:
        learned = self._reliability
        scores = self._scores(votes, domain, weights)
        most = max(scores.values()) - EQUAL
        chosen, answer = next((i, a) for i, (_, a) in enumerate(votes) if a is not None and scores[a] >= most)
        counts = Counter(vote for _, vote in votes if vote is not None)
        agreed = counts.pop(answer)
        why = f"{agreed} of {len(votes)} give the same answer{'' if weights is None else ', which weighs most'}"
        confidence = None if learned is None else learned.probability(answer, votes, domain)
        lead = agreed - max(counts.values(), default=0)
        return Verdict(chosen, agreed / len(votes), agreed, why=why, confidence=confidence, lead=lead)

    def _scores(self, votes: Votes, domain: str, weights: Weights) -> dict[str, float]:
        weighed = self._reliability if weights == "learned" else None
        return _sums(votes, weights) if weighed is None else weighed.scores(votes, domain)

    def _decided(self, votes: Votes, pending: Sequence[str], domain: str, weights: Weights) -> bool:
        """Whether the answer ahead stays strictly ahead when all of `pending` agree on another one, on one that nobody
        has given yet, or on it.
        """
        if not pending:
            return True
        now = self._scores(votes, domain, weights)
        ahead = max(now, key=now.__getitem__)
        for said in {*now, _NEW}:
            scores = self._scores([*votes, *((name, said) for name in pending)], domain, weights)
            own = scores.pop(ahead)
            if any(own <= other + EQUAL for other in scores.values()):
                return False
        return True

    async def _compared(self, proposals: Sequence[Completion]) -> Verdict:
        texts = [proposal.text for proposal in proposals]
        meaning = self._embedder is not None
        matrix = lexical(texts) if self._embedder is None else await semantic(texts, self._embedder)
        means = mean_similarity(matrix)
        chosen = max(range(len(means)), key=means.__getitem__)
        alike = ALIKE_MEANING if meaning else ALIKE_WORDS
        agreed = sum(value >= alike for value in matrix[chosen])
        agreement = means[chosen] if len(proposals) > 1 else 1.0
        return Verdict(chosen, agreement, agreed, why="the text that is most like the others")


def _of_several(verdict: Verdict, proposals: Sequence[Completion]) -> bool:
    """Whether the answer is made of, or chosen among, proposals that count as one vote: each further one can change
    it, whoever is ahead.
    """
    chosen = proposals[verdict.chosen or 0]
    among = any(proposal.tool_calls for proposal in proposals) and not chosen.tool_calls
    return among or verdict.text is not None or bool(verdict.fields)


def _sums(votes: Votes, weights: Weights) -> dict[str, float]:
    """The votes for each answer, those of `weights` counting as it says."""
    named: Mapping[str, float] = {} if weights is None or weights == "learned" else weights
    sums: dict[str, float] = {}
    for expert, vote in votes:
        if vote is not None:
            sums[vote] = sums.get(vote, 0.0) + named.get(expert, 1.0)
    return sums
