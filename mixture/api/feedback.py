"""The body of `POST /v1/mixture/feedback`, and its answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mixture.api.parsing import Body, parse
from mixture.errors import InvalidQuery
from mixture.feedback import Note, Receipt


class FeedbackRequest(Body):
    """What is said of an answer: `thumbs` or `score`, or a `correction`, which alone means that it was wrong."""

    request_id: Annotated[str, Field(min_length=1, max_length=257)]
    """The `x-request-id` of the answer; of a run on `/ws/chat` the `request_id` in its `answered`."""
    thumbs: Literal["up", "down"] | None = None
    """`up` is a score of 1, `down` of 0."""
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    """How good the answer is."""
    correction: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """What the answer should have been."""
    expert: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Whose part is meant, where several answered; left out, the one whose answer it is."""


def parse_feedback(body: bytes, owner: str) -> Note:
    """The note in `body`. Raises InvalidQuery, naming the field."""
    request = parse(body, FeedbackRequest)
    if request.thumbs is not None and request.score is not None:
        raise InvalidQuery("thumbs: send it or `score`, not both", param="thumbs")
    if request.thumbs is None and request.score is None and request.correction is None:
        raise InvalidQuery("score: send `thumbs`, `score` or `correction`", param="score")
    score = float(request.thumbs == "up") if request.score is None else request.score
    return Note(owner, request.request_id, score, request.expert, request.correction)


def receipt_fields(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain data."""
    fields = ("request_id", "expert", "score", "logged", "learned", "why", "version")
    return {"object": "mixture.feedback", **{name: getattr(receipt, name) for name in fields}}
