"""A whole evaluation as plain data: what is asked, of whom, and how it is graded."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mixture.evaluation import datasets
from mixture.evaluation.arms import Arm
from mixture.evaluation.datasets import Shard, Survey
from mixture.evaluation.items import Broken, Item, RowFault
from mixture.evaluation.layouts import Layout, layout_of


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`columns` maps what a column means to its name; `limit` takes so many rows from the beginning, or drawn by a
    fixed seed where `sample` is set. `where` says who answers: `process`, `cluster` or the address of an endpoint.
    """

    dataset: Path
    survey: Survey
    arms: tuple[Arm, ...]
    scorer: str
    layout: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    template: str | None = None
    system: str | None = None
    limit: int | None = None
    sample: bool = False
    where: str = "process"

    @property
    def reader(self) -> Layout:
        """The layout. Raises InvalidQuery."""
        return layout_of(self.layout, self.columns, template=self.template, system=self.system)

    @property
    def facts(self) -> dict[str, Any]:
        """What must be the same for results to belong together."""
        return {
            "dataset": {"name": self.dataset.name, "rows": self.survey.rows, "digest": self.survey.digest},
            "arms": [{"name": arm.name, "model": arm.model, "file": arm.file} for arm in self.arms],
            "scorer": self.scorer,
            "layout": self.layout,
            "columns": self.columns,
            "template": self.template,
            "system": self.system,
            "limit": self.limit,
            "sample": self.sample,
            "where": self.where,
        }

    @property
    def rows(self) -> int:
        """How many rows are asked about, broken ones included."""
        return self.survey.rows if self.limit is None else min(self.limit, self.survey.rows)

    def chosen(self) -> frozenset[int] | None:
        """The positions that a sample has; None for all, or the first `limit`."""
        if self.limit is None or not self.sample:
            return None
        return frozenset(random.Random(0).sample(range(self.survey.rows), self.rows))

    def items(self, shards: Sequence[Shard] | None = None) -> Iterator[Item | Broken]:
        """The items of some shards, or of all; what can't be asked is told."""
        reader, chosen = self.reader, self.chosen()
        for shard in self.survey.shards if shards is None else shards:
            if chosen is None and shard.first >= self.rows:
                return
            for position, row in datasets.rows(shard):
                if position not in chosen if chosen is not None else position >= self.rows:
                    continue
                yield row if isinstance(row, Broken) else _read(reader, position, row)


def _read(reader: Layout, position: int, row: datasets.Row) -> Item | Broken:
    try:
        return reader.item(position, row)
    except RowFault as fault:
        return Broken(position, str(fault))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return Broken(position, f"not as the layout says: {error}")
