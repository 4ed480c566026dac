"""Where calls and keys are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mixture.config.section import Positive, Section


class LedgerConfig(Section):
    """What every call to an expert cost, and the keys that were made with `mixture keys`."""

    url: str | None = Field(default=None, repr=False)
    """The database: `sqlite:////folder/ledger.db`, `postgresql://user:password@host/name`, or `off`. Left out: the
    server keeps `ledger.db` in its home (`$MIXTURE_HOME`, else `~/.mixture`), the library keeps nothing."""
    journal: str | None = None
    """A folder on a disk of this machine: what is not in the database yet. `journal` in the server's home when left
    out."""
    patience: Positive = 10.0
    """Seconds that a request waits for money of its key's budget which calls under way hold; then it gets 402."""
    answer_tokens: Annotated[int, Field(ge=1)] = 4_096
    """Tokens that an answer may have at most where the key has a budget and the request sets no maximum: what an answer
    of any length may break is no budget."""
    unpriced_usd_per_million: Positive | None = None
    """What a token of an expert without a known price costs a key with a budget, in US dollars per million, prompt and
    answer alike. Left out: such a key can't use such an expert."""
