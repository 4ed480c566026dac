"""What makes two requests the same, and which answers are worth keeping."""

from dataclasses import replace

import pytest

from mixture.caching.keys import key_of, setting_of
from mixture.caching.policy import worth_keeping
from mixture.models import Wishes
from mixture.types import (
    Adjusted,
    Choice,
    Completion,
    ImagePart,
    Limits,
    Message,
    Query,
    Report,
    Sampling,
    TextPart,
    Tool,
    ToolCall,
)

ASK = Query((Message("system", "Be brief."), Message("user", "What is love?")), sampling=Sampling(temperature=0))
REPORT = Report("a", "expert")


def key(query=ASK, owner="me", epoch=b"e", target=b"t", more=None):
    return key_of(owner, epoch, target, query, more)


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "you"},
        {"epoch": b"f"},
        {"target": b"u"},
        {"more": Wishes(n=3)},
        {"query": replace(ASK, messages=ASK.messages[1:])},
        {"query": replace(ASK, messages=(*ASK.messages, Message("assistant", "Baby don't hurt me.")))},
        {"query": replace(ASK, sampling=Sampling(temperature=0, max_tokens=9))},
        {"query": replace(ASK, tools=(Tool("f"),))},
        {"query": replace(ASK, limits=Limits(quality=0.9))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_an_expert_sees_is_in_the_key(changes):
    assert key(**changes) != key()


def test_what_changes_nothing_of_the_answer_is_not():
    same = replace(ASK, stream=True, request_id="r", session="s", purpose="subtask 1", limits=Limits(1.0, 2.0))
    assert key(same) == key(replace(ASK)) == key()


def test_what_is_no_json_has_no_key():
    with pytest.raises(TypeError):
        key(replace(ASK, sampling=Sampling(extra={"x": object()})))


def test_the_setting_leaves_out_the_last_words_and_nothing_else():
    def setting(*last):
        return setting_of("me", b"e", b"t", replace(ASK, messages=(*ASK.messages[:-1], *last)))

    image = ImagePart("data:image/png;base64,AAAA")
    asked = setting(Message("user", "What is love?"))
    assert setting(Message("user", "What is hate?")) == asked
    assert setting(Message("user", (TextPart("What is love?"), image))) != asked
    assert setting(Message("user", "Hm."), Message("user", "What is love?")) != asked


@pytest.mark.parametrize(
    ("kept", "completion", "report"),
    [
        (True, Completion("a", (Choice("yes"),)), REPORT),
        (False, Completion("a", (Choice("yes"),), degraded="one expert did not answer"), REPORT),
        (False, Completion("a", (Choice("ye", finish_reason="length"),)), REPORT),
        (False, Completion("a", (Choice("yes"), Choice(" "))), REPORT),
        (False, Completion("a", (Choice("", (ToolCall("1", "f", "{}"),), "tool_calls"),)), REPORT),
        (False, Completion("a", (Choice("yes", annotations=({"type": "url_citation"},)),)), REPORT),
        (False, Completion("a", (Choice("yes"),)), replace(REPORT, adjustments=(Adjusted("shrunk", "no money"),))),
        (True, Completion("a", (Choice("yes"),)), replace(REPORT, adjustments=(Adjusted("hedged", "slow"),))),
    ],
)
def test_only_whole_answers_are_worth_keeping(kept, completion, report):
    assert worth_keeping(completion, report) is kept
