"""Documents, split into passages and sentences and found by meaning."""

from __future__ import annotations

from mixture.retrieval.local import LocalRetriever
from mixture.retrieval.splitting import Document, Span, passages, plain, sentences

__all__ = ["Document", "LocalRetriever", "Span", "passages", "plain", "sentences"]
