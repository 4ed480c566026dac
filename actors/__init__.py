"""Shared state, one writer each: plain classes that Ray hosts as actors."""
