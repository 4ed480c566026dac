"""What is wrong with a price: it is not known, or it was read too long ago."""

from __future__ import annotations

import datetime

from mixture.types import ExpertCard

STALE_DAYS = 90
"""Days after which a price is warned of."""


def price_warning(card: ExpertCard, today: datetime.date | None = None) -> str | None:
    """What to tell of an expert's price; None where nothing is wrong with it. Free is known."""
    price = card.price
    if price is None:
        return "not known, so costs count as unknown, never as nothing; set `price`"
    if price.date is None or not (price.input or price.output):
        return None
    days = ((today or datetime.date.today()) - price.date).days
    if days <= STALE_DAYS:
        return None
    return f"read {days} days ago, on {price.date.isoformat()}: look it up, and set `price`"
