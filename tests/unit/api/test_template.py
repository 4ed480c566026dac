"""Answers that are sent again as bytes are what the encoders would have written."""

import json

import pytest

from mixture.api.anthropic_answers import encode_message
from mixture.api.openai_answers import encode_chat
from mixture.api.template import template_of
from mixture.trace import Trace
from mixture.types import Choice, Completion, Recalled, Report

TRICKY = 'it says "age_s":1 and "latency_ms":2, {"created":3} \\"id\\":"x" \u2028'
REPORT = Report(TRICKY, "expert", recalled=Recalled("exact", 12.5, ("plain",)), latency_ms=7.25)


@pytest.mark.parametrize("encode", [encode_chat, encode_message])
def test_only_what_changes_is_new(encode):
    body = encode(TRICKY, Completion("plain", (Choice(TRICKY),)), REPORT, Trace(), expose=False)
    sent = json.loads(template_of(body).render(99.0, 0.5))
    first = json.loads(body)
    assert sent["id"] != first["id"]
    assert len(sent["id"]) == len(first["id"])
    assert (sent["mixture"]["cache"]["age_s"], sent["mixture"]["latency_ms"]) == (99.0, 0.5)
    assert abs(sent.pop("created", 0) - first.pop("created", 0)) < 60
    for one in (sent, first):
        del one["id"], one["mixture"]["cache"]["age_s"], one["mixture"]["latency_ms"]
    assert sent == first
