"""What is left of a key's requests and tokens, in the headers of an answer."""

from __future__ import annotations

import math
import time

from deployments.http.exchange import Exchange, HeaderList
from mixture import Mixture


def limit_headers(exchange: Exchange, mixture: Mixture) -> HeaderList:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, where the request's key has such limits."""
    allowance = None if mixture.ledger is None else mixture.ledger.paces.told(exchange.trace.caller.id)
    if allowance is None:
        return []
    reset = b"%ds" % math.ceil(60 - time.time() % 60)
    limits = allowance.limits
    kinds = (
        (b"requests", limits.requests_per_minute, allowance.requests + allowance.elsewhere[0]),
        (b"tokens", limits.tokens_per_minute, allowance.tokens + allowance.elsewhere[1]),
    )
    headers: HeaderList = []
    for kind, limit, left in kinds:
        if limit is not None:
            values = ((b"limit", b"%d" % limit), (b"remaining", b"%d" % max(0, left)), (b"reset", reset))
            headers += [(b"x-ratelimit-%b-%b" % (name, kind), value) for name, value in values]
    return headers
