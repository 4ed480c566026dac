"""An upstream's failures in the words of `mixture.errors`: what a caller can do, and nothing that is secret."""

from __future__ import annotations

import asyncio
import email.utils
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixture.errors import (
    ExpertTimeout,
    ExpertUnavailable,
    InvalidQuery,
    MixtureError,
    QueryTooLarge,
    RateLimited,
    StreamBroken,
)

REFUSED = "upstream_refused"
"""The code of what will not pass by itself: a wrong key, address or model, or an account without money."""

_OVERFLOW = re.compile(
    r"context[ _](length|window|size)|maximum context|prompt is too long|exceeds? the (maximum|max)? ?(number of )?"
    r"(input )?tokens|too many (input )?tokens|exceed context limit",
    re.IGNORECASE,
)
_UNPAID = re.compile(r"credit balance|billing_error|insufficient_(quota|balance)", re.IGNORECASE)
_KEYS = re.compile(r"(?i)\b(sk|pk|gsk|xai|key|api[-_]key)[-_][\w*-]{6,}|bearer\s+[^\s\"']+")
_STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TO_CHECK: Mapping[int, str] = {
    401: "its api_key",
    402: "its account's balance",
    403: "what its api_key may do",
    404: "its model and base_url",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """An error as an upstream reports it, in a response or in the middle of a stream."""

    status: int
    message: str = ""
    kind: str = ""
    code: str = ""
    retry_after: float | None = None

    @property
    def words(self) -> str:
        """Everything it says."""
        return f"{self.code} {self.kind} {self.message}"

    @classmethod
    def read(cls, body: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> Reported:
        """From a decoded body, `{"error": {...}}` or the inner mapping. Without a status of its own (in a stream) the
        error's code or type tells it.
        """
        error = body.get("error", body) if isinstance(body, Mapping) else body
        if not isinstance(error, Mapping):
            error = {"message": error if isinstance(error, str) else ""}
        kind, code = _word(error.get("type")), _word(error.get("code"))
        known = status or _status(error.get("code")) or _STATUS_OF_TYPE.get(code) or _STATUS_OF_TYPE.get(kind) or 500
        return cls(known, _word(error.get("message")), kind, code, retry_after(headers or {}))


def _word(value: Any) -> str:
    return str(value) if isinstance(value, (str, int)) else ""


def _status(code: Any) -> int | None:
    number = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdigit()) else 0
    return number if 400 <= number < 600 else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a response asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / divisor
        except (KeyError, ValueError):
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, OverflowError):
        return None


def failure(reported: Reported, expert: str, *, started: bool = False, secret: str | None = None) -> MixtureError:
    """The error that `reported` means. `started`: a part of the answer is out already, so that no other expert can
    take over. Keys are cut out of messages, `secret` wherever it stands.
    """
    if started:
        return StreamBroken(f"{expert} failed in the middle of its answer{_said(reported, secret)}", expert=expert)
    if reported.status in (401, 402, 403, 404) or (reported.status < 500 and _UNPAID.search(reported.words)):
        # What the upstream says here quotes keys and accounts, and concerns the server's owner, not the client.
        check = _TO_CHECK.get(reported.status, _TO_CHECK[402])
        message = f"{expert} was refused by its upstream ({reported.status}): check {check}"
        return ExpertUnavailable(message, code=REFUSED, expert=expert)
    if reported.status in (400, 413, 422):
        return _invalid(reported, expert, secret)
    if reported.status == 429:
        message = f"{expert} asks to wait{_said(reported, secret)}"
        return RateLimited(message, retry_after=reported.retry_after, expert=expert)
    if reported.status in (408, 504):
        return ExpertTimeout(f"{expert} took too long{_said(reported, secret)}", expert=expert)
    message = f"{expert} failed upstream ({reported.status}){_said(reported, secret)}"
    return ExpertUnavailable(message, retry_after=reported.retry_after, expert=expert)


def _invalid(reported: Reported, expert: str, secret: str | None) -> InvalidQuery:
    said = _said(reported, secret)
    if _OVERFLOW.search(reported.words):
        message = f"the request is longer than the context window of {expert}{said}"
        return InvalidQuery(message, param="messages", code="context_length_exceeded", expert=expert)
    if reported.status == 413:
        return QueryTooLarge(f"the request is larger than {expert} takes{said}", expert=expert)
    code = reported.code if reported.code and not reported.code.isdigit() else None
    return InvalidQuery(f"{expert} does not accept the request{said}", code=code, expert=expert)


def _said(reported: Reported, secret: str | None) -> str:
    text = reported.message
    if secret:
        text = text.replace(secret, "***")
    text = " ".join(_KEYS.sub("***", text).split())
    return f": {text[:300]}" if text else ""


def unreachable(error: BaseException, expert: str, *, started: bool = False) -> MixtureError:
    """The error for a call that failed on its way: a refused or cut connection, or a time that ran out."""
    reason = type(error).__name__
    if started:
        return StreamBroken(f"{expert} broke off in the middle of its answer ({reason})", expert=expert)
    if isinstance(error, asyncio.TimeoutError):
        return ExpertTimeout(f"{expert} took too long ({reason})", expert=expert)
    return ExpertUnavailable(f"the connection to the upstream of {expert} failed ({reason})", expert=expert)


def garbled(what: str, expert: str, *, started: bool = False, code: str | None = None) -> MixtureError:
    """The error for an answer that is not what the API promises."""
    kind = StreamBroken if started else ExpertUnavailable
    return kind(f"{expert} sent {what}", code=code, expert=expert)
