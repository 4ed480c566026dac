"""Results as arrays: items by arms, read from the Parquet files of an evaluation column by column."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from mixture.errors import InvalidQuery
from mixture.evaluation.records import SCHEMA
from mixture.evaluation.store import Store

Doubles = npt.NDArray[np.float64]

FIGURES = ("score", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens", "calls", "confidence", "agreement")
"""The columns that become arrays of items by arms."""


class ResultsError(InvalidQuery):
    """The folder has no results; `message` says what was looked for."""


@dataclass(frozen=True)
class Results:
    """`figures` holds the arrays of `FIGURES`, items x arms, NaN where nothing is known. In `score` an item without an
    answer counts 0, and one whose answer could not be graded is NaN. `failed` says where there was no answer, `asked`
    where there is a row.
    """

    arms: tuple[str, ...]
    positions: npt.NDArray[np.int64]
    domains: tuple[str, ...]
    figures: Mapping[str, Doubles]
    asked: npt.NDArray[np.bool_]
    failed: npt.NDArray[np.bool_]
    facts: Mapping[str, Any] = field(default_factory=dict)
    source: ds.Dataset | None = None
    """All columns of all rows."""

    @property
    def scores(self) -> Doubles:
        """The scores, items x arms."""
        return self.figures["score"]

    @property
    def costs(self) -> Doubles:
        """US dollars, items x arms."""
        return self.figures["cost_usd"]

    @property
    def latencies(self) -> Doubles:
        """Seconds, items x arms."""
        return self.figures["latency_s"]

    @cached_property
    def ungraded(self) -> npt.NDArray[np.bool_]:
        """Where there is an answer and no score."""
        return self.asked & np.isnan(self.scores)

    def column(self, arm: str) -> int:
        """The place of an arm. Raises ResultsError."""
        if arm not in self.arms:
            raise ResultsError(f"there is no arm {arm!r}; there are {', '.join(self.arms)}", param="baseline")
        return self.arms.index(arm)

    def shared(self, *arms: str) -> npt.NDArray[np.intp]:
        """The rows on which all these arms have a score."""
        columns = [self.column(arm) for arm in arms]
        return np.flatnonzero(np.isfinite(self.scores[:, columns]).all(axis=1))

    def texts(
        self, rows: Sequence[int], columns: Iterable[str] = ("response",)
    ) -> dict[tuple[int, str], dict[str, Any]]:
        """Columns of some rows that are not held here: by row and arm. Reads the files again."""
        wanted = {int(self.positions[row]): row for row in rows}
        found: dict[tuple[int, str], dict[str, Any]] = {}
        chosen = pc.field("position").isin(pa.array(list(wanted), pa.int64()))
        table = self.rows().to_table(columns=["position", "arm", *columns], filter=chosen)
        for row in table.to_pylist():
            found[wanted[row.pop("position")], row.pop("arm")] = row
        return found

    def rows(self) -> ds.Dataset:
        """Every row with every column. Raises ResultsError where that was not kept."""
        if self.source is None:
            raise ResultsError("of these results only the figures were kept")
        return self.source


def dataset_of(store: Store) -> ds.Dataset:
    """The Parquet files of an evaluation, with `arm` as a column. Raises ResultsError when there are none."""
    parts = [str(path) for path in store.parts()]
    if not parts:
        raise ResultsError(f"{store.folder} holds no results of `mixture evaluate`", param="results")
    arms = ds.HivePartitioning(pa.schema({"arm": pa.string()}), segment_encoding="uri")
    schema = SCHEMA.append(pa.field("arm", pa.string()))
    return ds.dataset(parts, schema=schema, partitioning=arms, format="parquet", partition_base_dir=str(store.results))


def load(folder: Path) -> Results:
    """The results in the folder of an evaluation, interrupted or not. Raises ResultsError."""
    store = Store(folder)
    facts = store.facts()
    if facts is None:
        raise ResultsError(f"{folder} holds no evaluation", param="results")
    order = [arm["name"] for arm in facts.get("arms", ())]
    return of_source(dataset_of(store), order, facts)


def of_source(source: ds.Dataset, order: Sequence[str] = (), facts: Mapping[str, Any] | None = None) -> Results:
    """Results from rows for each item and arm, which are read piece by piece: only their figures are held at once."""
    arms, positions = _axes(source, order)
    shape = len(positions), len(arms)
    figures = {name: np.full(shape, np.nan) for name in FIGURES}
    asked, failed = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    domains: list[str] = [""] * len(positions)
    for batch in source.to_batches(columns=["position", "domain", "arm", "error", *FIGURES]):
        row = np.searchsorted(positions, batch["position"].to_numpy())
        column = pc.index_in(batch["arm"], pa.array(arms)).to_numpy(zero_copy_only=False)
        for name, filled in figures.items():
            filled[row, column] = pc.cast(batch[name], pa.float64()).to_numpy(zero_copy_only=False)
        asked[row, column] = True
        failed[row, column] = pc.is_valid(batch["error"]).to_numpy(zero_copy_only=False)
        for place, domain in zip(row.tolist(), _shared(batch["domain"]), strict=True):
            domains[place] = domain
    if not failed.all() and not np.isnan(figures["score"]).all():
        figures["score"][failed] = 0.0  # where nothing was graded, as in live traffic, failures have no score either
    return Results(arms, positions, tuple(domains), figures, asked, failed, facts or {}, source)


def _axes(source: ds.Dataset, order: Sequence[str]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The arms, those of `order` first, and the positions of the items."""
    found: dict[str, None] = {}
    places = [np.zeros(0, np.int64)]
    for batch in source.to_batches(columns=["position", "arm"]):
        found |= dict.fromkeys(pc.unique(batch["arm"]).to_pylist())
        places.append(batch["position"].to_numpy())
    arms = tuple([name for name in order if name in found] + [name for name in found if name not in order])
    return arms, np.unique(np.concatenate(places))


def _shared(texts: pa.Array) -> list[str]:
    """The texts, equal ones being one object: a million items have few domains."""
    coded = texts.dictionary_encode("encode")
    names = [sys.intern(name or "") for name in coded.dictionary.to_pylist()]
    return [names[code] for code in coded.indices.to_pylist()]
