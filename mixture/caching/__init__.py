"""Answers that are given again: to the same request of the same caller, while it is young and was whole."""

from mixture.caching.cache import AnswerCache, Ask
from mixture.caching.entry import Entry, Found
from mixture.caching.flights import Flight
from mixture.caching.policy import CacheWish

__all__ = ["AnswerCache", "Ask", "CacheWish", "Entry", "Flight", "Found"]
