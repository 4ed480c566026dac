"""What is asked in an evaluation, and what can be wrong with a row of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mixture.types import Message


class RowFault(ValueError):
    """A row that can't be asked; the message names the column and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that could not be read, and why."""

    position: int
    why: str


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `position` is the row's place in the dataset, from 0, by which a run knows what it has asked;
    `reference` is the right answer, or an answer to compare with, as text; `extras` holds what only some scorers read
    (the tests of a program, a schema).
    """

    position: int
    id: str
    messages: tuple[Message, ...]
    reference: str | None = None
    domain: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """The text of the last message from the user."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")
