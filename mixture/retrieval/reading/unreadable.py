"""Why a file is not read."""

from __future__ import annotations


class Unreadable(Exception):  # it is no fault of this program
    """A file can't be read; the message says why, for whoever sent it."""
