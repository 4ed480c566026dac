"""Outcome logs: what each expert made of each prompt. Read from Parquet or JSONL, or from a folder of Parquet files
such as `mixture evaluate` leaves, and held as arrays.

Columns: `prompt` (text, or messages), `expert`, `score` (0..1; `correct` is read too); optional `item`, `domain`,
`split`, `response`, `prompt_tokens`, `completion_tokens`, `cost_usd`, `latency_s`. Whatever is missing is NaN, never
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from mixture.errors import InvalidQuery

Doubles = npt.NDArray[np.float64]


FIGURES = ("cost_usd", "latency_s", "completion_tokens")
"""The columns of numbers beside the score."""
_READ = ("item", "prompt", "expert", "score", "correct", "domain", "split", "response", "proposals", *FIGURES)


class LogError(InvalidQuery):
    """The outcome log can't be read; `message` names the place and the mending."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Prompts by experts. `scores`, `costs` (US dollars) and `latencies` (seconds) are prompts x experts, NaN where
    nothing was recorded; `domains` and `splits` hold one word a prompt, empty where unknown.
    """

    prompts: tuple[str, ...]
    experts: tuple[str, ...]
    scores: Doubles
    costs: Doubles
    latencies: Doubles
    domains: tuple[str, ...]
    splits: tuple[str, ...]
    tokens: Doubles
    """Completion tokens, prompts x experts, NaN where nothing was recorded."""
    responses: tuple[tuple[str | None, ...], ...] = ()
    """What was answered, a text an expert, None where nothing was recorded; empty where the log has no responses."""

    def __len__(self) -> int:
        return len(self.prompts)

    def rows(self, index: Iterable[int]) -> Outcomes:
        """The outcomes of the prompts at `index`."""
        places = list(index)
        return Outcomes(
            tuple(self.prompts[i] for i in places),
            self.experts,
            self.scores[places],
            self.costs[places],
            self.latencies[places],
            tuple(self.domains[i] for i in places),
            tuple(self.splits[i] for i in places),
            self.tokens[places],
            tuple(self.responses[i] for i in places) if self.responses else (),
        )

    def among(self, experts: Sequence[str]) -> Outcomes:
        """The outcomes of some experts only, in the order given."""
        columns = [self.experts.index(name) for name in experts]
        tables = (self.scores, self.costs, self.latencies, self.tokens)
        scores, costs, latencies, tokens = (table[:, columns] for table in tables)
        said = tuple(tuple(row[i] for i in columns) for row in self.responses)
        return Outcomes(self.prompts, tuple(experts), scores, costs, latencies, self.domains, self.splits, tokens, said)


def make(
    prompts: Sequence[str],
    experts: Sequence[str],
    scores: npt.ArrayLike,
    costs: npt.ArrayLike | None = None,
    domains: Sequence[str] | None = None,
) -> Outcomes:
    """Outcomes from arrays already at hand; what is left out is unknown."""
    table = np.asarray(scores, dtype=np.float64)
    unknown = np.full(table.shape, nan)
    filled = unknown if costs is None else np.broadcast_to(np.asarray(costs, dtype=np.float64), table.shape).copy()
    blank = ("",) * len(prompts)
    return Outcomes(tuple(prompts), tuple(experts), table, filled, unknown, tuple(domains or blank), blank, unknown)


def load(path: str | Path) -> Outcomes:
    """The log at `path`, whatever the order of its rows; of several rows for one prompt and expert the mean counts.
    In a folder the graded proposals of ensembles are rows of the experts that made them.

    Raises LogError when it is missing, is neither Parquet nor JSONL, or has no usable row.
    """
    rows = list(_records(Path(path)))
    return pivot(rows, str(path))


def pivot(rows: Sequence[Mapping[str, Any]], where: str = "log") -> Outcomes:
    """Outcomes from rows of one prompt and one expert each. Raises LogError when no row can be used."""
    prompts: dict[str, int] = {}
    experts: dict[str, int] = {}
    about: list[tuple[str, str, str]] = []
    cells: dict[tuple[int, int], list[tuple[float, ...]]] = {}
    said: dict[tuple[int, int], str] = {}
    for row in rows:
        text, name, score = _text(row.get("prompt")), _word(row.get("expert")), _score(row)
        if text is None or not name or not isfinite(score):
            continue
        place = prompts.setdefault(_word(row.get("item")) or text, len(prompts))
        if place == len(about):
            about.append((text, _word(row.get("domain")), _word(row.get("split"))))
        column = experts.setdefault(name, len(experts))
        cell = (min(1.0, max(0.0, score)), *(_figure(row.get(name)) for name in FIGURES))
        cells.setdefault((place, column), []).append(cell)
        if row.get("response") is not None:
            said.setdefault((place, column), str(row["response"]))
    if not cells:
        raise LogError(f"{where}: no row has `prompt`, `expert` and a `score` (or `correct`)", param="log")
    tables = np.full((1 + len(FIGURES), len(prompts), len(experts)), nan)
    for (place, column), found in cells.items():
        tables[:, place, column] = [_mean(values) for values in zip(*found, strict=True)]
    texts, domains, splits = zip(*about, strict=True)
    responses = tuple(tuple(said.get((row, i)) for i in range(len(experts))) for row in range(len(prompts)))
    scores, costs, latencies, tokens = tables
    said_all = responses if said else ()
    return Outcomes(texts, tuple(experts), scores, costs, latencies, domains, splits, tokens, said_all)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if isfinite(value)]
    return sum(known) / len(known) if known else nan


def _score(row: Mapping[str, Any]) -> float:
    return _number(row.get("correct") if row.get("score") is None else row["score"])


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return nan


def _figure(value: Any) -> float:
    """A cost, a time or a count: below zero there is none."""
    number = _number(value)
    return number if number >= 0 else nan


def _word(value: Any) -> str:
    """A name; empty where there is none. Tables say so with NaN."""
    return "" if value is None or value != value else str(value)


def _text(prompt: Any) -> str | None:
    """The last user message of `prompt`, which is text, messages, or messages as JSON text."""
    if isinstance(prompt, str):
        if not prompt.lstrip().startswith('[{"'):
            return prompt
        try:
            parsed = json.loads(prompt)
        except json.JSONDecodeError:
            return prompt
        return _text(parsed)
    if not isinstance(prompt, list):
        return None
    users = [m for m in prompt if isinstance(m, dict) and m.get("role", "user") == "user"]
    content = users[-1].get("content") if users else None
    if isinstance(content, list):
        content = "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else None


def _records(path: Path) -> Iterable[Mapping[str, Any]]:
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            parquet = file.read(4) == b"PAR1"
        if parquet:
            return list(pq.read_table(path).to_pylist())
        return _lines(path)
    except OSError as error:
        raise LogError(f"{path}: {error.strerror or error}", param="log") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: neither Parquet nor JSONL: {error}", param="log") from None


def _folder(folder: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    for file in sorted(folder.rglob("*.parquet")):
        table = pq.ParquetFile(file)
        known = [name for name in table.schema_arrow.names if name in _READ]
        for row in table.read(known).to_pylist():
            rows += _proposed(row) if row.get("proposals") else [row]
    if not rows:
        raise LogError(f"{folder}: no Parquet file with rows in this folder", param="log")
    return rows


def _proposed(row: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The proposals of an ensemble's row, each as a row of its expert."""
    about = {name: row.get(name) for name in ("item", "prompt", "domain", "split")}
    return [{**about, **proposal} for proposal in row["proposals"] if proposal.get("score") is not None]


def _lines(path: Path) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise LogError(f"{path}:{number}: not a JSON object: {error.msg}", param="log") from None
            if isinstance(row, dict):
                rows.append(row)
    return rows
