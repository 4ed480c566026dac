"""What an ensemble answers by the verdict of a vote."""

from __future__ import annotations

from dataclasses import replace

from mixture.dispatch.proposals import Proposals
from mixture.types import Completion, Verdict


def elected(proposals: Proposals, verdict: Verdict) -> Completion:
    """The completion that `verdict` chose, or what it made of all, with how far it is agreed on. It carries what was
    lacking in the verdict, not yet what was lacking in the proposals.
    """
    chosen = proposals.completions[verdict.chosen or 0]
    if verdict.text is not None:
        first = replace(chosen.choices[0], text=verdict.text, logprobs=(), annotations=())
        chosen = replace(chosen, choices=(first,))
    share = verdict.agreed / len(proposals.completions)
    return replace(
        chosen,
        agreement=share if verdict.agreement is None else verdict.agreement,
        quorum=proposals.quorum(verdict.agreed),
        confidence=verdict.confidence,
        fields=verdict.fields,
        degraded=verdict.degraded,
    )
