"""Runs of letters and the like in ASCII by tables of bytes: what an expression finds, several times as fast."""

from __future__ import annotations

import re
import string

import numpy as np
import numpy.typing as npt

_SPACE = ord(" ")


def table(kept: str) -> bytes:
    """A table that leaves what is in `kept` as it is and makes blanks of all else."""
    wanted = kept.encode()
    return bytes(byte if byte in wanted else _SPACE for byte in range(256))


LETTERS = table(string.ascii_letters)
WORDS = table(string.ascii_letters + string.digits + "_")
"""What `\\w` means in ASCII."""
NUMBERS = table(string.digits + ".,")


def runs(text: str, kept: bytes) -> list[str]:
    """The runs of what the table `kept` leaves in `text`, which is in ASCII, in order."""
    return text.encode("ascii").translate(kept).decode("ascii").split()


_FOREIGN = re.compile(r"[^\x00-\x7f]")
_ALIKE = {"\u017f": "s", "\u0131": "i", "\u00d7": "*", "\u00f7": "*", "\u00b7": "*"}
"""What an expression that ignores case takes for a letter of ASCII; signs that stand for one."""


def folded(lowered: str) -> str | None:
    """A text in lower case with a character of ASCII of the same kind for every other one: a digit for digits, a blank
    for white space, `x` for letters, `~` for the rest. None where letters can't be matched one by one.
    """
    if lowered.isascii():
        return lowered
    return None if "i\u0307" in lowered else _FOREIGN.sub(_of_its_kind, lowered)


def _of_its_kind(found: re.Match[str]) -> str:
    character = found[0]
    if character in _ALIKE:
        return _ALIKE[character]
    if character.isdecimal():
        return "0"
    if character.isspace():
        return " "
    return "x" if character.isalnum() else "~"


def counted(numbers: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """The different `numbers`, sorted, and how often each occurs; `numpy.unique` takes longer for so few."""
    ordered, first = _ordered(numbers)
    places = np.flatnonzero(first)
    ends = np.append(places[1:], len(ordered))[: len(places)]
    return ordered[places], (ends - places).astype(np.float32)


def distinct(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The different `numbers`, sorted."""
    ordered, first = _ordered(numbers)
    return ordered[first]


def _ordered(numbers: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """`numbers` sorted, and where in that order a new one begins."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered, first
