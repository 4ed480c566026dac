"""Whether a program that a model wrote passes its tests."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import textwrap
from dataclasses import dataclass, field

from mixture.aggregation.wholeness import blocks
from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item, RowFault
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means
from mixture.evaluation.scorers.sandbox import Bounds, Ran, execute

_PYTHON = ("", "python", "py", "python3")
_CHECK = re.compile(r"^def check\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tested:
    """1 when all tests pass, else 0 with the reason; so many programs at once as there are cores."""

    bounds: Bounds = field(default_factory=Bounds)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1))
    cheap: bool = False

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`. Raises RowFault for an item without tests."""
        tests = str(item.extras.get("tests") or "")
        if not tests:
            raise RowFault("tests: this item has none")
        word = secrets.token_hex(8)
        entry = str(item.extras.get("entry_point") or "")
        text = program(answer, tests, entry, str(item.extras.get("stub") or ""), word)
        async with self.places:
            ran = await execute(text, self.bounds)
        fault = _fault(ran, word, self.bounds)
        return Score(1.0) if fault is None else Score(0.0, fault)


def program(answer: str, tests: str, entry: str, stub: str, word: str) -> str:
    """The program to run: the answer's code, its tests, and a word that is printed when they have passed, so that code
    which ends early has passed nothing.
    """
    code = code_of(answer)
    if entry and not re.search(rf"^\s*(?:async\s+)?(?:def|class)\s+{re.escape(entry)}\b", code, re.MULTILINE):
        code = completed(stub, code)
    call = f"check({entry})\n" if entry and _CHECK.search(tests) else ""
    return f"{code}\n\n{tests}\n\n{call}print({word!r})\n"


def code_of(answer: str) -> str:
    """The Python in an answer: its blocks of code together where they have a language, else the longest; the whole
    where it has none.
    """
    found = [code for language, code in blocks(answer) if language in _PYTHON]
    return textwrap.dedent(max(found, key=len)) if found else answer


def completed(stub: str, body: str) -> str:
    """A function's beginning with its body, which may come without indentation."""
    first = next((line for line in body.splitlines() if line.strip()), "")
    return stub + (body if first[:1].isspace() else textwrap.indent(body, "    "))


def _fault(ran: Ran, word: str, bounds: Bounds) -> str | None:
    lines = ran.output.rstrip().splitlines()
    if ran.code == 0 and not ran.late and lines and lines[-1].endswith(word):
        return None
    if ran.late:
        return f"it did not end within {bounds.seconds:g} s"
    if ran.code < 0 or ran.code > 128:
        number = -ran.code if ran.code < 0 else ran.code - 128
        return f"it was ended by signal {number}: it took more than it may"
    return (lines[-1] if lines else "it ended before its tests had")[:200]


def code(argument: str, means: Means) -> Tested:
    """`code`, or `code:SECONDS` for each program. Raises InvalidQuery."""
    try:
        seconds = float(argument or Bounds().seconds)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3_600:
        raise InvalidQuery("`code:SECONDS` takes a number of seconds", param="scorer")
    return Tested(Bounds(seconds))
