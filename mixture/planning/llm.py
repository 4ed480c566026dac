"""Plans that an expert writes, as JSON that is checked; behind it stand the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mixture.errors import MixtureError
from mixture.planning.graph import faults, in_order
from mixture.planning.rules import MOST
from mixture.prompts import MEND, PLAN
from mixture.routing.domains import BY_NAME
from mixture.streams import complete
from mixture.types import Completion, Decomposer, Expert, Message, Plan, Query, ResponseFormat, Sampling, Subtask

FEWEST_WORDS = 6
"""A request of fewer words is one subtask: no expert is asked."""
LONGEST = 20_000
"""Characters; a longer request is mostly material, and is left to the rules."""
TURNS, TURN = 4, 1_000
"""Messages before the request that are shown, and characters of each."""
TOKENS = 4_000
"""What a plan may take to write, an expert's reasoning included."""
_TRIES = 50
"""Places in an answer where a JSON object is looked for."""


_LENIENT = ConfigDict(coerce_numbers_to_str=True)


class WrittenSubtask(BaseModel):
    """A subtask as an expert writes it."""

    model_config = _LENIENT

    id: str
    text: str
    skill: str | None = None
    depends_on: list[str] | None = None


class WrittenPlan(BaseModel):
    """A plan as an expert writes it."""

    model_config = _LENIENT

    subtasks: list[WrittenSubtask]
    final: str | None = None

    def plan(self) -> Plan:
        """The same in our words, unchecked. A skill that nobody knows is none."""
        return Plan(
            tuple(
                Subtask(
                    one.id, one.text.strip(), one.skill if one.skill in BY_NAME else None, tuple(one.depends_on or ())
                )
                for one in self.subtasks
            ),
            self.final,
        )


_FIELDS: Mapping[str, Any] = {
    "id": {"type": "string"},
    "text": {"type": "string"},
    "skill": {"type": ["string", "null"], "enum": [*BY_NAME, None]},
    "depends_on": {"type": "array", "items": {"type": "string"}},
}


def _object(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(fields), "required": [*fields], "additionalProperties": False}


SCHEMA = _object({"subtasks": {"type": "array", "items": _object(_FIELDS)}, "final": {"type": ["string", "null"]}})
"""The JSON schema of a plan as upstreams take it that are strict: every field required, no defaults, no references."""


class LLMDecomposer:
    """Has `expert` write the plan. A plan with faults goes back to it once, with what is wrong; then, and when it does
    not answer, `rules` make the plan, which says so in `degraded`.

    The request reaches the expert as data inside JSON. Whatever the request talks it into, the plan is a checked graph
    of at most `most` subtasks, each of which is routed and answered like any request.
    """

    def __init__(self, expert: Expert, rules: Decomposer, most: int = MOST) -> None:
        self._expert = expert
        self._rules = rules
        self._most = most

    @property
    def asks(self) -> str:
        """The expert that writes the plans, by its name."""
        return self._expert.card.name

    def asking(self, expert: Expert) -> LLMDecomposer:
        """The same, with another `expert` that writes the plans."""
        return LLMDecomposer(expert, self._rules, self._most)

    @property
    def quiet(self) -> Decomposer:
        """What makes a plan without asking anybody."""
        return self._rules

    async def decompose(self, query: Query) -> Plan:
        """A plan that can be followed; subtasks stand after those that they wait for. Raises what `rules` raise."""
        text, name = query.text, self._expert.card.name
        if len(text.split()) < FEWEST_WORDS:
            return Plan((Subtask("1", text),))
        if len(text) > LONGEST:
            return await self._rules.decompose(query)
        try:
            made = await self._written(query)
        except MixtureError as error:
            return await self._by_rules(query, f"{name} did not write a plan ({error.message or type(error).__name__})")
        if isinstance(made, Plan):
            return _numbered(made, query, f"planned by {name}")
        return await self._by_rules(query, f"{name} wrote no plan that can be used ({'; '.join(made)})")

    async def _by_rules(self, query: Query, why: str) -> Plan:
        return replace(
            await self._rules.decompose(query), why="planned by rules", degraded=f"{why}, rules took its place"
        )

    async def _written(self, query: Query) -> Plan | list[str]:
        """The plan, mended once where that was needed, or the faults that are left. Raises what the expert raises."""
        asked = self._asked(query)
        answer = await complete(self._expert, asked)
        made = read(answer, self._most)
        if isinstance(made, Plan):
            return made
        said = MEND.format(faults="\n".join(f"- {fault}" for fault in made))
        again = (*asked.messages, Message("assistant", answer.text or "(nothing)"), Message("user", said))
        return read(await complete(self._expert, replace(asked, messages=again)), self._most)

    def _asked(self, query: Query) -> Query:
        rule = PLAN.format(most=self._most, skills=", ".join(BY_NAME))
        form = (
            ResponseFormat("json_schema", "plan", SCHEMA, strict=True)
            if "json" in self._expert.card.abilities
            else None
        )
        return Query(
            (Message("system", rule), Message("user", json.dumps(_material(query), ensure_ascii=False))),
            Sampling(max_tokens=TOKENS),
            response_format=form,
            limits=query.limits,
            purpose="decomposer",
            request_id=query.request_id,
        )


def _material(query: Query) -> dict[str, object]:
    spoken = [message for message in query.messages if message.role in ("user", "assistant") and message.text]
    before = spoken[:-1] if spoken and spoken[-1].role == "user" else spoken
    return {
        "conversation": [{"role": message.role, "text": message.text[:TURN]} for message in before[-TURNS:]],
        "request": query.text,
    }


def read(answer: Completion, most: int) -> Plan | list[str]:
    """The plan in `answer`, which may stand between other words, or what is wrong with it, a line for each fault."""
    if answer.finish_reason == "length":
        return ["the answer was cut off before its end"]
    found = ["there is no JSON object with `subtasks` in the answer"]
    for data in _objects(answer.text):
        if "subtasks" not in data:
            continue
        try:
            made = WrittenPlan.model_validate(data).plan()
        except ValidationError as error:
            return [_line(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]
        return faults(made, most) or made
    return found


def _line(loc: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, loc))}: {message}"


def _objects(text: str) -> Iterator[dict[str, object]]:
    """The JSON objects in `text`, outermost first."""
    decoder, start = json.JSONDecoder(strict=False), 0
    for _ in range(_TRIES):
        start = text.find("{", start)
        if start < 0:
            return
        try:
            data, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start += 1
            continue
        start = end
        if isinstance(data, dict):
            yield data


def _numbered(made: Plan, query: Query, why: str) -> Plan:
    """`made` in the order of answering, its ids counted through; of one subtask, the request in its own words."""
    if len(made.subtasks) == 1:
        return Plan((Subtask("1", query.text),), why=why)
    ordered = in_order(made)
    ids = {subtask.id: str(number) for number, subtask in enumerate(ordered, 1)}
    return Plan(
        tuple(
            replace(
                subtask, id=ids[subtask.id], depends_on=tuple(dict.fromkeys(ids[name] for name in subtask.depends_on))
            )
            for subtask in ordered
        ),
        None if made.final is None else ids[made.final],
        why,
    )
