"""One answer out of the answers to the parts of a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mixture.dispatch.operations import under
from mixture.prompts import MISSING, RESULT, WRITE
from mixture.types import Completion, ExpertCard, Panel, Query, Subtask

_ONLY_QUOTES = ("symbolic", "extractive")


def writes(card: ExpertCard) -> bool:
    """Whether the expert can write what nobody has written yet: it does not only calculate or quote."""
    return card.provider not in _ONLY_QUOTES


def writers(names: Iterable[str], panel: Panel) -> list[str]:
    """Those of `names` that can write."""
    return [name for name in names if writes(panel.experts[name].card)]


def written(query: Query, subtasks: Sequence[Subtask], answers: Mapping[str, Completion]) -> Query:
    """The request with the results for its parts, ready for the expert that writes the answer."""
    results = [_result(number, subtask, answers) for number, subtask in enumerate(subtasks, 1)]
    context = WRITE.format(results="\n\n".join(results))
    return replace(query, messages=under(query.messages, context), purpose="aggregator")


def _result(number: int, subtask: Subtask, answers: Mapping[str, Completion]) -> str:
    answer = answers.get(subtask.id)
    if answer is None:
        return MISSING.format(number=number, part=subtask.text)
    return RESULT.format(number=number, part=subtask.text, answer=answer.text)
