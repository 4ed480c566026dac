"""Answers over HTTP: any server that speaks OpenAI's API. One of ours says more, and is asked for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, DefaultAioHttpClient

from mixture.errors import InvalidQuery
from mixture.evaluation.arms import Arm
from mixture.evaluation.attempts import Attempt, Clock, Proposal
from mixture.types import Message

TIMEOUT = 600.0
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Statuses after which asking again may help."""


class EndpointAnswerer:
    """Answers from a server. `url` may leave `/v1` out; `clock` measures latencies."""

    def __init__(self, url: str, key: str, clock: Clock = time.perf_counter) -> None:
        base = url.rstrip("/").removesuffix("/v1") + "/v1"
        # What fails is asked again with more patience than the SDK's: see `mixture.evaluation.patience`.
        self._client = AsyncOpenAI(
            base_url=base, api_key=key or "none", max_retries=0, timeout=TIMEOUT, http_client=DefaultAioHttpClient()
        )
        self._url = base
        self._clock = clock
        self._kinds: Mapping[str, str] = {}

    async def check(self, arms: Iterable[Arm]) -> None:
        """Ask the server what it has. Raises InvalidQuery when it does not answer, refuses the key, or has no such
        model; a server without a list of models is taken as it is.
        """
        try:
            listed = [model async for model in self._client.models.list()]
        except APIConnectionError:
            raise InvalidQuery(f"{self._url} does not answer", param="endpoint") from None
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise InvalidQuery(f"{self._url} refuses the key (set MIXTURE_API_KEY)", param="endpoint") from None
            return
        self._kinds = {model.id: str((model.model_extra or {}).get("kind", "")) for model in listed}
        for arm in arms:
            if arm.file is not None:
                raise InvalidQuery(f"{arm.name}: an endpoint has one configuration; leave FILE out", param="arm")
            if self._kinds and arm.model.removeprefix("mixture/") not in self._kinds:
                known = ", ".join(list(self._kinds)[:20])
                raise InvalidQuery(f"{self._url} has no model {arm.model!r}; it has {known}", param="arm")

    async def ask(self, messages: Sequence[Message], model: str) -> Attempt:
        """See `Answerer`."""
        began = self._clock()
        ours = bool(self._kinds.get(model.removeprefix("mixture/")))
        try:
            answer = await self._client.chat.completions.create(
                model=model,
                messages=[{"role": message.role, "content": message.text} for message in messages],  # type: ignore[misc]
                extra_body={"mixture": {"expose_proposals": True}} if ours else None,
            )
        except APIStatusError as error:
            passing = error.status_code in PASSING
            return Attempt(
                error=f"{error.status_code}: {_message(error)}", passing=passing, latency_s=self._clock() - began
            )
        except APIError as error:
            return Attempt(error=f"{type(error).__name__}: {error}", passing=True, latency_s=self._clock() - began)
        return attempt_of(answer.model_dump(), self._clock() - began, alone=self._kinds.get(model) == "expert")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _message(error: APIStatusError) -> str:
    body = error.body if isinstance(error.body, Mapping) else {}
    return str(body.get("message") or error.message)[:500]


def attempt_of(answer: Mapping[str, Any], seconds: float, *, alone: bool) -> Attempt:
    """The attempt that a chat completion tells of; with a `mixture` field, what was done for it too."""
    choice, report = answer["choices"][0], answer.get("mixture") or {}
    usage, route = answer.get("usage") or {}, report.get("route") or {}
    calls = report.get("experts") or []
    expert = next((call["name"] for call in calls if call["outcome"] == "ok"), None)
    return Attempt(
        text=choice["message"].get("content") or "",
        strategy=str(report.get("strategy_executed") or ""),
        alone=(expert or answer.get("model")) if alone or not report else None,
        by=_writer(report, expert),
        asked=tuple(call["name"] for call in calls),
        calls=len(calls) or 1,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cost_usd=report["cost_usd"] if report.get("cost_complete") else None,
        latency_s=seconds,
        finish_reason=choice.get("finish_reason"),
        degraded=report.get("degraded"),
        agreement=report.get("agreement"),
        confidence=report.get("confidence"),
        cached=bool(report.get("cached")),
        route=tuple(route.get("experts") or ()),
        why=route.get("why"),
        proposals=tuple(_proposal(one) for one in report.get("proposals") or ()),
    )


def _writer(report: Mapping[str, Any], only: str | None) -> str | None:
    """Who wrote the answer, where that is known: the one expert that was asked, or who put the proposals together."""
    by = (report.get("aggregation") or {}).get("by")
    return by or (only if len(report.get("experts") or ()) == 1 else None)


def _proposal(fields: Mapping[str, Any]) -> Proposal:
    return Proposal(fields["expert"], fields.get("text"), fields.get("error"), fields.get("subtask"))
