"""The error tree, split by what the caller can do.

    MixtureError
    ├── InvalidQuery            400  mend the request; no expert would answer it
    │   └── QueryTooLarge       413  send less
    ├── Unauthenticated         401  send a key
    ├── Forbidden               403  this key may not
    ├── UnknownModel            404  ask for another model
    ├── BudgetExceeded          402  stop
    ├── TooManyRequests         429  this key may ask again later
    ├── DeadlineExceeded        504  allow more time
    ├── Overloaded              503  come back later
    ├── ExpertUnavailable       502  try another expert
    │   ├── ExpertTimeout       504  it took too long
    │   ├── ExpertStarting      503  it is being started: come back, or try another
    │   ├── RateLimited         429  it asks to wait
    │   ├── Declined            422  the query is not for this expert
    │   ├── ReplicaLost         502  the process that was asked is gone, others may run
    │   └── StreamBroken        502  it failed after its first token
    │       └── ReplicaBroke    502  because its process is gone
    └── NoAnswer                502  every expert failed (422: none takes such a query)

Every error pickles with all its fields, because it crosses process boundaries. Messages are for the client: they never
hold a key, a prompt or a traceback.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MixtureError(Exception):
    """The root. `param` names the field at fault, `code` is a stable word for programs, `retry_after` is in seconds."""

    status: int = 500
    type: str = "server_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        expert: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code
        self.retry_after = retry_after
        self.expert = expert

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.details())

    def details(self) -> dict[str, Any]:
        """The keyword arguments that make this error again."""
        return {"param": self.param, "code": self.code, "retry_after": self.retry_after, "expert": self.expert}


def _rebuild(kind: type[MixtureError], message: str, details: dict[str, Any]) -> MixtureError:
    return kind(message, **details)


class InvalidQuery(MixtureError):
    """The request itself is wrong; no expert would answer it."""

    status = 400
    type = "invalid_request_error"


class QueryTooLarge(InvalidQuery):
    """The request is larger than the server takes."""

    status = 413
    default_code = "request_too_large"


class Unauthenticated(MixtureError):
    """No key came with the request, or a wrong one."""

    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class Forbidden(MixtureError):
    """The key is known and may not do this."""

    status = 403
    type = "permission_error"


class UnknownModel(MixtureError):
    """No expert, strategy or alias has this name."""

    status = 404
    type = "invalid_request_error"
    default_code = "model_not_found"


class BudgetExceeded(MixtureError):
    """The money allowed is spent."""

    status = 402
    type = "budget_exceeded"
    default_code = "budget_exceeded"


class TooManyRequests(MixtureError):
    """The key's requests or tokens of this minute are used up, or its places for requests at once."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class DeadlineExceeded(MixtureError):
    """The time allowed is over."""

    status = 504
    type = "timeout_error"
    default_code = "deadline_exceeded"


class Overloaded(MixtureError):
    """The server has more to do than it may take on."""

    status = 503
    type = "overloaded_error"
    default_code = "overloaded"


class ExpertUnavailable(MixtureError):
    """The expert can't answer now; another may. `telling` is whether that says something of the expert as a whole."""

    status = 502
    type = "upstream_error"
    default_code = "expert_unavailable"
    telling: ClassVar[bool] = True


class ExpertTimeout(ExpertUnavailable):
    """The expert took too long for its first token or for the whole."""

    status = 504
    type = "timeout_error"
    default_code = "expert_timeout"


class ExpertStarting(ExpertUnavailable):
    """The expert is being started and the request may not wait so long; `retry_after` says when it should answer."""

    status = 503
    type = "overloaded_error"
    default_code = "expert_starting"


class RateLimited(ExpertUnavailable):
    """The expert asks to wait; `retry_after` says how long, where known."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class Declined(ExpertUnavailable):
    """The expert works, and says that this query is not for it. Asking again changes nothing, so clients are told so
    with a status that they do not retry.
    """

    status = 422
    type = "invalid_request_error"
    default_code = "declined"
    telling = False


class ReplicaLost(ExpertUnavailable):
    """The process that was asked is gone, with all that it was asked, which says nothing of the expert's others."""

    telling = False


class StreamBroken(ExpertUnavailable):
    """The expert failed after its first token, so that no other can take over."""

    default_code = "stream_broken"


class ReplicaBroke(StreamBroken):
    """As ReplicaLost, after the first token."""

    telling = False


class NoAnswer(MixtureError):
    """Every expert that could be asked failed. `causes` holds one (expert, reason) pair each; `declined` says that the
    experts work and none of them takes such a query.
    """

    status = 502
    type = "upstream_error"
    default_code = "no_answer"

    def __init__(
        self, message: str, *, causes: tuple[tuple[str, str], ...] = (), declined: bool = False, **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.causes = causes
        self.declined = declined
        if declined:
            self.status, self.type = Declined.status, Declined.type

    def details(self) -> dict[str, Any]:
        """The keyword arguments that make this error again."""
        return {**super().details(), "causes": self.causes, "declined": self.declined}
