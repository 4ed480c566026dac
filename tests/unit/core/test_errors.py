"""Errors and events cross process boundaries whole."""

import pickle
from dataclasses import fields

import pytest

from mixture import errors
from mixture.config import ConfigError
from mixture.errors import MixtureError, NoAnswer
from mixture.types import (
    Answered,
    Call,
    Choice,
    Chunk,
    Completion,
    Delta,
    ExpertCard,
    Message,
    Passage,
    Plan,
    Planned,
    Price,
    Proposed,
    Query,
    Quorum,
    Report,
    Retrieved,
    Route,
    Routed,
    Scored,
    Subtask,
    ToolCall,
    Usage,
)


def kinds(kind=MixtureError):
    return [kind, *(found for child in kind.__subclasses__() for found in kinds(child))]


@pytest.mark.parametrize("kind", sorted({k for k in kinds() if k.__module__.startswith("mixture")}, key=str))
def test_every_error_pickles_with_all_its_fields(kind):
    error = kind("message", param="p", code="c", retry_after=2.5, expert="e")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.message, str(again), again.details()) == ("message", "message", error.details())
    assert (again.status, again.type) == (error.status, error.type)


def test_what_no_answer_adds_pickles_too():
    error = NoAnswer("m", causes=(("a", "down"),), declined=True)
    again = pickle.loads(pickle.dumps(error))
    assert (again.causes, again.declined, again.status) == (error.causes, True, error.status)


def test_codes_are_there_where_a_program_needs_them():
    assert errors.RateLimited("x").code == "rate_limit_exceeded"
    assert errors.ExpertUnavailable("x", code="other").code == "other"
    assert ConfigError("x").status == 400


EVENTS = [
    Retrieved((Passage("t", "s", 0, 0.5),)),
    Planned(Plan((Subtask("1", "x", "code", ("0",)),))),
    Routed(Route(("a",), "why", {"task": "math"}), "1"),
    Proposed("a", Completion("a", (Choice("x", (ToolCall("1", "f", "{}"),)),), quorum=Quorum(3, 2, 1)), None, "1"),
    Scored("a", 0.5, "why"),
    Delta("a", Chunk("x", logprobs=({"token": "x"},))),
    Answered(Completion("a"), Report("auto", "voting", (Call("a", "answer", Usage(1, 2), 0.1, 3.0, "ok"),))),
    Query((Message("user", "x"),), persona=ExpertCard("p", "persona", price=Price(1, 2))),
]


@pytest.mark.parametrize("value", EVENTS, ids=lambda value: type(value).__name__)
def test_every_event_pickles_and_stays_small_and_frozen(value):
    assert pickle.loads(pickle.dumps(value)) == value
    assert not hasattr(value, "__dict__")
    with pytest.raises(AttributeError):
        setattr(value, fields(value)[0].name, "changed")
