"""`mixture report`: what an evaluation shows, as a page that opens offline."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from commands.display import err, out

if TYPE_CHECKING:
    from mixture.evaluation.results import Results

FOLDER = typer.Argument(help="The folder of an evaluation, or an outcome log (Parquet, JSONL, or a folder of Parquet).")
LEDGER = typer.Option("--ledger", help="Of live traffic instead: the calls in the ledger of --config.")
CONFIG = typer.Option("--config", "-c", help="With --ledger. Default: serve_config.yaml, if it is here.")
STRONG = typer.Option("--strong", help="An expert that counts as strong; several times. Default: the dearest.")
TO = typer.Option("--out", "-o", help="The folder for the report. Default: report, in the folder of the evaluation.")


def report(
    folder: Annotated[Path | None, FOLDER] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The arm that others are compared with. Default: the first.")
    ] = None,
    strong: Annotated[list[str] | None, STRONG] = None,
    title: Annotated[str | None, typer.Option(help="The heading.")] = None,
    to: Annotated[Path | None, TO] = None,
    ledger: Annotated[bool, LEDGER] = False,
    config: Annotated[Path | None, CONFIG] = None,
    since: Annotated[str | None, typer.Option(help="With --ledger: the first day (UTC), as in 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="With --ledger: the last day (UTC).")] = None,
) -> None:
    """Write a report: one HTML page that needs nothing else and reads well on paper, its pictures as PNG, and a JSON
    summary.

    Try:

      mixture report evaluations/gsm8k

      mixture report evaluations/gsm8k --baseline gpt-4o --strong gpt-4o --strong o1

      mixture report --ledger --since 2026-01-01
    """
    from mixture.errors import MixtureError
    from mixture.evaluation.report.page import write
    from mixture.evaluation.report.sources import opened
    from mixture.evaluation.report.summary import summarise

    if (folder is None) != ledger:
        err.print("Name the folder of an evaluation, or --ledger.")
        raise typer.Exit(2)
    try:
        results = _traffic(config, since, until) if folder is None else opened(folder)
        made = summarise(results, baseline=baseline, strong=strong or (), title=title)
        beside = Path() if folder is None else folder if folder.is_dir() else folder.parent
        page = write(made, to or beside / "report")
    except MixtureError as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    for said in made.statements:
        out.print(said, soft_wrap=True, markup=False)
    out.print(f"Written to [bold]{escape(str(page))}[/]", soft_wrap=True)


def _traffic(config: Path | None, since: str | None, until: str | None) -> Results:
    """What the ledger has, with what is still in the journals of processes that are gone."""
    from commands import source
    from commands.serve import load_dotenv
    from mixture.evaluation.report.traffic import of_ledger
    from mixture.ledger import Book, Recorder, folder_of, url_of
    from mixture.ledger.database import connect
    from mixture.ledger.usage import checked

    load_dotenv()
    checked((), since, until)
    found = source.read(config, os.environ).config.ledger
    url = url_of(found, os.environ)
    asyncio.run(Recorder(Book(url), folder_of(found, os.environ), found).report())
    return of_ledger(connect(url or ""), since, until)
