"""`mixture evaluate`: the same questions to several models, graded and compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from commands.display import err, faults

if TYPE_CHECKING:
    from mixture.config import Config

DATASET = typer.Argument(help="Parquet, JSONL or CSV: a file, or a folder of them.")
ARMS = typer.Option("--arm", "-a", help="MODEL, FILE.yaml:MODEL, or either behind NAME=. Several times. Default: auto.")
LAYOUT = typer.Option("--layout", "-l", help="gsm8k, math, mmlu, mmlu-pro, code or pairs; else see --column.")
COLUMN = typer.Option(
    "--column", help="MEANING=COLUMN: prompt, messages, reference, domain, item, tests, entry_point or schema."
)
SCORER = typer.Option(
    "--scorer",
    "-s",
    help="exact, numeric[:SHARE], math, choice, regex:PATTERN, schema[:FILE], code[:SECONDS], similarity, judge:MODEL, "
    "or MODULE:FUNCTION. Default: what fits the layout.",
)
CONFIG = typer.Option("--config", "-c", help="A configuration. Default: serve_config.yaml, if it is here.")
ENDPOINT = typer.Option("--endpoint", "-e", help="Ask this server, in place of experts in this process.")
RAY = typer.Option("--ray", help="Spread the work with Ray Data over so many processes.", min=0)
GRAPH = typer.Option("--graph", help="On Ray, ask the application that runs there, or one made for this.")
OUT = typer.Option("--out", "-o", help="The folder for the results. Default: evaluations/DATASET.")


def evaluate(
    dataset: Annotated[Path, DATASET],
    arm: Annotated[list[str] | None, ARMS] = None,
    layout: Annotated[str | None, LAYOUT] = None,
    column: Annotated[list[str] | None, COLUMN] = None,
    scorer: Annotated[str | None, SCORER] = None,
    template: Annotated[str | None, typer.Option(help="A text with {prompt} in it, asked in its place.")] = None,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    config: Annotated[Path | None, CONFIG] = None,
    folder: Annotated[Path | None, OUT] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many rows, from the beginning.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw those of --limit instead, always the same.")] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions at once.")] = 16,
    max_cost_usd: Annotated[float | None, typer.Option(min=0, help="Stop before it costs more than this.")] = None,
    patience: Annotated[float, typer.Option(min=0, help="Seconds that an upstream may be away.")] = 300.0,
    endpoint: Annotated[str | None, ENDPOINT] = None,
    ray: Annotated[int, RAY] = 0,
    graph: Annotated[bool, GRAPH] = False,
    baseline: Annotated[
        str | None, typer.Option(help="The arm that others are compared with. Default: the first.")
    ] = None,
) -> None:
    """Ask every item of a dataset of several models, grade the answers, and say which differences are certain.

    What was asked is kept: interrupted and started again with the same words, it asks nothing twice. The results are
    Parquet files, and an outcome log that `mixture calibrate` reads.

    Try:

      mixture evaluate gsm8k.jsonl --layout gsm8k -a auto -a voting -a cascade

      mixture evaluate questions.csv --column prompt=Question --column reference=Answer --scorer exact
    """
    from commands.evaluating import Manner, planned, run
    from commands.verdict import show
    from mixture.config import ConfigError
    from mixture.errors import MixtureError
    from mixture.evaluation.runner import Terms

    try:
        where = "endpoint" if endpoint else "process"
        more = {"template": template, "system": system, "limit": limit, "sample": sample, "where": where}
        plan = planned(dataset, arm or ["auto"], layout, column or [], scorer, **more)
        folder = folder or Path("evaluations") / dataset.stem
        manner = Manner(Terms(concurrency, patience), max_cost_usd, endpoint, ray, graph)
        tally = run(plan, None if endpoint else _config(config), folder, manner)
        show(folder, tally, baseline)
    except ConfigError as error:
        faults(error, str(config or "configuration"))
        raise typer.Exit(1) from None
    except MixtureError as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        err.print(f"[red]It can't go on: {escape(str(error.strerror or error))}{escape(where)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    if tally.stopped:
        raise typer.Exit(3)


def _config(file: Path | None) -> Config:
    from commands.serve import load_dotenv
    from commands.source import read, with_found

    load_dotenv()
    return with_found(read(file, os.environ), os.environ).config
