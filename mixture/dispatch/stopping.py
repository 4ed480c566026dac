"""When the proposals that came are enough, so that the other calls can be stopped."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.aggregation.agreement import countable
from mixture.aggregation.ballots import ballots
from mixture.config import StrategyOptions
from mixture.dispatch.gathering import Proposals, Stop
from mixture.dispatch.verdicts import decided
from mixture.types import Panel, Query, Verdict

FEWEST = 2
"""Answers that can agree at all."""


def early_stop(query: Query, panel: Panel, options: StrategyOptions, *, votes: bool) -> Stop | None:
    """What ends an ensemble early, as `options.early_stop` says: that the vote is decided (where the strategy `votes`),
    or that a share of the answers agree. None: nothing does.
    """
    wish = True if options.early_stop is None else options.early_stop
    bound = None if isinstance(wish, bool) else wish
    if wish is False or (bound is None and not votes):
        return None

    async def stop(came: Proposals, pending: Sequence[str]) -> str | None:
        if len(came.completions) < FEWEST or (bound is None and _open(query, came, pending, options)):
            return None
        verdict = await decided(query, came.completions, panel, options.weights, pending=pending)
        if votes and verdict.decided and _sure(verdict, came, pending, options.voting_threshold):
            return f"{verdict.agreed} of {len(came.completions)} agree, {len(pending)} more can't change the vote"
        if bound is not None and verdict.agreement is not None and verdict.agreement >= bound:
            return f"{verdict.agreement:.0%} of the answers agree, {bound:.0%} are enough"
        return None

    return stop


def _open(query: Query, came: Proposals, pending: Sequence[str], options: StrategyOptions) -> bool:
    """Whether it can be said without counting that the vote is open: nobody is ahead by more votes than came, and
    texts that name no answer can't be counted.
    """
    few = options.weights is None and len(came.completions) <= len(pending)
    return few or not countable(ballots(query, came.completions))


def _sure(verdict: Verdict, came: Proposals, pending: Sequence[str], threshold: float | None) -> bool:
    """Whether it is certain too which side of the threshold the share of those who agree will be on."""
    whole = len(came.completions) + len(pending)
    least, most = verdict.agreed / whole, (verdict.agreed + len(pending)) / whole
    return threshold is None or least >= threshold or most < threshold
