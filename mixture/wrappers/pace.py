"""How fast an expert has been lately, and how much it writes."""

from __future__ import annotations

from dataclasses import dataclass

from mixture.types import Call

MEMORY = 20
"""Answers over which the averages run: an older one counts for less and less."""


@dataclass(slots=True)
class Pace:
    """Moving averages over the answers that were given whole; `latency_ms` and `completion_tokens` mean nothing while
    there is no answer.
    """

    answers: int = 0
    latency_ms: float = 0.0
    completion_tokens: float = 0.0

    def note(self, call: Call) -> None:
        """Take in a call that has ended. Only one that went well says how long an answer takes."""
        if call.outcome != "ok":
            return
        self.answers += 1
        share = 1 / min(self.answers, MEMORY)
        self.latency_ms += share * (call.latency_ms - self.latency_ms)
        self.completion_tokens += share * (call.usage.completion_tokens - self.completion_tokens)
