"""`mixture report`: what an evaluation shows, as a page that opens offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.display import err, out

FOLDER = typer.Argument(help="The folder of an evaluation, or an outcome log (Parquet, JSONL, or a folder of Parquet).")
STRONG = typer.Option("--strong", help="An expert that counts as strong; several times. Default: the dearest.")
TO = typer.Option("--out", "-o", help="The folder for the report. Default: report, in the folder of the evaluation.")


def report(
    folder: Annotated[Path, FOLDER],
    baseline: Annotated[
        str | None, typer.Option(help="The arm that others are compared with. Default: the first.")
    ] = None,
    strong: Annotated[list[str] | None, STRONG] = None,
    title: Annotated[str | None, typer.Option(help="The heading.")] = None,
    to: Annotated[Path | None, TO] = None,
) -> None:
    """Write a report: one HTML page that needs nothing else and reads well on paper, its pictures as PNG, and a JSON
    summary.

    Try:

      mixture report evaluations/gsm8k

      mixture report evaluations/gsm8k --baseline gpt-4o --strong gpt-4o --strong o1
    """
    from mixture.errors import InvalidQuery
    from mixture.evaluation.report.page import write
    from mixture.evaluation.report.sources import opened
    from mixture.evaluation.report.summary import summarise

    try:
        results = opened(folder)
        made = summarise(results, baseline=baseline, strong=strong or (), title=title)
        page = write(made, to or (folder if folder.is_dir() else folder.parent) / "report")
    except InvalidQuery as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    for said in made.statements:
        out.print(said, soft_wrap=True, markup=False)
    out.print(f"Written to [bold]{escape(str(page))}[/]", soft_wrap=True)
