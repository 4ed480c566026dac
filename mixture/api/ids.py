"""Ids of answers and requests: unique, and not secret."""

from __future__ import annotations

from random import getrandbits


def new_id(prefix: str) -> str:
    """`prefix` and 96 random bits. Not from `secrets`: nothing depends on an id being unguessable, and asking the
    system for random bytes costs a call into the kernel for every request.
    """
    return f"{prefix}{getrandbits(96):024x}"
