"""`mixture replay`: what other strategies would have made of logged answers, with no call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, faults, out

if TYPE_CHECKING:
    from mixture.config import Config
    from mixture.evaluation.replay import Replay
    from mixture.routing.outcomes import Outcomes
    from mixture.types import Price

LOG = typer.Argument(help="An outcome log with responses: Parquet, JSONL, or the folder of an evaluation's results.")
STRATEGY = typer.Option(
    "--strategy",
    "-s",
    help="A strategy, expert or alias, with options behind a colon: cascade:lead=2,experts=a+b. Several times.",
)
EXPERTS = typer.Option("--experts", "-e", help="Only these experts of the log, with commas between.")
CONFIG = typer.Option("--config", "-c", help="A configuration: its aliases, routing and skills hold.")
PRICES = typer.Option("--prices", help="YAML: expert -> {input, output}, US dollars per million tokens.")
MOST = 3
"""Reasons that are listed for what can't be known."""


def replay(
    log: Annotated[Path, LOG],
    strategy: Annotated[list[str] | None, STRATEGY] = None,
    experts: Annotated[str | None, EXPERTS] = None,
    config: Annotated[Path | None, CONFIG] = None,
    prices: Annotated[Path | None, PRICES] = None,
    baseline: Annotated[
        str | None, typer.Option(help="What others are compared with. Default: the best expert.")
    ] = None,
) -> None:
    """Score logged answers again under other strategies, thresholds, experts and prices. No expert is asked.

    The real strategies run over experts that repeat what they said. What the log can't tell is marked, and bounded: an
    answer that was not logged, a text that would have been written anew, a judge.

    Try:

      mixture replay outcomes.parquet -s voting -s cascade:lead=2

      mixture replay evaluations/gsm8k/results -s voting:voting_threshold=0.7 -e small,middle --prices prices.yaml
    """
    from mixture.config import ConfigError
    from mixture.errors import MixtureError
    from mixture.evaluation.replay import Replayer, configured
    from mixture.routing import outcomes

    try:
        read = outcomes.load(log)
        read = read if experts is None else _among(read, experts.split(","))
        best = _best(read)
        base = None if config is None else _base(config)
        arms, aliases = _arms(read, [best, *(strategy or ["voting", "cascade"])])
        whole = configured(read, base, aliases)
        found = asyncio.run(Replayer(read, whole, _prices(prices)).replay(arms))
        _show(read, found, baseline or best)
    except ConfigError as error:
        faults(error, str(config or "replay"))
        raise typer.Exit(1) from None
    except MixtureError as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None


def _among(read: Outcomes, names: Sequence[str]) -> Outcomes:
    from mixture.errors import InvalidQuery

    wanted = [name.strip() for name in names if name.strip()]
    for name in wanted:
        if name not in read.experts:
            raise InvalidQuery(f"--experts: {name!r} is not in the log; it has {', '.join(read.experts)}")
    return read.among(wanted)


def _best(read: Outcomes) -> str:
    """The expert with the best mean score: with hindsight, so that it is a hard one to beat."""
    import numpy as np

    means = [float(np.nanmean(column)) if np.isfinite(column).any() else -1.0 for column in read.scores.T]
    return read.experts[int(np.argmax(means))]


def _base(file: Path) -> Config:
    from mixture.config import load

    return load(file)


def _arms(read: Outcomes, wanted: Sequence[str]) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
    """The arms (name -> model), and the aliases that those with options need."""
    import yaml

    from mixture.errors import InvalidQuery

    arms: dict[str, str] = {}
    aliases: dict[str, dict[str, Any]] = {}
    for text in wanted:
        name, colon, options = text.partition(":")
        if not colon or text in read.experts:
            arms[text] = text
            continue
        fields: dict[str, Any] = {"strategy": name}
        for pair in options.split(","):
            field, equals, value = pair.partition("=")
            if not equals:
                raise InvalidQuery(f"--strategy: {text!r}: OPTION=VALUE is expected behind the colon, not {pair!r}")
            listed = "+" in value or field in ("experts", "fallback_order", "proposer_models")
            fields[field.strip()] = value.split("+") if listed else yaml.safe_load(value)
        arms[text] = f"replay-{len(aliases)}"
        aliases[arms[text]] = fields
    return arms, aliases


def _prices(file: Path | None) -> Mapping[str, Price]:
    """Raises InvalidQuery."""
    import yaml
    from pydantic import TypeAdapter, ValidationError

    from mixture.config import PriceConfig
    from mixture.errors import InvalidQuery
    from mixture.types import Price

    if file is None:
        return {}
    try:
        given = TypeAdapter(dict[str, PriceConfig]).validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidQuery(f"--prices: {file}: {error.strerror or error}") from None
    except (yaml.YAMLError, ValidationError) as error:
        raise InvalidQuery(f"--prices: {file}: {error}") from None
    return {name: Price(**price.model_dump()) for name, price in given.items()}


def _show(read: Outcomes, found: Replay, baseline: str) -> None:
    from mixture.evaluation.statistics.comparing import against
    from mixture.evaluation.statistics.words import statement

    out.print(f"{len(read)} prompts, {len(read.experts)} experts; no expert was asked.")
    out.print(_table(found))
    for comparison in against(found.results, baseline):
        out.print(statement(comparison), soft_wrap=True, markup=False)
    for arm, reasons in found.unknown.items():
        if reasons:
            said = "; ".join(f"{count} x {reason}" for reason, count in reasons.most_common(MOST))
            low, high = found.bounds(arm)
            text = f"{arm}: {reasons.total()} of {len(read)} items can't be known ({said}). "
            err.print(f"[yellow]{escape(text)}[/]Over all items its score is {low:.4f} to {high:.4f}.", soft_wrap=True)
    out.print(
        "The experts of a log were chosen by whoever wrote it: what is said here holds for prompts like these.",
        style="dim",
    )


def _table(found: Replay) -> Table:
    import numpy as np

    from mixture.evaluation.statistics.comparing import standing

    table = Table("Strategy", "Known", "Score", "95% interval", "USD/item", "Calls", box=None, header_style="bold")
    for arm in found.results.arms:
        column = found.results.column(arm)
        stand, costs = standing(found.results, arm), found.results.costs[:, column]
        calls, none = found.results.figures["calls"][:, column], not stand.items
        table.add_row(
            escape(arm),
            str(stand.items),
            "unknown" if none else f"{stand.score.value:.4f}",
            "" if none else f"{stand.score.low:.4f} to {stand.score.high:.4f}",
            f"{np.nanmean(costs):.6f}" if np.isfinite(costs).any() else "unknown",
            f"{np.nanmean(calls):.2f}" if np.isfinite(calls).any() else "",
        )
    return table
