"""Why a text gets no answer."""

from __future__ import annotations


class NotMaths(Exception):
    """The text is not a question of this kind."""


class TooLarge(Exception):
    """The question is of this kind, and its answer would be too large to compute; the message says what."""
