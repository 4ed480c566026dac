"""What other strategies would have made of logged answers, with no call: the real strategies over experts that repeat.

A log holds what some experts said to some prompts, and how good that was. A strategy that only chooses among such
answers is worth what the answer that it chose was worth. What a log can't tell is marked and not guessed: an expert
that would have been asked and was not, a text that would have been written anew, a judge that would have been asked.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

import numpy as np

from mixture.aggregation import make_aggregator, make_scorer
from mixture.config import Config, parse
from mixture.errors import Declined, InvalidQuery, MixtureError
from mixture.evaluation.results import FIGURES, Results
from mixture.mixture import Mixture
from mixture.planning import RuleDecomposer
from mixture.routing import make_router
from mixture.routing.outcomes import Outcomes
from mixture.tokens import prompt_tokens, tokens
from mixture.trace import Trace
from mixture.types import Chunk, Completion, Expert, ExpertCard, Message, Panel, Price, Query, Report, Usage
from mixture.wrappers import wrap

TOGETHER = 64
"""Items replayed at once."""
NOT_LOGGED = "not_logged"


class Replayed:
    """An expert that repeats what it said to a prompt. Raises Declined where the log does not have it."""

    def __init__(self, card: ExpertCard, log: Outcomes, rows: Mapping[str, int]) -> None:
        self.card = card
        self._log, self._rows = log, rows
        self._column = log.experts.index(card.name)

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The logged answer in one piece."""
        row = self._rows.get(query.text)
        text = None if row is None else self._log.responses[row][self._column]
        if row is None or text is None:
            raise Declined("the log has no answer to this", code=NOT_LOGGED, expert=self.card.name)
        counted = self._log.tokens[row, self._column]
        written = int(counted) if isfinite(counted) else tokens(len(text))
        yield Chunk(text, usage=Usage(prompt_tokens(query), written), finish_reason="stop")


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it. In `results` an item whose outcome the log can't tell has no score; `unknown` counts the reasons
    by arm.
    """

    results: Results
    unknown: Mapping[str, Counter[str]]

    def bounds(self, arm: str) -> tuple[float, float]:
        """The mean score over all items if every unknown one were wrong, and if every one were right."""
        scores = self.results.scores[:, self.results.column(arm)]
        return float(np.nan_to_num(scores, nan=0.0).mean()), float(np.nan_to_num(scores, nan=1.0).mean())


@dataclass(slots=True)
class Replayer:
    """Replays a log under the models of a configuration (`configured` makes one). Raises InvalidQuery for a log without
    responses.
    """

    log: Outcomes
    config: Config
    prices: Mapping[str, Price] = field(default_factory=dict)
    _rows: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        if not self.log.responses:
            raise InvalidQuery("the log has no `response` column: what strategies choose among is missing", param="log")
        self._rows = {prompt: row for row, prompt in enumerate(self.log.prompts)}

    async def replay(self, arms: Mapping[str, str]) -> Replay:
        """Every item under each of `arms`: name -> model, of the configuration."""
        mixture = self._mixture()
        for model in arms.values():
            mixture.models.resolve(model)
        shape = len(self.log), len(arms)
        figures = {name: np.full(shape, nan) for name in FIGURES}
        unknown = {arm: Counter[str]() for arm in arms}
        for column, (arm, model) in enumerate(arms.items()):
            for start in range(0, len(self.log), TOGETHER):
                rows = range(start, min(start + TOGETHER, len(self.log)))
                for row, seen in zip(rows, await self._part(mixture, model, rows), strict=True):
                    for name, value in seen.figures.items():
                        figures[name][row, column] = value
                    unknown[arm].update([seen.unknown] if seen.unknown else [])
        await mixture.close()
        return Replay(self._results(tuple(arms), figures), unknown)

    async def _part(self, mixture: Mixture, model: str, rows: Sequence[int]) -> list[_Seen]:
        return await asyncio.gather(*(self._one(mixture, model, row) for row in rows))

    async def _one(self, mixture: Mixture, model: str, row: int) -> _Seen:
        trace = Trace()
        query = Query((Message("user", self.log.prompts[row]),), request_id=f"replay-{row}")
        try:
            completion = (await mixture.answer(query, model, trace=trace)).completion
        except MixtureError as error:
            return _Seen({}, _missing(trace.report()) or f"{type(error).__name__}: {error.message}")
        return self._seen(row, completion, trace.report(completion))

    def _seen(self, row: int, completion: Completion, report: Report) -> _Seen:
        asked = [call for call in report.calls if call.error != NOT_LOGGED]
        figures = {
            "calls": float(len(asked)),
            "cost_usd": sum(self._cost(row, call.expert, call.usage) for call in asked),
        }
        if len(asked) == 1:  # of several, a log does not say who waited for whom
            figures["latency_s"] = float(self.log.latencies[row, self.log.experts.index(asked[0].expert)])
        for name in ("confidence", "agreement"):
            value = getattr(report, name)
            figures[name] = nan if value is None else value
        score, why = self._score(row, completion), _missing(report)
        if why is None and score is None:
            why = "a text would have been written that nobody graded"
        return _Seen(figures if why else {**figures, "score": score or 0.0}, why)

    def _score(self, row: int, completion: Completion) -> float | None:
        """The logged score of the answer that was chosen; of equal texts the writer's own, else any."""
        said, scores = self.log.responses[row], self.log.scores[row]
        same = [place for place, text in enumerate(said) if text == completion.text and isfinite(scores[place])]
        if not same:
            return None
        own = [place for place in same if self.log.experts[place] == completion.expert]
        return float(scores[(own or same)[0]])

    def _cost(self, row: int, expert: str, usage: Usage) -> float:
        price = self.prices.get(expert)
        return price.cost(usage) if price is not None else float(self.log.costs[row, self.log.experts.index(expert)])

    def _results(self, arms: tuple[str, ...], figures: dict[str, Any]) -> Results:
        asked = np.ones((len(self.log), len(arms)), dtype=bool)
        return Results(arms, np.arange(len(self.log)), self.log.domains, figures, asked, np.zeros_like(asked))

    def _mixture(self) -> Mixture:
        cards = {
            expert.name: _card(expert.name, expert.skills, self._price(expert.name)) for expert in self.config.experts
        }
        experts: dict[str, Expert] = {
            name: wrap(Replayed(card, self.log, self._rows), self.config.defaults) for name, card in cards.items()
        }
        panel = Panel(
            experts,
            make_router(self.config.router),
            RuleDecomposer(self.config.decomposer.max_subtasks),
            make_aggregator(None, self.config.aggregator),
            make_scorer(self.config.scorer),
        )
        return Mixture(self.config, panel)

    def _price(self, expert: str) -> Price | None:
        """What the expert costs: as given, else as the log shows, all of it counted for the tokens written."""
        if expert in self.prices:
            return self.prices[expert]
        column = self.log.experts.index(expert)
        cost, written = self.log.costs[:, column], self.log.tokens[:, column]
        known = np.isfinite(cost) & np.isfinite(written)
        total = float(written[known].sum())
        return Price(0.0, 1e6 * float(cost[known].sum()) / total) if total else None


