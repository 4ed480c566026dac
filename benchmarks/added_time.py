"""How much later an ensemble answers than its slowest member."""

from __future__ import annotations

import asyncio
import time
from statistics import median

from mixture import Mixture

SLOWEST = 0.05
"""Seconds that the slowest member takes."""
MEMBERS = 5


def added_ms(requests: int) -> float:
    """The median time in milliseconds of a vote of five over a call of its slowest member alone, both through the
    library, in this process and in turns, so that what else the machine does meets both.
    """
    return round(asyncio.run(_measured(requests)), 3)


async def _measured(requests: int) -> float:
    experts = [
        {
            "name": f"e{number}",
            "provider": "scripted",
            "options": {"text": f"It is {number % 2}.", "delay": SLOWEST * (number + 1) / MEMBERS},
        }
        for number in range(MEMBERS)
    ]
    mixture = Mixture.from_config({"experts": experts})
    times: dict[str, list[float]] = {"voting": [], f"e{MEMBERS - 1}": []}
    for _ in range(requests):
        for model, taken in times.items():
            begun = time.perf_counter()
            await mixture.answer("How many are there?", model)
            taken.append(time.perf_counter() - begun)
    await mixture.close()
    together, alone = (median(taken) for taken in times.values())
    return (together - alone) * 1e3
