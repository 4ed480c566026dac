"""What came of an evaluation, on the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Column, Table

from commands.display import err, out
from mixture.evaluation import results
from mixture.evaluation.results import Results
from mixture.evaluation.statistics.comparing import against, standing
from mixture.evaluation.statistics.words import statement
from mixture.evaluation.tally import Tally

MOST = 5
"""Different faults that are listed."""


def show(folder: Path, tally: Tally, baseline: str | None) -> None:
    """Print the arms, what may be said of their differences, and what went wrong. Raises ResultsError."""
    found = results.load(folder)
    out.print(arms_table(found))
    first = baseline or found.arms[0]
    for comparison in against(found, first):
        out.print(statement(comparison), soft_wrap=True, markup=False)
    _trouble("rows can't be asked", tally.broken, tally.faults)
    _trouble("questions got no answer (they count as wrong)", tally.errors.total(), tally.errors)
    _trouble("answers could not be graded (they count nowhere)", tally.scorer_errors.total(), tally.scorer_errors)
    if tally.outages:
        err.print(f"{tally.outages} times a question waited for an upstream that was away.", style="dim")
    if tally.stopped:
        err.print(f"[yellow]Not everything was asked: {escape(tally.stopped)}.[/]", soft_wrap=True)
    out.print(f"Results: [bold]{escape(str(folder / 'results'))}[/]", soft_wrap=True)


def arms_table(found: Results) -> Table:
    """A line an arm."""
    name = Column("Arm", overflow="fold")  # cut names would all look alike
    table = Table(name, "Items", "Score", "95% interval", "Failed", "USD", "USD/item", "Calls", "Seconds", box=None)
    for arm in found.arms:
        column = found.column(arm)
        stand, asked = standing(found, arm), found.asked[:, column]
        costs = found.costs[asked, column]
        known = not any(map(math.isnan, costs))
        table.add_row(
            escape(arm),
            str(stand.items),
            f"{stand.score.value:.4f}",
            f"{stand.score.low:.4f} to {stand.score.high:.4f}",
            str(int(found.failed[:, column].sum())),
            f"{costs.sum():.4f}" if known else "unknown",
            f"{costs.mean():.6f}" if known else "",
            f"{found.figures['calls'][asked, column].mean():.2f}",
            f"{found.latencies[asked, column].mean():.3f}",
        )
    return table


def _trouble(what: str, count: int, kinds: Mapping[str, int]) -> None:
    if not count:
        return
    err.print(f"[yellow]{count} {what}:[/]")
    for kind, times in sorted(kinds.items(), key=lambda pair: -pair[1])[:MOST]:
        err.print(f"  {times} x {escape(kind)}", soft_wrap=True)
    if len(kinds) > MOST:
        err.print(f"  and {len(kinds) - MOST} other kinds")
