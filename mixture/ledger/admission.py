"""Whether a request may begin: its key's requests and tokens a minute, its places, and the money that it may come to
cost, set aside before anything is done for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mixture.config import LedgerConfig, StrategyOptions
from mixture.errors import BudgetExceeded
from mixture.estimates import bound_usage
from mixture.ledger.pace import Allowance
from mixture.ledger.purse import Purse
from mixture.ledger.recorder import Recorder
from mixture.ledger.reports import Limits
from mixture.metering import Meter
from mixture.types import Expert, Query

SEVERAL = ("voting", "best_of_n", "mixture_of_agents")
"""Strategies that are sure to ask several experts."""


@dataclass(slots=True)
class Ticket:
    """A request that was let in; closing it gives back what it did not take."""

    recorder: Recorder | None = None
    meter: Meter | None = None
    allowance: Allowance | None = None
    minute: int = 0
    tokens: int = 0
    purse: Purse | None = None

    def close(self) -> None:
        """The request has ended, however."""
        if self.purse is not None:
            self.purse.close()
        if self.allowance is not None and self.recorder is not None and self.meter is not None:
            taken = sum(call.usage.total_tokens for call in self.meter.calls)
            self.recorder.paces.leave(self.allowance, self.minute, self.tokens, taken)


async def admit(
    recorder: Recorder,
    limits: Limits,
    query: Query,
    meter: Meter,
    strategy: str,
    options: StrategyOptions,
    experts: Iterable[Expert],
) -> Ticket:
    """Let a request in. Raises TooManyRequests, BudgetExceeded, and Overloaded when the ledger can't be asked."""
    ticket = Ticket(recorder, meter)
    caller = meter.caller.id
    if limits.paced:
        ticket.tokens = bound_usage(query).total_tokens
        ticket.allowance = await recorder.paces.enter(caller, limits, ticket.tokens)
        ticket.minute = ticket.allowance.minute
    if limits.budgeted:
        config = recorder.config
        try:
            purse = await _opened(recorder, caller, config, query, strategy, options, list(experts))
        except BaseException:
            ticket.close()
            raise
        ticket.purse = meter.purse = purse
    return ticket


async def _opened(
    recorder: Recorder,
    caller: str,
    config: LedgerConfig,
    query: Query,
    strategy: str,
    options: StrategyOptions,
    experts: list[Expert],
) -> Purse:
    """A purse with what the whole request may cost or, where there is not so much, with what one call may."""
    purse = Purse(recorder.account(caller), config.answer_tokens, config.unpriced_usd_per_million)
    costs = sorted(cost for e in experts if math.isfinite(cost := purse.ceiling(e.card, query)))
    if experts and not costs:
        raise BudgetExceeded("no expert that may be asked has a known price: a key with a budget can't use them")
    own = query.limits.max_cost_usd
    most = math.inf if own is None else own
    whole = min(_whole(costs, strategy, options), max(most, costs[0] if costs else 0.0))
    try:
        await purse.open(whole)
    except BudgetExceeded:
        if not costs or whole <= costs[0]:
            raise
        await purse.open(costs[0])
    return purse


def _whole(costs: list[float], strategy: str, options: StrategyOptions) -> float:
    """What the calls that are sure to be made may cost together; `costs` are those of one call by each, in order."""
    if not costs:
        return 0.0
    if strategy not in SEVERAL:
        return costs[-1] if strategy == "expert" else costs[0]
    wanted = options.n or len(costs) * (options.num_proposals_per_model or 1)
    rounds, more = divmod(wanted, len(costs))
    asked = sum(costs) * rounds + sum(costs[len(costs) - more :] if more else ())
    writes = strategy == "mixture_of_agents" or options.judge is not None
    return asked * (options.layers or 1) + (costs[-1] if writes else 0.0)


def remaining(purse: Purse) -> float:
    """What a request may come to cost at most, in US dollars; at least its stake."""
    return max(purse.stake, purse.account.possible)
