"""Documents, split into passages and sentences and found by meaning. `mixture.retrieval.local` needs numpy, so it is
imported where it is used.
"""

from __future__ import annotations

from mixture.retrieval.splitting import Document, Span, passages, plain, sentences

__all__ = ["Document", "Span", "passages", "plain", "sentences"]