@dataclass(frozen=True, slots=True)
class _Seen:
    figures: Mapping[str, float]
    unknown: str | None


def _card(name: str, skills: Sequence[str] | None, price: Price | None) -> ExpertCard:
    return ExpertCard(name, "recorded", skills=tuple(skills or ()), price=price, location="embedded")


def _missing(report: Report) -> str | None:
    """Whom the strategy wanted to ask and the log does not have."""
    lacking = [call for call in report.calls if call.error == NOT_LOGGED]
    if not lacking:
        return None
    parts = {call.purpose for call in lacking}
    if parts & {"judge", "writer", "router", "decomposer"}:
        return f"a {sorted(parts & {'judge', 'writer', 'router', 'decomposer'})[0]} would have been asked"
    return f"the log lacks the answer of {lacking[0].expert}"


def configured(log: Outcomes, base: Config | None, arms: Mapping[str, Mapping[str, Any]]) -> Config:
    """A configuration with the experts of the log and an alias for each of `arms` (name -> alias). What `base` says of
    these experts, of routing and of strategies holds. Raises ConfigError.
    """
    data: dict[str, Any] = {} if base is None else base.model_dump(exclude_unset=True)
    known = {} if base is None else {expert.name: expert for expert in base.experts}
    data["experts"] = [
        {"name": name, "provider": "recorded", "skills": known[name].skills if name in known else ()}
        for name in log.experts
    ]
    data["discover"] = False
    data["defaults"] = {"num_retries": 0, "allowed_fails": 1_000_000}
    data["aliases"] = {**data.get("aliases", {}), **arms}
    data.pop("feedback", None)
    return parse(data, {})
