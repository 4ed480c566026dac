"""What one request may take out of its key's budget."""

from __future__ import annotations

import math
from dataclasses import replace

from mixture.errors import BudgetExceeded
from mixture.ledger.accounts import Account
from mixture.tokens import most_prompt_tokens
from mixture.types import ExpertCard, Price, Query, Usage


class Coin:
    """Money held back for one call."""

    __slots__ = ("_purse", "usd")

    def __init__(self, purse: Purse, usd: float) -> None:
        self._purse = purse
        self.usd = usd

    def settle(self, spent: float) -> None:
        """The call has ended, however: `spent` is gone, the rest is free. Once only."""
        self._purse.account.release(self.usd, spent)


class Purse:
    """The money that was set aside for one request (its stake), and its key's account behind it. `answer_tokens` is the
    longest answer of a request that sets no maximum; `unpriced` what a token of unknown price costs, or None.
    """

    __slots__ = ("_answer_tokens", "_unpriced", "account", "stake")

    def __init__(self, account: Account, answer_tokens: int, unpriced: float | None) -> None:
        self.account = account
        self.stake = 0.0
        self._answer_tokens = answer_tokens
        self._unpriced = None if unpriced is None else Price(unpriced, unpriced)

    async def open(self, stake: float) -> None:
        """Set `stake` aside. Raises BudgetExceeded."""
        await self.account.reserve(stake)
        self.stake = stake

    def capped(self, query: Query) -> Query:
        """`query` with a maximum of tokens: what an answer of any length may break is no budget."""
        if query.sampling.max_tokens is not None:
            return query
        return replace(query, sampling=replace(query.sampling, max_tokens=self._answer_tokens))

    def ceiling(self, card: ExpertCard, query: Query) -> float:
        """The most that a call may cost, in US dollars; infinite when no price is known."""
        price = card.price or self._unpriced
        if price is None:
            return math.inf
        dearest = max(price.input, price.cached_input or 0.0, price.cache_write or 0.0)
        most = self.capped(query).sampling.max_tokens or 0
        return (most_prompt_tokens(query) * dearest + most * query.sampling.n * price.output) / 1e6

    async def pay(self, card: ExpertCard, query: Query) -> Coin:
        """Hold back the most that the call may cost: out of the stake, and beyond it out of the account. Raises
        BudgetExceeded.
        """
        needed = self.ceiling(card, query)
        if math.isinf(needed):
            raise BudgetExceeded(
                f"the price of {card.name} is unknown: a key with a budget can't use it", expert=card.name
            )
        own = min(self.stake, needed)
        self.stake -= own
        if needed > own and not self.account.take(needed - own):
            try:
                await self.account.reserve(needed - own)
            except BaseException:
                self.stake += own
                raise
        return Coin(self, needed)

    def cost(self, usage: Usage, known: float | None) -> float | None:
        """What a call that took `usage` cost the key, `known` where its expert has a price."""
        return self._unpriced.cost(usage) if known is None and self._unpriced is not None else known

    def close(self) -> None:
        """The request is over: what is left of the stake is free."""
        stake, self.stake = self.stake, 0.0
        self.account.release(stake)
