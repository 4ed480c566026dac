"""The operations of a request as queries of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.prompts import CARRIED, GIVEN
from mixture.types import Completion, Message, Plan, Query, Subtask


def divisible(query: Query) -> bool:
    """Whether the answer can be put together from sections: not with tools, images, a form of the whole, several
    choices or log probabilities.
    """
    return not query.needs & {"tools", "json", "n", "vision", "logprobs"}


def ordered(plan: Plan) -> bool:
    """Whether every subtask has its own id and waits only for subtasks that stand before it."""
    seen: set[str] = set()
    for subtask in plan.subtasks:
        if subtask.id in seen or not seen.issuperset(subtask.depends_on):
            return False
        seen.add(subtask.id)
    return True


def routing_query(query: Query, subtask: Subtask) -> Query:
    """What a router should look at: the operation, and the whole request where the operation alone shows nothing."""
    return replace(query, messages=(Message("user", query.text), Message("user", subtask.text)))


def asked(query: Query, subtask: Subtask, parts: int, given: Sequence[Completion]) -> Query:
    """The operation as the user's message, with the conversation before it and the whole request as context, and with
    its share of the tokens. The operation stands alone: an expert that calculates can read it.
    """
    context = CARRIED.format(whole=query.text)
    if given:
        context += GIVEN.format(answers="\n\n".join(completion.text for completion in given))
    last = max(index for index, message in enumerate(query.messages) if message.role == "user")
    messages = (*query.messages[:last], Message("user", subtask.text), *query.messages[last + 1 :])
    most = query.sampling.max_tokens
    sampling = query.sampling if most is None else replace(query.sampling, max_tokens=max(1, most // parts))
    return replace(query, messages=under(messages, context), sampling=sampling, purpose="subtask")


def under(messages: tuple[Message, ...], context: str) -> tuple[Message, ...]:
    """`messages` with `context` at the end of the system message that begins them, or as one."""
    first = messages[0]
    if first.role != "system":
        return (Message("system", context), *messages)
    return (replace(first, content=f"{first.text}\n\n{context}"), *messages[1:])
