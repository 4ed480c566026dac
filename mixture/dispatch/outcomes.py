"""What becomes of failures: which of them another expert may heal, and what the client is told when none could."""

from __future__ import annotations

from collections.abc import Iterable

from mixture.errors import BudgetExceeded, Declined, ExpertUnavailable, InvalidQuery, MixtureError, NoAnswer
from mixture.types import Completion, Panel

TO_ADD = (
    "only the built-in experts are here, which calculate exactly and quote documents. For everything else add a model: "
    "set OPENAI_API_KEY, ANTHROPIC_API_KEY or another provider's key in the environment or in .env, or start a local "
    "server such as Ollama, and start again"
)
"""What to do when there is no model yet: the one place where this is said."""

Failure = tuple[str, MixtureError]
"""An expert's name and how it failed."""


def healable(error: MixtureError) -> bool:
    """Whether another expert may do better: it was the expert's fault, its context too small, or its price too high."""
    return isinstance(error, ExpertUnavailable | BudgetExceeded) or error.code == "context_length_exceeded"


def told(completion: Completion) -> Completion:
    """`completion`, when it says anything. Raises ExpertUnavailable when it is empty: another expert may do better."""
    if completion.text.strip() or completion.tool_calls:
        return completion
    name = completion.expert
    raise ExpertUnavailable(f"{name} gave an empty answer", code="empty_answer", expert=name)


def no_answer(failures: Iterable[Failure], panel: Panel) -> MixtureError:
    """The error when every expert has failed. A request that no expert takes is the client's to mend."""
    failed = list(failures)
    if not failed:
        return NoAnswer(TO_ADD if not panel.experts or _embedded(panel) else "there is no expert to ask")
    if all(isinstance(error, InvalidQuery) for _, error in failed):
        return failed[-1][1]
    dear = [reason(error) for _, error in failed if isinstance(error, BudgetExceeded)]
    if dear and all(isinstance(error, BudgetExceeded | Declined) for _, error in failed):
        return BudgetExceeded("; ".join(dict.fromkeys(dear)), param="max_cost_usd")
    causes = tuple((name, reason(error)) for name, error in failed)
    if all(isinstance(error, Declined) for _, error in failed):
        said = f": {TO_ADD}" if _embedded(panel) else _listed(causes)
        return NoAnswer(f"no expert takes this request{said}", causes=causes, declined=True)
    waits = [error.retry_after for _, error in failed if error.retry_after is not None]
    return NoAnswer(f"no expert answered{_listed(causes)}", causes=causes, retry_after=min(waits) if waits else None)


def _listed(causes: Iterable[tuple[str, str]]) -> str:
    said = "; ".join(f"{name}: {why}" for name, why in causes)
    return f" ({said})"


def reason(error: MixtureError) -> str:
    """An expert's failure in words."""
    return error.message or type(error).__name__


def _embedded(panel: Panel) -> bool:
    return all(expert.card.provider in ("symbolic", "extractive") for expert in panel.experts.values())
