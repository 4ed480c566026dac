"""How many items it takes to see a difference."""

from __future__ import annotations

import math

from scipy import stats

LEVEL, POWER = 0.05, 0.8


def items_for_shares(discordant: float, difference: float, *, level: float = LEVEL, power: float = POWER) -> int | None:
    """Items on which a paired test sees a `difference` of two shares with this power, where the arms disagree on a
    share `discordant` of the items (Connor 1987). None where no number is enough: there is no difference.
    """
    size = abs(difference)
    if size < 1e-12:
        return None
    discordant = max(discordant, size)
    z_level, z_power = float(stats.norm.ppf(1 - level / 2)), float(stats.norm.ppf(power))
    spread = max(0.0, discordant - size * size)
    return math.ceil(((z_level * math.sqrt(discordant) + z_power * math.sqrt(spread)) / size) ** 2)


def items_for_means(effect: float, *, level: float = LEVEL, power: float = POWER) -> int | None:
    """Items on which a paired t test sees an effect of so many standard deviations of the differences; None where no
    number is enough.
    """
    if not effect or not math.isfinite(effect):
        return None
    low, high = 2, 2
    while _power(high, abs(effect), level) < power:
        low, high = high, high * 2
        if high > 1 << 40:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(middle, abs(effect), level) >= power else (middle, high)
    return low if _power(low, abs(effect), level) >= power else high


def _power(items: int, effect: float, level: float) -> float:
    """Of a two-sided paired t test, by the noncentral t distribution."""
    freedom, shift = items - 1, effect * math.sqrt(items)
    edge = stats.t.ppf(1 - level / 2, freedom)
    return float(stats.nct.sf(edge, freedom, shift) + stats.nct.cdf(-edge, freedom, shift))


def smallest_difference(items: int, discordant: float, *, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest difference of two shares that so many items show with this power."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        needed = items_for_shares(max(discordant, middle), middle, level=level, power=power)
        low, high = (middle, high) if needed is None or needed > items else (low, middle)
    return high
